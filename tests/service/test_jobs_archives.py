"""Zips of strangers: what is in them is told by their directory, and nothing of them is ever unpacked on the way."""

from __future__ import annotations

import random
import stat
import struct
import tracemalloc
import zipfile
from pathlib import Path

import pytest
from job_makers import LIMITS, zipped

from imaging import ImageError
from indexer.images import ZipImage
from service.errors import Refusal
from service.jobs import UploadRefused, UploadTooLarge
from service.jobs.archives import images_in


def put(folder: Path, data: bytes) -> Path:
    file = folder / "a.zip"
    file.write_bytes(data)
    return file


def with_size(data: bytes, size: int) -> bytes:
    """The zip with that size, once unpacked, in the directory's first entry."""
    at = data.index(b"PK\x01\x02") + 24
    return data[:at] + struct.pack("<I", size) + data[at + 4 :]


def test_images_are_told_by_their_names_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    file = tmp_path / "a.zip"
    with zipfile.ZipFile(file, "w") as packed:
        for name in ("b/2.png", "1.DCM", "notes.txt", "more.zip", "__MACOSX/1.png", "b/.hidden.png", "b/"):
            packed.writestr(name, b"")
        packed.writestr(link, "/etc/passwd")
    assert images_in(file, LIMITS) == (
        ["1.DCM", "b/2.png"],
        [
            "archive: 1 files that are no images by their names",
            "archive: 1 zips in it, which are not opened",
            "archive: 1 links, which are not followed",
        ],
    )


@pytest.mark.parametrize("name", ["../x.png", "a/../../x.png", "/etc/x.png", "C:\\x.png", "..\\x.png", "\\\\h\\x.png"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UploadRefused, match="leads out of it"):
        images_in(put(tmp_path, zipped({name: b""})), LIMITS)


def test_bombs_are_refused_by_what_they_would_be(tmp_path: Path) -> None:
    limits = LIMITS.model_copy(update={"max_image_mib": 1, "max_total_mib": 2, "max_images": 3})
    zeros = b"\0" * (1 << 20)
    packed = zipped({"x.png": zeros + b"0"}, zipfile.ZIP_DEFLATED)
    assert len(packed) < 2000
    with pytest.raises(UploadTooLarge, match=r"'x\.png' has 1,048,577 bytes once unpacked, over the limit of 1 MiB an"):
        images_in(put(tmp_path, packed), limits)
    three = zipped({f"{n}.png": zeros for n in range(3)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(UploadTooLarge, match="more than 2 MiB once unpacked"):
        images_in(put(tmp_path, three), limits)
    with pytest.raises(UploadTooLarge, match="4 images, over the limit of 3 a job"):
        images_in(put(tmp_path, zipped({f"{n}.png": b"" for n in range(4)})), limits)


def test_no_more_is_unpacked_of_a_member_than_the_directory_said(tmp_path: Path) -> None:
    """So a directory that says less than there is hides nothing: the member is then damaged."""
    file = put(tmp_path, with_size(zipped({"x.png": b"\0" * (1 << 24)}, zipfile.ZIP_DEFLATED), 100))
    assert images_in(file, LIMITS)[0] == ["x.png"]
    tracemalloc.start()
    with pytest.raises(ImageError):
        ZipImage(str(file), "x.png").read()
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_a_directory_of_millions_is_refused_before_it_is_read(tmp_path: Path) -> None:
    entry = zipped({"x" * 100: b""})
    start, end = entry.index(b"PK\x01\x02"), entry.index(b"PK\x05\x06")
    many = entry[start:end] * 100_000
    tail = bytearray(entry[end:])
    tail[8:16] = struct.pack("<HHI", 65_535, 65_535, len(many))
    file = put(tmp_path, entry[:start] + many + bytes(tail))
    tracemalloc.start()
    with pytest.raises(
        UploadTooLarge, match=r"its directory alone has 14,\d{3},\d{3} bytes, over the limit of 2,048,000"
    ):
        images_in(file, LIMITS)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"", "cannot be read as a zip"),
        (b"\x89PNG\r\n\x1a\n", "cannot be read as a zip"),
        (zipped({}), "no image in it"),
        (zipped({"a.txt": b""}), r"no image in it \(archive: 1 files that are no images by their names\)"),
        (zipped({"a.png": b"x"})[:-8], "cannot be read as a zip"),
    ],
)
def test_what_is_no_zip_of_images_is_refused(tmp_path: Path, data: bytes, line: str) -> None:
    with pytest.raises(UploadRefused, match=line):
        images_in(put(tmp_path, data), LIMITS)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_members_python_unpacks_without_a_bound_are_refused(tmp_path: Path, method: int) -> None:
    with pytest.raises(UploadRefused, match="by a method other than deflate"):
        images_in(put(tmp_path, zipped({"a.png": b"x"}, method)), LIMITS)


def test_encrypted_members_are_refused(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.png": b"x"}))
    data[data.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UploadRefused, match=r"'a\.png' is encrypted\. Pack it without a password"):
        images_in(put(tmp_path, bytes(data)), LIMITS)


def test_damaged_zips_are_refused_or_read_and_never_anything_else(tmp_path: Path) -> None:
    """3,000 zips with bytes changed, cut out or doubled: `zipfile` raises a dozen kinds of errors over them."""
    rng = random.Random(5)
    whole = zipped({"a.png": b"x" * 40, "b/c.dcm": b"y", "\u00fc.png": b"z"}, zipfile.ZIP_DEFLATED)
    refused, damaged, read = 0, 0, 0
    for number in range(3000):
        file = tmp_path / f"{number}.zip"
        file.write_bytes(_changed(whole, rng))
        try:
            names, _ = images_in(file, LIMITS)
        except Refusal as error:
            refused += "\n" not in str(error)
            continue
        for name in names:
            try:
                read += len(ZipImage(str(file), name).read())
            except ImageError:
                damaged += 1
    assert min(refused, damaged, read) > 100


def _changed(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(changed))
        change = rng.random()
        if change < 0.8:
            changed[at] = rng.choice((0, 255, rng.randrange(256)))
        elif change < 0.9:
            del changed[at : at + rng.randint(1, 20)]
        else:
            changed[at:at] = changed[at : at + rng.randint(1, 20)]
    return bytes(changed)
