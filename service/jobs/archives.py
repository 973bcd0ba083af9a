"""What is in a zip that somebody uploaded, told by its directory alone: nothing is unpacked, here or later.

The batch runner reads members from the zip that stays packed, each at most as large as the directory says; so limits
on the directory are limits on all that will ever be unpacked. Python holds to that where a member is stored or
deflated, and not for other methods, which are refused. Members that are no images by their names, a zip among
them, are not opened; links are no images, and no path of a member ever names a file of this machine.
"""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from imaging.names import is_image_name
from service.jobs.errors import UploadRefused, UploadTooLarge
from service.jobs.types import JobSettings

_DIRECTORY_BYTES_AN_IMAGE, _DIRECTORY_BYTES = 1 << 10, 1 << 20
"""Of a zip's directory: for each image that a job may have, and at least."""

_ENCRYPTED = 0x1
_DAMAGED = (
    OSError, zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, EOFError, LookupError, OverflowError,
    RuntimeError, TypeError,
)  # fmt: skip
"""What `zipfile` raises for directories that are none: it checks little of what it unpacks from them."""


class _Directory(io.BufferedReader):
    """A file of which no read returns more than `most` bytes: the directory is read in one go, and parsed to 20 times
    its size in memory, before anybody can count what is in it."""

    def __init__(self, raw: io.FileIO, most: int) -> None:
        super().__init__(raw)
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > self._most:
            raise UploadTooLarge(f"archive: its directory alone has {size:,} bytes, over the limit of {self._most:,}")
        return super().read(size)


def images_in(file: Path, limits: JobSettings) -> tuple[list[str], list[str]]:
    """The members of a zip that are images by their names, sorted; and lines for people about what is left out.

    Raises UploadRefused for what is no zip, is encrypted, or has paths that lead out of it, and UploadTooLarge.
    """
    most = max(_DIRECTORY_BYTES, limits.max_images * _DIRECTORY_BYTES_AN_IMAGE)
    try:
        with _Directory(io.FileIO(file), most) as opened, zipfile.ZipFile(opened) as packed:
            members = [member for member in packed.infolist() if member.filename]
    except _DAMAGED as error:
        raise UploadRefused(f"archive: cannot be read as a zip: {error or type(error).__name__}") from error
    images, left_out = [], Counter[str]()
    for member in members:
        why = _left_out(member)
        if why is None:
            images.append(_checked(member))
        elif why:
            left_out[why] += 1
    _check_sizes(images, limits)
    names = sorted({image.filename for image in images})
    notes = [f"archive: {count:,} {why}" for why, count in left_out.items()]
    if len(names) < len(images):
        notes.append(f"archive: {len(images) - len(names):,} names twice in it, of which the last counts")
    if not names:
        told = f" ({'; '.join(notes)})" if notes else ""
        raise UploadRefused(f"archive: no image in it{told}")
    return names, notes


def _left_out(member: zipfile.ZipInfo) -> str | None:
    """Why a member is no image: empty for what nobody wants to hear of, None where it is one."""
    parts = _path(member).parts
    if member.is_dir() or any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in parts):
        return ""
    if stat.S_ISLNK(member.external_attr >> 16):
        return "links, which are not followed"
    if member.filename.lower().endswith(".zip"):
        return "zips in it, which are not opened"
    return None if is_image_name(member.filename) else "files that are no images by their names"


def _path(member: zipfile.ZipInfo) -> PurePosixPath:
    return PurePosixPath(member.filename.replace("\\", "/"))


def _checked(member: zipfile.ZipInfo) -> zipfile.ZipInfo:
    name = member.filename
    path = _path(member)
    if path.is_absolute() or ".." in path.parts or path.parts[0].endswith(":"):
        raise UploadRefused(f"archive: the path {name[:100]!r} leads out of it. Pack the images' own folder")
    if member.flag_bits & _ENCRYPTED:
        raise UploadRefused(f"archive: {name[:100]!r} is encrypted. Pack it without a password")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UploadRefused(f"archive: {name[:100]!r} is packed by a method other than deflate. Pack it by that")
    return member


def _check_sizes(images: Sequence[zipfile.ZipInfo], limits: JobSettings) -> None:
    if len(images) > limits.max_images:
        raise UploadTooLarge(
            f"archive: {len(images):,} images, over the limit of {limits.max_images:,} a job. Make several jobs"
        )
    largest = max(images, key=lambda image: image.file_size, default=None)
    if largest is not None and largest.file_size > limits.max_image_mib << 20:
        raise UploadTooLarge(
            f"archive: {largest.filename[:100]!r} has {largest.file_size:,} bytes once unpacked, over the limit of "
            f"{limits.max_image_mib} MiB an image"
        )
    if sum(image.file_size for image in images) > limits.max_total_mib << 20:
        raise UploadTooLarge(
            f"archive: more than {limits.max_total_mib:,} MiB once unpacked, the limit of a job. Make several jobs"
        )
