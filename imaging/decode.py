"""An image file of any kind -> upright 8-bit RGB, or an ImageError that says why not.

The one decoder of the program. Which reader takes a file is told by its bytes; the limits hold on its header, before
a pixel is decoded. `scan.dcm#frame=3` names a frame of a file of several, or a slice of a volume, counted from 1.
"""

from __future__ import annotations

import hashlib
import io
import re
from pathlib import Path

from PIL import Image

from imaging.dicom import decode_dicom, is_dicom
from imaging.errors import ImageError
from imaging.limits import MAX_BYTES
from imaging.nifti import decode_nifti, is_nifti
from imaging.raster import decode_raster
from imaging.types import LoadedImage

_FRAME = re.compile(r"#frame=([0-9]{1,9})$")


def load(path: str | Path) -> LoadedImage:
    """Reads and decodes one image file, or the frame that the name ends with (`#frame=3`). Raises ImageError."""
    asked = _FRAME.search(str(path))
    frame = int(asked[1]) if asked else None
    file = Path(str(path)[: asked.start()]) if asked else Path(path)
    try:
        size = file.stat().st_size
        if file.is_dir():
            raise ImageError(f"{file}: is a folder, not an image; name the files in it")
        if size > MAX_BYTES:
            raise ImageError(f"{file}: {size:,} bytes, over the limit of {MAX_BYTES:,}")
        data = file.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"{file}: no such file") from None
    except OSError as error:
        raise ImageError(f"{file}: cannot be read: {error.strerror}") from error
    return decode(data, str(path), frame)


def decode(data: bytes, name: str, frame: int | None = None) -> LoadedImage:
    """Decodes the bytes of an image file; `name` stands in errors and in the record. Raises ImageError."""
    if not data:
        raise ImageError(f"{name}: the file is empty")
    file_name = _FRAME.sub("", name)
    if is_dicom(data, file_name):
        made = decode_dicom(data, name, frame)
    elif is_nifti(data):
        made = decode_nifti(data, name, frame)
    else:
        made = decode_raster(data, name, frame)
    sha256 = hashlib.sha256(data)
    if frame is not None:
        sha256.update(f"#frame={frame}".encode())
    phash = perceptual_hash(made.picture)
    return LoadedImage(name, made.picture, sha256.hexdigest(), phash, made.acquisition, made.notes)


def perceptual_hash(picture: Image.Image) -> str:
    """64-bit DCT hash of a picture as 16 hex digits (imagehash's `phash`); close images differ in few bits.

    The picture is brought to imagehash's 32 x 32 by way of box averages of three times that, in 0.4 of the time; one
    hash in seven differs by two bits from what imagehash alone makes of the same picture.
    """
    import imagehash

    small = picture.convert("L").resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return str(imagehash.phash(small))


def thumbnail(picture: Image.Image, side: int = 224) -> bytes:
    """JPEG bytes of a picture, longest side at most `side` pixels."""
    scale = side / max(picture.size)
    small = picture
    if scale < 1:
        size = (max(1, round(scale * picture.width)), max(1, round(scale * picture.height)))
        small = picture.resize(size, Image.Resampling.HAMMING, reducing_gap=1.0)  # a third of the time Lanczos takes
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
