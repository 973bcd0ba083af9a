"""NIfTI volumes -> one axial slice as a radiologist sees it: front up, the patient's right on the left."""

from __future__ import annotations

import io
import math
import zlib
from typing import Any

import numpy as np
from PIL import Image

from imaging.dicom_facts import NAMED_PLANE
from imaging.errors import ImageError
from imaging.limits import check_frame, check_size, check_volume
from imaging.scale import as_rgb, scale_to_uint8
from imaging.types import Acquisition, Decoded

_HEADER_BYTES = 1024
_MAGIC = (b"n+1\0", b"n+2\0")


def is_nifti(data: bytes) -> bool:
    """Whether the bytes are a NIfTI-1 or NIfTI-2 file in one piece, gzipped or not."""
    head = _head(data)
    return head[344:348] in _MAGIC or head[4:8] in _MAGIC


def decode_nifti(data: bytes, name: str, frame: int | None) -> Decoded:
    """One axial slice of the first volume, the middle one where none is named. Raises ImageError."""
    try:
        import nibabel as untyped
    except ImportError:
        raise ImageError(f"{name}: reading NIfTI needs nibabel: pip install 'lumenscribe[dicom]'") from None
    nibabel: Any = untyped
    family: Any = nibabel.Nifti1Image if _head(data)[344:348] in _MAGIC else nibabel.Nifti2Image
    try:
        header = family.header_class.from_fileobj(
            io.BytesIO(_head(data)[: family.header_class.sizeof_hdr]), check=False
        )
        shape = tuple(int(side) for side in header.get_data_shape())
        size = math.prod(shape) * header.get_data_dtype().itemsize
        if len(shape) < 3 or min(shape) < 1:
            raise ImageError(f"{name}: not a volume: its sides are {' x '.join(map(str, shape))}")
        check_volume(name, size)
        room = size + int(header["vox_offset"]) + _HEADER_BYTES
        volume = nibabel.as_closest_canonical(family.from_bytes(_unpacked(data, room)))
        width, height, slices = volume.shape[:3]
        check_size(name, width, height)
        chosen = slices // 2 + 1 if frame is None else frame
        check_frame(name, chosen, slices, "slice")
        first = (slice(None), slice(None), chosen - 1, *([0] * (len(shape) - 3)))
        values = np.asarray(volume.dataobj[first], dtype=np.float64)
        spacing = [float(side) for side in volume.header.get_zooms()[:2]]
        plane = _plane(header, volume.affine)
    except ImageError:
        raise
    except Exception as error:  # nibabel raises almost anything on damaged bytes
        raise ImageError(f"{name}: damaged NIfTI file ({type(error).__name__})") from error
    gray = scale_to_uint8(values[::-1, ::-1].T)  # axes lead to the right, to the front, to the head
    notes = (f"axial slice {chosen} of {slices}", "values scaled to 8 bits by percentile")
    acquisition = Acquisition(plane=plane, spacing_mm=(spacing[1], spacing[0]))
    return Decoded(Image.fromarray(as_rgb(gray)), acquisition, notes)


def _plane(header: Any, affine: Any) -> str | None:
    """Axial where the slices' normal is near the patient's axis; None where the file's header says not how they lie."""
    if not (int(header["sform_code"]) or int(header["qform_code"])):
        return None
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    length = float(np.linalg.norm(normal))
    return None if length == 0 else "axial" if abs(normal[2]) >= NAMED_PLANE * length else "oblique"


def _head(data: bytes) -> bytes:
    return _unpacked(data, _HEADER_BYTES)[:_HEADER_BYTES]


def _unpacked(data: bytes, most: int) -> bytes:
    """The bytes, unzipped if they are gzipped: at most so many, however far they would unfold."""
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return zlib.decompressobj(wbits=31).decompress(data, most)
    except zlib.error:
        return b""
