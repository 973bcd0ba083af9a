"""DICOM -> 8-bit RGB by the file's own rescale, window and photometry.

Only the elements named here are read, none of which names a person, so that none can reach a record or an error.
The rules are those of PS3.3 C.7.6.3 (pixels), C.11.1 (rescale) and C.11.2 (window).
"""

from __future__ import annotations

import io
import logging
import warnings
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging import dicom_facts
from imaging.dicom_facts import element
from imaging.errors import ImageError
from imaging.limits import check_frame, check_size, most_volume_bytes
from imaging.scale import as_rgb, scale_to_uint8, spread
from imaging.types import Decoded, Pixels
from imaging.unfolding import check_unfolds

_ELEMENTS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelPaddingValue",
    "PixelPaddingRangeLimit", "RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence", "WindowCenter",
    "WindowWidth", "VOILUTFunction", "VOILUTSequence", "RedPaletteColorLookupTableDescriptor",
    "GreenPaletteColorLookupTableDescriptor", "BluePaletteColorLookupTableDescriptor",
    "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData", "BluePaletteColorLookupTableData",
    "SegmentedRedPaletteColorLookupTableData", "SegmentedGreenPaletteColorLookupTableData",
    "SegmentedBluePaletteColorLookupTableData", *dicom_facts.ELEMENTS,
)  # fmt: skip


def is_dicom(data: bytes, name: str) -> bool:
    """Whether the bytes are a DICOM file: by its mark, or where it has none by its name and first group."""
    named = name.lower().endswith((".dcm", ".dicom"))
    return data[128:132] == b"DICM" or (named and data[:2] in (b"\x08\x00", b"\x02\x00", b"\x00\x08"))


def decode_dicom(data: bytes, name: str, frame: int | None) -> Decoded:
    """One frame of a DICOM file, the first where none is named. Raises ImageError."""
    warnings.filterwarnings("ignore", module=r"pydicom\.")  # of malformed values, which it would print
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    import pydicom
    from pydicom import config

    config.settings.reading_validation_mode = config.IGNORE
    try:
        _check_deflated(data, name)
        dataset = pydicom.dcmread(io.BytesIO(data), specific_tags=list(_ELEMENTS), force=True)
        return _decode(dataset, name, 1 if frame is None else frame)
    except ImageError:
        raise
    except Exception as error:  # noqa: BLE001  pydicom raises almost anything; its words may quote the file
        raise ImageError(f"{name}: damaged DICOM file ({type(error).__name__})") from None


def _check_deflated(data: bytes, name: str) -> None:
    """Raises ImageError for a file that is packed as a whole and would unfold to more than a volume may have."""
    from pydicom.filereader import _read_file_meta_info, read_preamble
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    opened = io.BytesIO(data)
    read_preamble(opened, force=True)
    meta = _read_file_meta_info(opened)
    if meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian:
        check_unfolds(name, data[opened.tell() :], zlib.decompressobj(-zlib.MAX_WBITS), most_volume_bytes())


def _decode(dataset: Any, name: str, frame: int) -> Decoded:
    if not any(key in dataset for key in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise ImageError(f"{name}: a DICOM file without an image{_kind(dataset)}")
    check_size(name, int(dataset.Columns), int(dataset.Rows))
    frames = int(dataset.get("NumberOfFrames") or 1)
    check_frame(name, frame, frames)
    values = _stored(dataset, name, frame - 1)
    notes = [f"frame {frame} of {frames}"] if frames > 1 else []
    if int(dataset.get("SamplesPerPixel", 1)) > 1:
        pixels = _colour(values, int(dataset.BitsStored))
    elif dataset.PhotometricInterpretation == "PALETTE COLOR":
        pixels = _palette(values, dataset)
    else:
        gray, how = _gray(values, dataset, frame - 1)
        notes += [how] if how else []
        pixels = as_rgb(255 - gray if dataset.PhotometricInterpretation == "MONOCHROME1" else gray)
    return Decoded(Image.fromarray(pixels), dicom_facts.acquisition_of(dataset, frame - 1), tuple(notes))


def _kind(dataset: Any) -> str:
    """What the file is instead, by its SOP class."""
    uid = dataset.get("SOPClassUID")
    return f" ({uid.name})" if uid is not None and uid.name != str(uid) else ""


def _stored(dataset: Any, name: str, index: int) -> NDArray[Any]:
    """Stored values of one frame, `(h, w)` or RGB `(h, w, 3)`."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import UID

    syntax = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if syntax is None:  # a file without its header: pydicom's guess of how the rest was written
        implicit, little = dataset.original_encoding
        syntax = "1.2.840.10008.1.2" if implicit else f"1.2.840.10008.1.2.{1 if little else 2}"
        dataset.file_meta.TransferSyntaxUID = syntax
    elif syntax.is_compressed and not get_decoder(syntax).is_available:
        raise ImageError(
            f"{name}: {syntax.name} needs a decoder that is not installed: pip install 'lumenscribe[dicom]'"
        )
    try:
        return np.asarray(pixel_array(dataset, index=index))
    except RuntimeError:
        kind = UID(syntax).name
        message = f"{name}: the pixels ({kind}) are damaged or of a kind that no installed decoder reads"
        raise ImageError(message) from None


def _colour(values: NDArray[Any], bits: int) -> Pixels:
    return (values >> (bits - 8) if bits > 8 else values).astype(np.uint8)


def _palette(values: NDArray[Any], dataset: Any) -> Pixels:
    from pydicom.pixels.processing import apply_color_lut

    coloured = apply_color_lut(values, dataset)
    return _colour(coloured, 8 * coloured.dtype.itemsize)


def _gray(values: NDArray[Any], dataset: Any, index: int) -> tuple[NDArray[np.uint8], str]:
    """`(h, w)` through modality and window, and a note where the file names no window."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi

    padding = _padding(values, dataset)
    measured = element(dataset, index, "PixelValueTransformationSequence", "RescaleSlope")
    if measured is None:
        modality = apply_modality_lut(values, dataset).astype(np.float64)
    else:
        modality = values.astype(np.float64) * float(measured.RescaleSlope) + float(measured.RescaleIntercept)
    window = element(dataset, index, "FrameVOILUTSequence", "WindowCenter")
    window = dataset if window is None and _first(dataset, "WindowWidth") is not None else window
    if window is not None:
        return _windowed(modality, window), ""
    if "VOILUTSequence" in dataset:
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return spread(apply_voi(modality.astype(values.dtype), dataset), 0, 2**bits - 1), ""
    note = "no window in the file: values scaled to 8 bits by percentile"
    shown = np.where(padding, np.nan, modality)
    return scale_to_uint8(shown), note


def _windowed(values: NDArray[np.float64], window: Any) -> NDArray[np.uint8]:
    """PS3.3 C.11.2.1.2: linear, exactly linear or sigmoid, by the first of several windows."""
    center, width = _first(window, "WindowCenter"), _first(window, "WindowWidth")
    if center is None or width is None or width <= 0:
        raise ImageError("malformed window")
    function = str(window.get("VOILUTFunction") or "LINEAR")
    if function == "SIGMOID":
        return spread(1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -60, 60))), 0, 1)
    if function == "LINEAR_EXACT":
        return spread(values, center - width / 2, center + width / 2)
    half = (width - 1) / 2
    return spread(values, center - 0.5 - half, center - 0.5 + half)


def _padding(values: NDArray[Any], dataset: Any) -> NDArray[np.bool_]:
    """Where a pixel is padding and shows nothing."""
    low = dataset.get("PixelPaddingValue")
    if low is None:
        return np.zeros(values.shape, np.bool_)
    low, high = sorted((int(low), int(dataset.get("PixelPaddingRangeLimit", low))))
    return np.asarray((values >= low) & (values <= high))


def _first(item: Any, keyword: str) -> float | None:
    """A number, or the first of several; None where it is missing or empty."""
    value = item.get(keyword)
    if value is None or value == "":
        return None
    if isinstance(value, (str, int, float)):
        return float(value)
    return float(value[0]) if len(value) else None
