"""Fetching a public data set into a folder: listed, weighed against the disk, then file by file."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.datasets.download import bytes_missing, fetch
from indexer.datasets.registry import DataSet, HubPlace
from indexer.datasets.remote_files import Listing, OutOfReachError, list_files
from indexer.errors import SourceError
from indexer.sources.fetching import Manners

ARCHIVE = "https://zenodo.org"
HUB = "https://huggingface.co"

SPARE_BYTES = 256 << 20
"""What must stay free on the disk besides what is fetched."""

_PER_SECOND = 1.5  # the archive allows 100 requests a minute


@dataclass(frozen=True)
class Plan:
    """What is to be fetched, and into which folder."""

    data_set: DataSet
    folder: Path
    listing: Listing
    manners: Manners

    @property
    def bytes_missing(self) -> int:
        return sum(bytes_missing(file, self.folder) for file in self.listing.files)

    def summary(self) -> str:
        """What fetching would do, in one line."""
        size = sum(file.size for file in self.listing.files)
        missing = _readable(self.bytes_missing)
        return (
            f"{len(self.listing.files)} files, {_readable(size)}, {missing} of it still to fetch, "
            f"from {self.listing.version} into {self.folder}"
        )

    def fetch(self, progress: bool | None = None) -> Iterator[str]:
        """Fetches file by file and says of each, once it is whole, what came of it.

        Stopped and begun again, it goes on. `progress` shows a bar on stderr (None: where that is a terminal). Raises
        SourceError where the disk is too small, or a file cannot be had.
        """
        from tqdm import tqdm

        missing = self._fitting()
        bar = tqdm(
            total=missing,
            desc=self.data_set.name,
            unit="B",
            unit_scale=True,
            file=sys.stderr,
            disable=None if progress is None else not progress,
        )
        with bar:
            for file in self.listing.files:
                fetched = fetch(file, self.folder, self.listing.headers, self.manners, bar.update)
                how = "fetched" if fetched else "there already"
                kind = file.checksum.partition(":")[0]
                yield f"{self.folder / file.path}: {how}, {_readable(file.size)}, {kind} as it should be"

    def _fitting(self) -> int:
        """The bytes that are missing. Raises SourceError where the disk has no room for them."""
        missing = self.bytes_missing
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(self.folder).free
        except OSError as error:
            raise SourceError(
                f"{self.folder}: the folder cannot be made: {error.strerror}. Name another: --out"
            ) from error
        if missing and free < missing + SPARE_BYTES:
            raise SourceError(
                f"{self.folder}: {_readable(missing)} are to be fetched and {_readable(free)} are free there. "
                "Make room, or name another folder: --out"
            )
        return missing


def plan(data_set: DataSet, folder: Path, url: str | None = None) -> Plan:
    """Asks the hub or the archive what the set's files are; `url` is another address of it, a mirror.

    Without one the hub is at HF_ENDPOINT, where that is set. Raises SourceError; where nothing can be reached from
    here, it says which files to put where by hand.
    """
    hub = isinstance(data_set.place, HubPlace)
    official = HUB if hub else ARCHIVE
    base = (url or (os.environ.get("HF_ENDPOINT") if hub else None) or official).rstrip("/")
    manners = Manners(data_set.name, _PER_SECOND)
    try:
        if hub and _offline():
            raise OutOfReachError("HF_HUB_OFFLINE is set, so the hub is not asked")
        return Plan(data_set, folder, list_files(data_set, base, manners), manners)
    except OutOfReachError as error:
        raise SourceError(
            f"{error}. By hand: fetch {' and '.join(data_set.files)} from {data_set.place.page(official)} on a machine "
            f"that can, and put them into {folder}, under the same names"
        ) from error


def _offline() -> bool:
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def _readable(size: int) -> str:
    """Bytes in the unit that a person would take."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
