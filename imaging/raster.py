"""PNG, JPEG, WebP, GIF, BMP and TIFF -> 8-bit RGB. Pillow decodes, and tifffile what TIFFs Pillow does not."""

from __future__ import annotations

import io
import lzma
import struct
import warnings
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from imaging import ome
from imaging.errors import ImageError
from imaging.limits import check_frame, check_size
from imaging.scale import as_rgb, scale_to_uint8
from imaging.types import Acquisition, Decoded, Pixels
from imaging.unfolding import Unpacker, check_unfolds

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BROKEN = (EOFError, KeyError, OSError, SyntaxError, TypeError, ValueError, struct.error)
"""What Pillow raises on a damaged list of frames."""
_STARTS = {"PNG": b"\x89PNG\r\n\x1a\n", "JPEG": b"\xff\xd8\xff", "GIF": b"GIF8"}
"""How files begin that Pillow takes for none where their header is cut off or says 0 pixels."""
_UNPACKERS: dict[int, Callable[[], Unpacker]] = {
    **dict.fromkeys((8, 32946, 50013), zlib.decompressobj),
    34925: lzma.LZMADecompressor,
}
"""Of TIFF's compressions those that tifffile unfolds without a bound."""
_SPARE = 1 << 20
"""Bytes that a strip may have over its page: the last tiles of a row stand out of it."""
_INCH, _CENTIMETRE = 2, 3
"""TIFF's ResolutionUnit."""


def decode_raster(data: bytes, name: str, frame: int | None) -> Decoded:
    """One frame, the first where none is named. Raises ImageError."""
    Image.MAX_IMAGE_PIXELS = None  # Pillow only warns between its limits; ours is checked below, on the header
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged headers, which fail or do not matter
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if not _deep_colour(opened):
                return _pillow(opened, name, 1 if frame is None else frame)
    except UnidentifiedImageError:
        if data[:4] not in _TIFF:
            raise ImageError(f"{name}: {_no_image(data)}") from None
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise almost anything on damaged bytes
        raise ImageError(f"{name}: damaged image: {' '.join(str(error).split()) or type(error).__name__}") from error
    return _tifffile(data, name, 1 if frame is None else frame)


def _no_image(data: bytes) -> str:
    """Why Pillow reads nothing in a file."""
    kind = next((kind for kind, start in _STARTS.items() if data.startswith(start)), None)
    if kind is None:
        return f"not an image in a format read here ({', '.join(FORMATS)}, DICOM, NIfTI)"
    return f"damaged image: begins as a {kind}, but its header is cut off or says that it has no pixels"


def _deep_colour(opened: Image.Image) -> bool:
    """Whether it is a colour TIFF of more than 8 bits, of which Pillow would keep the upper ones alone."""
    bits = getattr(opened, "tag_v2", {}).get(258, ())
    return opened.mode in ("RGB", "RGBA") and max(bits, default=8) > 8


def _pillow(opened: Image.Image, name: str, frame: int) -> Decoded:
    """Upright pixels, and notes on what had to change."""
    check_size(name, opened.width, opened.height)
    frames, whole = _count(opened)
    check_frame(name, frame, frames)
    acquisition = _of_pillow(opened, frame, frames)
    notes = _which(frame, frames, acquisition) + ([] if whole else [f"the list of frames breaks off behind {frames}"])
    if frame > 1:
        opened.seek(frame - 1)
        check_size(name, opened.width, opened.height)
    image: Image.Image = opened
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        notes.append(f"{'float' if image.mode == 'F' else '16- or 32-bit'} values scaled to 8 bits by percentile")
        gray = scale_to_uint8(np.asarray(image, dtype=np.float32))
        return Decoded(Image.fromarray(as_rgb(gray)), acquisition, tuple(notes))
    if image.has_transparency_data:
        notes.append("transparency laid over white")
        layered = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
    picture = image.convert("RGB")
    picture.info.clear()  # a file's comments would go on into the thumbnail
    return Decoded(picture, acquisition, tuple(notes))


def _count(opened: Image.Image) -> tuple[int, bool]:
    """How many frames there are, and whether that is all: of a list that breaks off, those before count. Leaves the
    first one open."""
    try:
        return getattr(opened, "n_frames", 1), True
    except _BROKEN:
        frames = 1
        with suppress(*_BROKEN):
            opened.seek(0)  # it stands at the frame that could not be read, and would not be read again there
            while True:
                opened.seek(frames)
                frames += 1
        opened.seek(0)
        return frames, False


def _tifffile(data: bytes, name: str, frame: int) -> Decoded:
    """A page of a TIFF: what Pillow cannot read are colours of 16 bits, odd layouts, BigTIFF's rarer kinds."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            check_frame(name, frame, len(file.pages))
            page: Any = file.pages[frame - 1]
            check_size(name, page.imagewidth, page.imagelength * page.samplesperpixel * page.imagedepth)
            _check_segments(page, data, name)
            acquisition = _of_tifffile(file, frame)
            pixels, scaled = _page(page.asarray(), page.planarconfig == tifffile.PLANARCONFIG.SEPARATE)
            inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
            notes = [*_which(frame, len(file.pages), acquisition), *scaled]
    except ImageError:
        raise
    except Exception as error:  # tifffile raises almost anything on damaged bytes
        raise ImageError(f"{name}: damaged image: {' '.join(str(error).split()) or type(error).__name__}") from error
    upright = Image.fromarray(255 - pixels if inverted else pixels)
    return Decoded(upright, acquisition, tuple(notes))


def _check_segments(page: Any, data: bytes, name: str) -> None:
    """Raises ImageError where a strip or tile unfolds to more than the whole page has: tifffile unfolds all of it."""
    opener = _UNPACKERS.get(int(page.compression))
    if opener is None:
        return
    for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False):
        check_unfolds(name, data[offset : offset + count], opener(), int(page.nbytes) + _SPARE)


def _page(values: NDArray[Any], planes: bool) -> tuple[Pixels, list[str]]:
    """RGB of a page `(h, w)`, `(h, w, s)` or in planes `(s, h, w)`, and a note where it was scaled."""
    if values.ndim == 3 and planes:
        values = np.moveaxis(values, 0, -1)
    if values.ndim == 3:
        values = values[:, :, :3] if values.shape[2] >= 3 else values[:, :, 0]
    if values.ndim not in (2, 3):
        raise ImageError(f"a page of {values.ndim} dimensions")
    notes = []
    if values.dtype != np.uint8:
        values = scale_to_uint8(values)
        notes.append("values of more than 8 bits scaled to 8 bits by percentile")
    return np.ascontiguousarray(values if values.ndim == 3 else as_rgb(values)), notes


def _of_pillow(opened: Image.Image, frame: int, frames: int) -> Acquisition:
    tags = getattr(opened, "tag_v2", {})
    per_unit = (float(tags[283]), float(tags[282])) if 282 in tags and 283 in tags else None
    if opened.format == "PNG" and "dpi" in opened.info:
        across, down = opened.info["dpi"]
        return _acquisition("", (float(down), float(across)), _INCH, frame, frames)
    return _acquisition(_utf8(str(tags.get(270, ""))), per_unit, int(tags.get(296, _INCH)), frame, frames)


def _of_tifffile(file: Any, frame: int) -> Acquisition:
    first = file.pages[0]
    across, down = (first.tags.get(name) for name in ("XResolution", "YResolution"))
    per_unit = None
    if across is not None and down is not None and across.value[1] and down.value[1]:
        per_unit = (down.value[0] / down.value[1], across.value[0] / across.value[1])
    unit = first.tags.get("ResolutionUnit")
    description = file.ome_metadata or str(first.description)
    return _acquisition(description, per_unit, _INCH if unit is None else int(unit.value), frame, len(file.pages))


def _acquisition(
    description: str, per_unit: tuple[float, float] | None, unit: int, frame: int, frames: int
) -> Acquisition:
    """The facts by a TIFF's description and its pixels per unit, rows and columns."""
    optics = ome.read_ome(description)
    spacing = optics.spacing_mm or ome.imagej_spacing(description, per_unit)
    mm = {_INCH: 25.4, _CENTIMETRE: 10.0}.get(unit)
    if spacing is None and per_unit is not None and mm is not None and min(per_unit) > 0:
        spacing = ome.plain_spacing((mm / per_unit[0], mm / per_unit[1]))
    return Acquisition(
        modality=optics.modality,
        spacing_mm=spacing,
        objective=optics.objective,
        stains=optics.stains,
        channels=optics.channels,
        channel=optics.channels[frame - 1] if len(optics.channels) == frames else None,
    )


def _utf8(text: str) -> str:
    """A TIFF's text, which Pillow reads as Latin-1 and OME-XML writes as UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _which(frame: int, frames: int, acquisition: Acquisition) -> list[str]:
    if frames == 1:
        return []
    named = f" ({acquisition.channel})" if acquisition.channel else ""
    return [f"frame {frame} of {frames}{named}"]
