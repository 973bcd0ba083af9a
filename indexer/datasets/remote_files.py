"""Which files a data set has on the hub or in the archive, with the size and checksum that each is to have.

The hub: https://huggingface.co/docs/hub/api (`/api/datasets/REPOSITORY/revision/REVISION?blobs=true`). The archive:
https://developers.zenodo.org (`/api/records/RECORD`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import requests

from indexer.datasets.registry import ArchivePlace, DataSet, HubPlace
from indexer.errors import SourceError
from indexer.sources.fetching import PASSING_STATUSES, Manners, PassingFaultError, retry_after_s

TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of an answer."""


class OutOfReachError(SourceError):
    """The hub or the archive cannot be reached from this machine."""


@dataclass(frozen=True)
class RemoteFile:
    """A file to fetch. `path` is where it goes in the set's folder, `/` between; `checksum` is `sha256:`, `md5:` or
    `git-sha1:` (of a file as git stores it) and hex digits.
    """

    path: str
    url: str
    size: int
    checksum: str


@dataclass(frozen=True)
class Listing:
    """The files of a set, the version they are of, and the headers to ask for them with (which may hold a token)."""

    version: str
    files: tuple[RemoteFile, ...]
    headers: Mapping[str, str]


def list_files(data_set: DataSet, base: str, manners: Manners) -> Listing:
    """The files of a set as the hub or archive at `base` has them now.

    Raises OutOfReachError where it cannot be reached, SourceError where it refuses or its answer is of another form.
    """
    place = data_set.place
    headers = _hub_headers() if isinstance(place, HubPlace) else {}
    try:
        if isinstance(place, HubPlace):
            url = f"{base}/api/datasets/{place.repository}/revision/{quote(place.revision, safe='')}"
            version, found = _of_hub(_get_json(url, {"blobs": "true"}, headers, manners), place, base)
        else:
            url = f"{base}/api/records/{place.record}"
            version, found = _of_archive(_get_json(url, {}, headers, manners), place)
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{url}: the answer is not of the documented form ({type(error).__name__}: {error})"
        ) from error
    wanted = tuple(file for file in found if any(fnmatch(file.path, pattern) for pattern in data_set.files))
    if not wanted:
        raise SourceError(f"{place.page(base)}: no file is named {' or '.join(data_set.files)}")
    return Listing(version, wanted, headers)


def _of_hub(answer: Any, place: HubPlace, base: str) -> tuple[str, Iterable[RemoteFile]]:
    """All files at one commit, whatever `main` becomes meanwhile."""
    commit = str(answer["sha"])
    resolve = f"{base}/datasets/{place.repository}/resolve/{commit}"
    files = []
    for sibling in answer["siblings"]:
        path, lfs = str(sibling["rfilename"]), sibling.get("lfs")
        checksum = f"sha256:{lfs['sha256']}" if lfs else f"git-sha1:{sibling['blobId']}"
        files.append(RemoteFile(_safe(path), f"{resolve}/{quote(path)}", int(sibling["size"]), checksum))
    return f"{place.repository} at commit {commit}", files


def _of_archive(answer: Any, place: ArchivePlace) -> tuple[str, Iterable[RemoteFile]]:
    files = []
    for file in answer["files"]:
        links = file["links"]
        url = str(links.get("content") or links["self"])
        files.append(RemoteFile(_safe(str(file["key"])), url, int(file["size"]), str(file["checksum"])))
    return f"record {place.record}", files


def _safe(path: str) -> str:
    """The path, which must stay in the folder it is put in."""
    parts = PurePosixPath(path).parts
    if not parts or path.startswith("/") or ".." in parts or "\\" in path:
        raise ValueError(f"the file name {path!r} leads out of the folder")
    return path


def _hub_headers() -> dict[str, str]:
    """With the hub's token, where this machine has one (HF_TOKEN, or a login)."""
    from huggingface_hub import get_token

    token = get_token()
    return {"Authorization": f"Bearer {token}"} if token else {}


def _get_json(url: str, params: Mapping[str, str], headers: Mapping[str, str], manners: Manners) -> Any:
    def ask() -> Any:
        try:
            answer = requests.get(url, params=dict(params), headers=dict(headers), timeout=TIMEOUT_S)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise OutOfReachError(f"{url} cannot be reached ({type(error).__name__})") from error
        except requests.exceptions.ChunkedEncodingError as error:
            raise PassingFaultError("the connection was cut") from error
        except requests.RequestException as error:
            raise SourceError(f"{url}: cannot be asked ({type(error).__name__})") from error
        if answer.status_code in PASSING_STATUSES:
            raise PassingFaultError(f"HTTP {answer.status_code}", retry_after_s(answer.headers))
        if answer.status_code != 200:
            raise SourceError(f"{url}: HTTP {answer.status_code}{_meaning(answer.status_code)}")
        return answer.json()

    return manners.ask(url, ask)


def _meaning(status: int) -> str:
    meanings = {401: ": not there, or a token is needed (HF_TOKEN)", 403: ": refused", 404: ": not there"}
    return meanings.get(status, "")
