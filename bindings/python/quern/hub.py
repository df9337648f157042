"""Where a model named by a repository is on this machine: a local folder, or Hugging Face's cache of downloads."""

from __future__ import annotations

import fnmatch
import os
from typing import Any, List, Optional

from .errors import ArgumentError, NotFoundError


def cache_folder(cache_dir: Any = None) -> str:
    """Where huggingface_hub keeps what it has downloaded."""
    if cache_dir is not None:
        return os.fspath(cache_dir)
    if os.environ.get("HF_HUB_CACHE"):
        return os.environ["HF_HUB_CACHE"]
    home = os.environ.get("HF_HOME") or os.path.join(os.path.expanduser("~"), ".cache", "huggingface")
    return os.path.join(home, "hub")


def _snapshots(repo_id: str, cache_dir: Any, revision: str = "main") -> List[str]:
    """Folders of the cache that hold files of the repository, that of the revision first."""
    folder = os.path.join(cache_folder(cache_dir), "models--" + repo_id.replace("/", "--"))
    names = []
    try:
        with open(os.path.join(folder, "refs", revision), encoding="utf-8") as file:
            names.append(file.read().strip())
    except OSError:
        pass
    try:
        names += sorted(name for name in os.listdir(os.path.join(folder, "snapshots")) if name not in names)
    except OSError:
        pass
    paths = [os.path.join(folder, "snapshots", name) for name in names]
    return [path for path in paths if os.path.isdir(path)]


def _files(folder: str) -> List[str]:
    out = []
    for place, _, names in os.walk(folder):
        out += [os.path.relpath(os.path.join(place, name), folder).replace(os.sep, "/") for name in names]
    return sorted(out)


def _matches(folder: str, pattern: str) -> List[str]:
    return [name for name in _files(folder) if fnmatch.fnmatch(name, pattern)]


def _missing(what: str, looked: List[str]) -> NotFoundError:
    places = ", ".join(looked)
    return NotFoundError(f"{what}: not on this machine (looked in {places}). Nothing is downloaded from here: fetch it first, "
                         "with huggingface_hub or by hand, and name its folder", 11)


def find_folder(name: Any, cache_dir: Any = None, revision: Optional[str] = None) -> str:
    """A folder with a model: the one of this name, or the repository's in the cache."""
    path = os.fspath(name)
    if os.path.exists(path):
        return path
    for folder in _snapshots(path, cache_dir, revision or "main"):
        if os.path.exists(os.path.join(folder, "config.json")) or _matches(folder, "*.gguf"):
            return folder
    raise _missing(path, [os.path.abspath(path), cache_folder(cache_dir)])


def find_file(repo_id: Any, filename: Optional[str], additional_files: Optional[List[str]] = None, local_dir: Any = None,
              cache_dir: Any = None) -> str:
    """The file of a repository that a name or a pattern says. Several matches are an error, unless they are the parts of
    one model, of which the first is returned."""
    repo = os.fspath(repo_id)
    folders = [os.fspath(local_dir)] if local_dir is not None else []
    folders += [repo] if os.path.isdir(repo) else []
    folders += _snapshots(repo, cache_dir)
    pattern = filename if filename is not None else "*.gguf"
    for folder in folders:
        found = _matches(folder, pattern)
        parts = [name for name in found if "-of-" in name]
        if len(found) > 1 and len(parts) == len(found) and len({name.split("-of-")[0][:-5] for name in found}) == 1:
            found = found[:1]
        if len(found) > 1:
            raise ArgumentError(f"{repo}: several files match {pattern!r}: {', '.join(found)}", 40)
        if not found:
            continue
        for extra in additional_files or []:
            if not _matches(folder, extra):
                raise _missing(f"{repo}: {extra}", [folder])
        return os.path.join(folder, found[0])
    raise _missing(f"{repo}: {pattern}", folders + [cache_folder(cache_dir)])
