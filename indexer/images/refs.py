"""Where an image lies, so that a worker thread can read it when its turn comes: a file, a zip's member, a row of a
Parquet or Arrow file.

A reference holds no pixels and may be read again. `str` of it is what the index keeps: it lets a person find the
image, and `image_ref` reads it back.
"""

from __future__ import annotations

import hashlib
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import imaging
from indexer.images import arrow
from indexer.images.parquet import read_image, row_place
from indexer.images.zips import read_member

_FRAME = "#frame="
_COLUMN = "image"
_MEMBER = re.compile(r"(?P<path>.*?\.zip)!(?P<member>.+)", re.IGNORECASE | re.DOTALL)
_ROW = re.compile(
    r"(?P<path>.*\.(?P<kind>parquet|arrow))!(?P<row>[0-9]{1,15})(?:#column=(?P<column>.+))?", re.IGNORECASE | re.DOTALL
)


class ImageRef(Protocol):
    """An image still to be read. The methods raise imaging.ImageError or OSError and may be called in any thread."""

    def load(self) -> imaging.LoadedImage: ...

    def read(self) -> bytes:
        """The bytes of its file; where it is one frame, those of all frames."""
        ...

    def sha256(self) -> str:
        """What `load().sha256` is, without decoding."""
        ...


@dataclass(frozen=True)
class FileImage:
    """A file, or one frame of it where `path` ends in `#frame=3`."""

    path: str

    def __str__(self) -> str:
        return self.path

    def load(self) -> imaging.LoadedImage:
        return imaging.load(self.path)

    @property
    def file(self) -> str:
        """The file itself."""
        return _file_and_frame(self.path)[0]

    def read(self) -> bytes:
        return Path(self.file).read_bytes()

    def sha256(self) -> str:
        file, frame = _file_and_frame(self.path)
        with Path(file).open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256")
        if frame is not None:
            digest.update(f"{_FRAME}{frame}".encode())
        return digest.hexdigest()


class _Packed(ABC):
    """What is inside another file: its bytes are read, and all else is made of them."""

    @abstractmethod
    def read(self) -> bytes: ...

    def load(self) -> imaging.LoadedImage:
        return imaging.decode(self.read(), str(self))

    def sha256(self) -> str:
        return hashlib.sha256(self.read()).hexdigest()


@dataclass(frozen=True)
class ZipImage(_Packed):
    """A member of a zip that stays packed."""

    path: str
    member: str

    def __str__(self) -> str:
        return f"{self.path}!{self.member}"

    def read(self) -> bytes:
        return read_member(self.path, self.member)


@dataclass(frozen=True)
class ParquetImage(_Packed):
    """The image of one row of a Parquet file, in the hub's form (bytes and path) or as bytes.

    `row` counts from 0 in the file; it is row `offset` of row group `row_group`, both counted from 0.
    """

    path: str
    row: int
    row_group: int
    offset: int
    column: str = _COLUMN

    def __str__(self) -> str:
        return _row_text(self.path, self.row, self.column)

    def read(self) -> bytes:
        return read_image(self.path, self.row_group, self.offset, self.column, str(self))


@dataclass(frozen=True)
class ArrowImage(_Packed):
    """The image of one row of an Arrow file, as `datasets` keeps them: bytes and path, or bytes. `row` is from 0."""

    path: str
    row: int
    column: str = _COLUMN

    def __str__(self) -> str:
        return _row_text(self.path, self.row, self.column)

    def read(self) -> bytes:
        return arrow.read_image(self.path, self.row, self.column, str(self))


def image_ref(text: str) -> ImageRef:
    """The reference that `str` gave `text`: `a.png`, `a.zip!b.png`, `a.parquet!12`, `a.arrow!12#column=picture`.

    Raises ImageError where it names a row that the Parquet file does not have.
    """
    member = _MEMBER.fullmatch(text)
    if member:
        return ZipImage(member["path"], member["member"])
    found = _ROW.fullmatch(text)
    if not found:
        return FileImage(text)
    path, row, column = found["path"], int(found["row"]), found["column"] or _COLUMN
    if found["kind"].lower() == "arrow":
        return ArrowImage(path, row, column)
    return ParquetImage(path, row, *row_place(path, row), column)


def _row_text(path: str, row: int, column: str) -> str:
    """A row as it is written; the column is named where it is not the usual one."""
    return f"{path}!{row}" if column == _COLUMN else f"{path}!{row}#column={column}"


def _file_and_frame(path: str) -> tuple[str, int | None]:
    """A path as imaging.load takes it, in its parts."""
    file, found, frame = path.rpartition(_FRAME)
    return (file, int(frame)) if found and frame.isdecimal() and len(frame) < 10 else (path, None)
