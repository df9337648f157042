"""Files of the Hugging Face Hub, into its cache: https://huggingface.co/docs/hub/api. Standard library alone.

HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE and QUERN_OFFLINE mean what they mean elsewhere. HTTPS certificates are checked, the token
goes to the endpoint's host alone, a download goes on where it broke off, and a file is there whole, with the bytes that the Hub
promises, or not at all.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, Dict, List, Optional

from .errors import InputOutputError, NotFoundError, QuernError

PIECE = 1 << 20
ATTEMPTS = 5
TIMEOUT = 30  # seconds without a byte


def offline() -> bool:
    return any(os.environ.get(name, "").lower() in ("1", "true", "yes", "on") for name in ("HF_HUB_OFFLINE", "QUERN_OFFLINE"))


def endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


class _Redirect(urllib.request.HTTPRedirectHandler):
    """Does not take the token to another host, nor from https to http."""

    def redirect_request(self, request: Any, *rest: Any) -> Any:
        new = super().redirect_request(request, *rest)
        if new is None:
            return new
        old_url, new_url = urllib.parse.urlsplit(request.full_url), urllib.parse.urlsplit(new.full_url)
        if old_url.scheme == "https" and new_url.scheme != "https":
            raise InputOutputError(f"{request.full_url}: is redirected from https to {new.full_url}", 10)
        if old_url.netloc != new_url.netloc:
            new.remove_header("Authorization")
        return new


def _open(url: str, start: int = 0) -> Any:
    request = urllib.request.Request(url, headers={"User-Agent": "quern"})
    token = os.environ.get("HF_TOKEN")
    if token:
        request.add_header("Authorization", "Bearer " + token)
    if start:
        request.add_header("Range", f"bytes={start}-")
    try:
        return urllib.request.build_opener(_Redirect).open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 404:
            raise NotFoundError(f"{url}: there is no such model or file", 11) from None
        if error.code in (401, 403):
            raise InputOutputError(f"{url}: {error.code}: set HF_TOKEN to a token that may read it (or the name is wrong)", 10) from None
        raise


def list_files(repo: str, revision: str = "main") -> Dict[str, Optional[str]]:
    """The repository's files, each with its SHA-256 where the Hub tells it."""
    url: Optional[str] = f"{endpoint()}/api/models/{urllib.parse.quote(repo)}/tree/{urllib.parse.quote(revision, '')}?recursive=true"
    out: Dict[str, Optional[str]] = {}
    while url:
        try:
            with _open(url) as answer:
                entries = json.load(answer)
                links = answer.headers.get("Link", "")
        except QuernError:
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise InputOutputError(f"{url}: {error}", 10) from None
        for entry in entries:
            path = str(entry.get("path", ""))
            if entry.get("type") == "file" and path and not path.startswith("/") and ".." not in path.split("/"):
                out[path] = (entry.get("lfs") or {}).get("oid")
        url = next((link.split(">")[0].strip(" <") for link in links.split(",") if 'rel="next"' in link), None)
    return out


class _Progress:
    """A line on a terminal's stderr."""

    def __init__(self, name: str) -> None:
        self.name, self.last, self.shown = name, 0.0, sys.stderr is not None and sys.stderr.isatty()

    def __call__(self, done: int, total: int) -> None:
        if self.shown and time.monotonic() - self.last > 0.2:
            self.last = time.monotonic()
            part = f"{100 * done / total:.0f} % of {total / 1e6:.0f} MB" if total else f"{done / 1e6:.0f} MB"
            print(f"\r{self.name}: {part} ", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        if self.shown and self.last:
            print(file=sys.stderr)


def _transfer(url: str, partial: str, progress: _Progress) -> None:
    """One attempt; what has arrived stays."""
    start = os.path.getsize(partial) if os.path.exists(partial) else 0
    with _open(url, start) as answer:
        # Without a range, or with another one, the file comes from its beginning.
        goes_on = start > 0 and answer.status == 206 and answer.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        if start and answer.status == 206 and not goes_on:
            raise InputOutputError(f"{url}: another part came than was asked for", 10)
        done = start if goes_on else 0
        left = int(answer.headers.get("Content-Length") or 0)
        total = done + left if left else 0
        with open(partial, "ab" if goes_on else "wb") as file:
            while True:
                piece = answer.read(PIECE)
                if not piece:
                    break
                file.write(piece)
                done += len(piece)
                progress(done, total)
            file.flush()
            os.fsync(file.fileno())
        if total and done != total:
            raise ConnectionError(f"ended after {done} of {total} bytes")


def _digest(path: str) -> str:
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            piece = file.read(PIECE)
            if not piece:
                return sha.hexdigest()
            sha.update(piece)


def fetch(repo: str, path: str, folder: str, sha256: Optional[str], revision: str = "main") -> str:
    """The file `path` of a repository, below `folder`; downloaded if it is not there."""
    target = os.path.join(folder, *path.split("/"))
    if os.path.exists(target):
        return target
    os.makedirs(os.path.dirname(target), exist_ok=True)
    url = f"{endpoint()}/{urllib.parse.quote(repo)}/resolve/{urllib.parse.quote(revision, '')}/{urllib.parse.quote(path)}"
    partial = target + ".incomplete"
    progress = _Progress(path)
    for attempt in range(ATTEMPTS):
        try:
            _transfer(url, partial, progress)
            break
        except QuernError:
            raise
        except urllib.error.HTTPError as error:
            if error.code == 416:  # all of it was there, or the file is another one now
                break
            if error.code < 500 and error.code != 429 or attempt == ATTEMPTS - 1:
                raise InputOutputError(f"{url}: {error}", 10) from None
        except (OSError, http.client.HTTPException) as error:
            if attempt == ATTEMPTS - 1:
                raise InputOutputError(f"{url}: {error}; what has arrived is kept, and the next attempt goes on from there", 10) from None
        time.sleep(min(8.0, 0.2 * 2 ** attempt))
    progress.end()
    if sha256 and _digest(partial) != sha256:
        os.remove(partial)
        raise InputOutputError(f"{url}: the bytes that came are not those that the Hub promises (SHA-256 {sha256}): try again", 10)
    os.replace(partial, target)
    return target


def fetch_all(repo: str, wanted: List[str], files: Dict[str, Optional[str]], folder: str, revision: str = "main") -> None:
    for path in wanted:
        fetch(repo, path, folder, files[path], revision)
