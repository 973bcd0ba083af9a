"""What tells that an image may have changed, without reading it."""

from __future__ import annotations

import os
import zipfile

from indexer.images import ArrowImage, FileImage, ImageRef, ParquetImage, ZipImage
from indexer.images.zips import list_members

ABSENT = "absent"
"""The stamp of an image that is not there. What reads it says why."""


class Stamps:
    """Stamps of images; looks once at each zip, Parquet and Arrow file in the object's life."""

    def __init__(self) -> None:
        self._zips: dict[str, dict[str, zipfile.ZipInfo]] = {}
        self._files: dict[str, str] = {}

    def of(self, image: ImageRef) -> str:
        """A file's size and time in ns; of a zip's member its CRC-32 and size, so that a copied zip is the same; of a
        row its file's size and time, and the row's number."""
        match image:
            case FileImage():
                return _of_file(image.file)
            case ZipImage(path=path, member=member):
                info = self._members(path).get(member)
                return ABSENT if info is None else f"{info.CRC:08x}:{info.file_size}"
            case ParquetImage(path=path, row=row) | ArrowImage(path=path, row=row):
                if path not in self._files:
                    self._files[path] = _of_file(path)
                return ABSENT if self._files[path] == ABSENT else f"{self._files[path]}:{row}"
        raise TypeError(f"{type(image).__name__} has no stamp")

    def _members(self, path: str) -> dict[str, zipfile.ZipInfo]:
        if path not in self._zips:
            try:
                self._zips[path] = {info.filename: info for info in list_members(path)}
            except (OSError, zipfile.BadZipFile):
                self._zips[path] = {}
        return self._zips[path]


def _of_file(path: str) -> str:
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # a name that no file can have, with a NUL in it
        return ABSENT
    return f"{found.st_size}:{found.st_mtime_ns}"
