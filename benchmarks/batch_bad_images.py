"""Images that no one can describe, of thirteen kinds, and odd ones that must be described all the same.

Each kind has a maker, which leaves its file in a folder and gives what a record says of it, and the words that its
reason must have.
"""

from __future__ import annotations

import io
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pyarrow
from PIL import Image
from pyarrow import parquet

Make = Callable[[Path, bytes], str]
"""Given the folder and the bytes of a good JPEG, makes a bad image and gives its name in a record."""


def _written(name: str, contents: Callable[[bytes], bytes]) -> Make:
    def make(folder: Path, good: bytes) -> str:
        (folder / name).write_bytes(contents(good))
        return name

    return make


def _png(good: bytes) -> bytes:
    packed = io.BytesIO()
    Image.open(io.BytesIO(good)).save(packed, "PNG")
    return packed.getvalue()


def _headed(width: int, height: int) -> bytes:
    """A grey PNG that says it is so large, and holds one row."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" * (width + 1))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def _dicom(_: bytes) -> bytes:
    """The preamble and the magic word, then noise."""
    return bytes(128) + b"DICM" + random.Random(0).randbytes(500)


def _missing(_: Path, __: bytes) -> str:
    return "not_there.jpg"


def _folder(folder: Path, _: bytes) -> str:
    (folder / "folder.png").mkdir()
    return "folder.png"


def _dangling(folder: Path, _: bytes) -> str:
    (folder / "dangling.jpg").symlink_to(folder / "gone.jpg")
    return "dangling.jpg"


def _broken_member(folder: Path, good: bytes) -> str:
    """A zip with a byte of its member turned over."""
    file = folder / "broken.zip"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("member.jpg", good)
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    file.write_bytes(whole)
    return "broken.zip!member.jpg"


def _empty_cell(folder: Path, good: bytes) -> str:
    """A Parquet file whose second image has no bytes."""
    images = [{"bytes": good, "path": None}, {"bytes": b"", "path": None}]
    parquet.write_table(pyarrow.table({"image": images}), folder / "cells.parquet")
    return "cells.parquet!1"


def _no_member(folder: Path, good: bytes) -> str:
    with zipfile.ZipFile(folder / "other.zip", "w") as packed:
        packed.writestr("other.jpg", good)
    return "other.zip!not_in_it.jpg"


BAD: dict[str, tuple[Make, str]] = {
    "empty file": (_written("empty.png", lambda _: b""), r"empty"),
    "text named .png": (_written("text.png", lambda _: b"This is no image.\n" * 20), r"not an image|no image"),
    "JPEG cut off": (_written("cut.jpg", lambda good: good[: len(good) // 2]), r"truncated|cut off"),
    "PNG cut off": (_written("cut.png", lambda good: _png(good)[:-2000]), r"truncated|cut off"),
    "decompression bomb": (_written("bomb.png", lambda _: _headed(60_000, 60_000)), r"60,?000|pixels|too large"),
    "no pixels by its header": (_written("zero.png", lambda _: _headed(0, 64)), r"0 x 64|no pixels|header|damaged"),
    "missing file": (_missing, r"no such file"),
    "folder named .png": (_folder, r"directory|folder"),
    "DICOM of noise": (_written("noise.dcm", _dicom), r"DICOM"),
    "zip member with a wrong byte": (_broken_member, r"CRC|damaged|zip"),
    "Parquet cell without a byte": (_empty_cell, r"empty|no bytes|no image"),
    "zip without the member": (_no_member, r"no such|not in"),
    "dangling link": (_dangling, r"no such file|link"),
}


def _saved(name: str, change: Callable[[Image.Image], Image.Image], **options: object) -> Make:
    def make(folder: Path, good: bytes) -> str:
        with Image.open(io.BytesIO(good)) as opened:
            change(opened).save(folder / name, **options)  # type: ignore[arg-type]
        return name

    return make


def _sixteen_bits(image: Image.Image) -> Image.Image:
    return Image.frombytes("I;16", image.size, b"".join(v.to_bytes(2, "little") for v in (
        value * 257 for value in image.convert("L").tobytes())))  # fmt: skip


ODD: dict[str, Make] = {
    "animated GIF": lambda folder, good: _animated(folder, good),
    "CMYK JPEG": _saved("cmyk.jpg", lambda image: image.convert("CMYK")),
    "palette PNG with transparency": _saved("palette.png", lambda image: image.convert("P"), transparency=0),
    "16-bit PNG": _saved("deep.png", _sixteen_bits),
    "name with spaces and other letters": _saved("Bild ä 图 #1.jpg", lambda image: image),
}


def _animated(folder: Path, good: bytes) -> str:
    with Image.open(io.BytesIO(good)) as opened:
        frame = opened.convert("P")
    frame.save(folder / "moving.gif", save_all=True, append_images=[frame.rotate(90), frame.rotate(180)])
    return "moving.gif"


def right(kind: str, image: str, reason: str) -> bool:
    """Whether the reason says what is wrong, in one line; the image's name, with which it begins, says nothing."""
    reason = reason.removeprefix(image)
    return "\n" not in reason and re.search(BAD[kind][1], reason, re.IGNORECASE) is not None
