"""Small files that unfold to large ones: refused before they do, and honest ones are not."""

from __future__ import annotations

import io
import lzma
import struct
import zlib

import numpy as np
import pytest

from imaging import ImageError, decode
from imaging.limits import lowered
from imaging.unfolding import check_unfolds

BOMB_MIB = 40


def packed(mib: int, wbits: int = 15) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(mib)) + packer.flush()


def deflated_dicom(side: int, spare_mib: int) -> bytes:
    """A DICOM file packed as a whole, with so many MiB behind the picture."""
    pydicom = pytest.importorskip("pydicom")
    dataset = pydicom.Dataset()
    dataset.Rows = dataset.Columns = side
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelData = bytes(range(side)) * side + bytes(spare_mib << 20)
    dataset.SOPClassUID, dataset.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def deep_tiff(compression: str, pixels: np.ndarray, strip: bytes | None = None) -> bytes:
    """A TIFF of 16-bit colours, which tifffile reads; its one strip is `strip` where that is given."""
    tifffile = pytest.importorskip("tifffile")
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, compression=compression, photometric="rgb")
    data = bytearray(file.getvalue())
    if strip is not None:
        with tifffile.TiffFile(io.BytesIO(bytes(data))) as opened:
            places = [opened.pages[0].tags[name].valueoffset for name in ("StripOffsets", "StripByteCounts")]
            order = opened.byteorder
        for place, value in zip(places, (len(data), len(strip)), strict=True):
            struct.pack_into(f"{order}I", data, place, value)
        data += strip
    return bytes(data)


def test_a_dicom_file_that_unfolds_too_far_is_refused() -> None:
    data = deflated_dicom(8, BOMB_MIB)
    assert len(data) < 1 << 20
    with lowered(10**6, 8 << 20), pytest.raises(ImageError, match=r"a\.dcm: unfolds to more than 8,388,608 bytes"):
        decode(data, "a.dcm")


def test_a_packed_dicom_file_within_the_limit_is_read() -> None:
    with lowered(10**6, 8 << 20):
        assert decode(deflated_dicom(64, 0), "a.dcm").picture.size == (64, 64)


def test_a_strip_that_unfolds_to_more_than_its_page_is_refused() -> None:
    small = np.zeros((10, 10, 3), np.uint16)
    data = deep_tiff("zlib", small, packed(BOMB_MIB))
    assert len(data) < 1 << 20
    with pytest.raises(ImageError, match=r"a\.tif: unfolds to more than 1,049,176 bytes"):
        decode(data, "a.tif")


@pytest.mark.parametrize("side", [16, 300])
def test_an_honest_strip_is_read(side: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 2**16, (side, side, 3), dtype=np.uint16)
    assert decode(deep_tiff("zlib", pixels), "a.tif").picture.size == (side, side)


@pytest.mark.parametrize("kind", ["zlib", "lzma"])
def test_bytes_are_counted_and_damaged_ones_left_to_their_reader(kind: str) -> None:
    data = packed(3) if kind == "zlib" else lzma.compress(bytes(3 << 20))

    def unpacker() -> zlib._Decompress | lzma.LZMADecompressor:
        return zlib.decompressobj() if kind == "zlib" else lzma.LZMADecompressor()

    check_unfolds("a", data, unpacker(), 3 << 20)
    with pytest.raises(ImageError):
        check_unfolds("a", data, unpacker(), (3 << 20) - 1)
    check_unfolds("a", data[: len(data) // 2], unpacker(), 3 << 20)
    check_unfolds("a", b"no such thing", unpacker(), 10)
    check_unfolds("a", b"", unpacker(), 10)
