"""Bytes of an image file -> upright 8-bit RGB, or an ImageError that says why not.

Pillow decodes; the limits hold on the header, before a pixel is decoded.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from imaging.errors import ImageError
from imaging.types import LoadedImage, Pixels

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP")
MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30
SCALE_PERCENTILES = (0.5, 99.5)
"""16-bit, 32-bit and float values between these percentiles are spread over 0-255; the rest is clipped."""


def load(path: str | Path) -> LoadedImage:
    """Reads and decodes one image file. Raises ImageError."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise ImageError(f"{path}: is a folder, not an image; name the files in it")
        if size > MAX_BYTES:
            raise ImageError(f"{path}: {size:,} bytes, over the limit of {MAX_BYTES:,}")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{path}: no such file") from None
    except OSError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    return decode(data, str(path))


def decode(data: bytes, name: str) -> LoadedImage:
    """Decodes the bytes of an image file; `name` stands in errors and in the record. Raises ImageError."""
    if not data:
        raise ImageError(f"{name}: the file is empty")
    if data[128:132] == b"DICM":
        raise ImageError(f"{name}: DICOM cannot be read in this version; export the slice as PNG")
    Image.MAX_IMAGE_PIXELS = None  # Pillow only warns between its limits; ours is checked below, on the header
    warnings.filterwarnings("ignore", module=r"PIL\.")  # of damaged headers, which fail or do not matter
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ImageError(
                    f"{name}: {opened.width} x {opened.height} is over the limit of {MAX_PIXELS // 10**6} million "
                    "pixels; crop or downsample it"
                )
            pixels, notes = _to_rgb(opened)
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not an image in a format read here ({', '.join(FORMATS)})") from None
    except ImageError:
        raise
    except Exception as error:  # Pillow's plugins raise almost anything on damaged bytes
        raise ImageError(f"{name}: damaged image: {' '.join(str(error).split()) or type(error).__name__}") from error
    return LoadedImage(name, pixels, hashlib.sha256(data).hexdigest(), perceptual_hash(pixels), notes=notes)


def perceptual_hash(pixels: Pixels) -> str:
    """64-bit DCT hash of the pixels as 16 hex digits (imagehash's `phash`); close images differ in few bits."""
    import imagehash

    return str(imagehash.phash(Image.fromarray(pixels)))


def thumbnail(pixels: Pixels, side: int = 224) -> bytes:
    """JPEG bytes of the image, longest side at most `side` pixels."""
    small = Image.fromarray(pixels)
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def _to_rgb(opened: Image.Image) -> tuple[Pixels, tuple[str, ...]]:
    """Upright uint8 `(h, w, 3)` of the first frame, and notes on what had to change."""
    notes: list[str] = []
    frames = getattr(opened, "n_frames", 1)
    if frames > 1:
        notes.append(f"first of {frames} frames")
    image: Image.Image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I") or image.mode == "F":
        notes.append(f"{'float' if image.mode == 'F' else '16- or 32-bit'} values scaled to 8 bits by percentile")
        gray = scale_to_uint8(np.asarray(image, dtype=np.float32))
        return np.repeat(gray[:, :, None], 3, axis=2), tuple(notes)
    if image.has_transparency_data:
        notes.append("transparency laid over white")
        layered = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered)
    return np.array(image.convert("RGB"), dtype=np.uint8), tuple(notes)


def scale_to_uint8(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Spreads `(h, w)` values of any range over 0-255, clipped at SCALE_PERCENTILES. NaN becomes 0."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(finite, SCALE_PERCENTILES)
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / max(high - low, 1e-12)
    gray: NDArray[np.uint8] = (np.clip(scaled, 0, 1) * 255).round().astype(np.uint8)
    return gray
