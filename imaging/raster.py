"""PNG, JPEG, WebP, GIF, BMP and TIFF -> 8-bit RGB. Pillow decodes, and tifffile what TIFFs Pillow does not."""

from __future__ import annotations

import io
import re
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from imaging.errors import ImageError
from imaging.limits import check_frame, check_size
from imaging.scale import as_rgb, scale_to_uint8
from imaging.types import Acquisition, Decoded, Pixels

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_CHANNEL = re.compile(r"<Channel\b[^>]*\bName=\"([^\"]*)\"")


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
            message = f"{name}: not an image in a format read here ({', '.join(FORMATS)}, DICOM, NIfTI)"
            raise ImageError(message) from None
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise almost anything on damaged bytes
        raise ImageError(f"{name}: damaged image: {' '.join(str(error).split()) or type(error).__name__}") from error
    return _tifffile(data, name, 1 if frame is None else frame)


def _deep_colour(opened: Image.Image) -> bool:
    """Whether it is a colour TIFF of more than 8 bits, of which Pillow would keep the upper ones alone."""
    bits = getattr(opened, "tag_v2", {}).get(258, ())
    return opened.mode in ("RGB", "RGBA") and max(bits, default=8) > 8


def _pillow(opened: Image.Image, name: str, frame: int) -> Decoded:
    """Upright pixels, and notes on what had to change."""
    check_size(name, opened.width, opened.height)
    frames = getattr(opened, "n_frames", 1)
    check_frame(name, frame, frames)
    channels = _channels(str(getattr(opened, "tag_v2", {}).get(270, "")))
    notes = _which(frame, frames, channels)
    if frame > 1:
        opened.seek(frame - 1)
        check_size(name, opened.width, opened.height)
    image: Image.Image = opened
    ImageOps.exif_transpose(image, in_place=True)
    acquisition = Acquisition(channels=channels)
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


def _tifffile(data: bytes, name: str, frame: int) -> Decoded:
    """A page of a TIFF: what Pillow cannot read are colours of 16 bits, odd layouts, BigTIFF's rarer kinds."""
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            check_frame(name, frame, len(file.pages))
            page: Any = file.pages[frame - 1]
            check_size(name, page.imagewidth, page.imagelength * page.samplesperpixel * page.imagedepth)
            channels = _channels(file.ome_metadata or "")
            pixels, scaled = _page(page.asarray(), page.planarconfig == tifffile.PLANARCONFIG.SEPARATE)
            inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
            notes = [*_which(frame, len(file.pages), channels), *scaled]
    except ImageError:
        raise
    except Exception as error:  # tifffile raises almost anything on damaged bytes
        raise ImageError(f"{name}: damaged image: {' '.join(str(error).split()) or type(error).__name__}") from error
    upright = Image.fromarray(255 - pixels if inverted else pixels)
    return Decoded(upright, Acquisition(channels=channels), tuple(notes))


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


def _channels(description: str) -> tuple[str, ...]:
    """Names of an OME-TIFF's channels, in their order."""
    return tuple(_CHANNEL.findall(description)) if "<OME" in description else ()


def _which(frame: int, frames: int, channels: tuple[str, ...]) -> list[str]:
    if frames == 1:
        return []
    named = f" ({channels[frame - 1]})" if len(channels) == frames else ""
    return [f"frame {frame} of {frames}{named}"]
