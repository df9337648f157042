"""Where a model named by a repository is on this machine: a local folder, or Hugging Face's cache of downloads, into which what is
not there is fetched."""

from __future__ import annotations

import fnmatch
import os
import re
from typing import Any, List, Optional

from . import download
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
    why = "; nothing is downloaded, as HF_HUB_OFFLINE or QUERN_OFFLINE says" if download.offline() else ""
    return NotFoundError(f"{what}: not on this machine (looked in {places}){why}", 11)


def _is_repository(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", name) is not None and not download.offline()


def _snapshot(repo_id: str, cache_dir: Any, revision: str) -> str:
    """The folder that downloads of a revision go to."""
    return os.path.join(cache_folder(cache_dir), "models--" + repo_id.replace("/", "--"), "snapshots", revision.replace("/", "--"))


# Of a repository with a model that runs as it is, what is needed: not the same weights in other forms.
_FOLDER_PATTERNS = ("*.json", "*.safetensors", "*.model", "*.jinja", "merges.txt", "vocab.txt", "*.tiktoken")


def _fetch_folder(repo_id: str, cache_dir: Any, revision: str) -> str:
    files = download.list_files(repo_id, revision)
    wanted = [name for name in files if "/" not in name and any(fnmatch.fnmatch(name, p) for p in _FOLDER_PATTERNS)]
    if "config.json" not in wanted:
        raise NotFoundError(f"{repo_id}: there is no config.json in this repository", 11)
    folder = _snapshot(repo_id, cache_dir, revision)
    # Last, so that a folder with it has everything.
    download.fetch_all(repo_id, [name for name in wanted if name != "config.json"] + ["config.json"], files, folder, revision)
    return folder


def _fetch_files(repo_id: str, patterns: List[str], folder: str) -> None:
    files = download.list_files(repo_id)
    for pattern in patterns:
        wanted = sorted(name for name in files if fnmatch.fnmatch(name, pattern))
        if not wanted:
            raise NotFoundError(f"{repo_id}: no file matches {pattern!r}; there are {', '.join(sorted(files)[:20])}", 11)
        if len(wanted) > 1 and not _is_split(wanted):
            raise ArgumentError(f"{repo_id}: several files match {pattern!r}: {', '.join(wanted)}", 40)
        download.fetch_all(repo_id, wanted, files, folder)


def _is_split(names: List[str]) -> bool:
    """Whether these are the parts of one model: name-00001-of-00003.gguf, ..."""
    return all("-of-" in name for name in names) and len({name.split("-of-")[0][:-5] for name in names}) == 1


def find_folder(name: Any, cache_dir: Any = None, revision: Optional[str] = None) -> str:
    """A folder with a model: the one of this name, or the repository's in the cache."""
    path = os.fspath(name)
    if os.path.exists(path):
        return path
    for folder in _snapshots(path, cache_dir, revision or "main"):
        if os.path.exists(os.path.join(folder, "config.json")) or _matches(folder, "*.gguf"):
            return folder
    if _is_repository(path):
        return _fetch_folder(path, cache_dir, revision or "main")
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
        found = [name for name in _matches(folder, pattern) if not name.endswith(".incomplete")]
        if len(found) > 1 and _is_split(found):
            found = found[:1]
        if len(found) > 1:
            raise ArgumentError(f"{repo}: several files match {pattern!r}: {', '.join(found)}", 40)
        if not found:
            continue
        for extra in additional_files or []:
            if not _matches(folder, extra):
                raise _missing(f"{repo}: {extra}", [folder])
        return os.path.join(folder, found[0])
    if _is_repository(repo):
        target = os.fspath(local_dir) if local_dir is not None else _snapshot(repo, cache_dir, "main")
        _fetch_files(repo, [pattern] + list(additional_files or []), target)
        return os.path.join(target, sorted(_matches(target, pattern))[0])
    raise _missing(f"{repo}: {pattern}", folders + [cache_folder(cache_dir)])
