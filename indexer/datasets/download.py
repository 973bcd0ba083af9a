"""One file over HTTP: goes on where it stopped (Range, RFC 9110 section 14), and counts only with the right checksum.

The hub's own client neither goes on within a file nor compares its checksum (huggingface_hub 2.4), so this serves both
the hub and the archive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from indexer.datasets.remote_files import TIMEOUT_S, RemoteFile
from indexer.errors import SourceError
from indexer.sources.fetching import PASSING_STATUSES, Manners, PassingFaultError, retry_after_s

if TYPE_CHECKING:
    from _hashlib import HASH

_BLOCK_BYTES = 1 << 16
"""What is written at a time; of a connection that is cut, less than this is lost."""

Advance = Callable[[int], Any]
"""Called with the bytes that came, as they come."""


def part_of(target: Path) -> Path:
    """Where a file is while it is not whole."""
    return target.with_name(target.name + ".part")


def bytes_missing(file: RemoteFile, folder: Path) -> int:
    """How many bytes are still to be fetched."""
    target = folder / file.path
    if target.exists():
        return 0
    part = part_of(target)
    return max(0, file.size - (part.stat().st_size if part.exists() else 0))


def fetch(file: RemoteFile, folder: Path, headers: Mapping[str, str], manners: Manners, advance: Advance) -> bool:
    """Fetches one file into `folder`, and says whether it had to: False where it was there already.

    Raises SourceError where it cannot be had, where the disk fails, or where its checksum is wrong: what came is then
    removed, and what was there under its name is left alone.
    """
    target = folder / file.path
    if target.exists():
        if _checksum(target, file) != file.checksum:
            raise SourceError(f"{target}: is there, but is not what is offered now ({file.checksum}). Move it away")
        return False
    part = part_of(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch()
        while part.stat().st_size < file.size:
            manners.ask(file.url, lambda: _more(file, part, headers, advance))
        if _checksum(part, file) != file.checksum:
            part.unlink()
            raise SourceError(f"{file.url}: the checksum of what came is not {file.checksum}; removed. Run it again")
        part.replace(target)
    except OSError as error:
        raise SourceError(f"{target}: cannot be written: {error.strerror or error}. Run it again to go on") from error
    return True


def _more(file: RemoteFile, part: Path, headers: Mapping[str, str], advance: Advance) -> None:
    """One request for what is missing; what came of it is kept. Raises PassingFaultError where nothing did."""
    have = part.stat().st_size
    asked = {**headers, "Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    try:
        with requests.get(file.url, headers=asked, stream=True, timeout=TIMEOUT_S) as answer:
            _refuse(answer, file, part, have)
            with part.open("ab" if answer.status_code == 206 else "wb") as out:
                for block in answer.iter_content(_BLOCK_BYTES):
                    out.write(block)
                    advance(len(block))
                    if out.tell() > file.size:
                        raise SourceError(f"{file.url}: sends more than the {file.size:,} bytes it was said to have")
    except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
        if part.stat().st_size <= have:
            raise PassingFaultError(f"the connection failed ({type(error).__name__})") from error
    except requests.RequestException as error:
        raise SourceError(f"{file.url}: cannot be fetched ({type(error).__name__})") from error


def _refuse(answer: requests.Response, file: RemoteFile, part: Path, have: int) -> None:
    """Raises where the answer has none of the bytes that are missing: those from `have` on, or all with status 200."""
    status = answer.status_code
    elsewhere = status == 206 and not answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
    if status == 416 or elsewhere:  # what is here cannot be gone on with
        part.write_bytes(b"")
        raise PassingFaultError(f"HTTP {status} without the bytes that were asked for")
    if status in PASSING_STATUSES:
        raise PassingFaultError(f"HTTP {status}", retry_after_s(answer.headers))
    if status not in (200, 206):
        raise SourceError(f"{file.url}: HTTP {status}. Run it again, or fetch it by hand")


def _checksum(path: Path, file: RemoteFile) -> str:
    """The file's checksum in the form of the one that it is to have."""
    kind = file.checksum.partition(":")[0]
    digest = _begin(kind, path.stat().st_size)
    with path.open("rb") as opened:
        while block := opened.read(_BLOCK_BYTES):
            digest.update(block)
    return f"{kind}:{digest.hexdigest()}"


def _begin(kind: str, size: int) -> HASH:
    if kind == "git-sha1":
        return hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    if kind in ("sha256", "md5"):
        return hashlib.new(kind, usedforsecurity=False)
    raise SourceError(f"checksums of the kind {kind!r} are not known here; fetch the files by hand")
