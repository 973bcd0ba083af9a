"""How large an image may be, and which frame of several is meant. Checked on headers, before a pixel is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from imaging.errors import ImageError

MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30
MAX_VOLUME_BYTES = 1 << 31
"""Of a volume once decompressed."""

_pixels, _volume_bytes = ContextVar("pixels", default=MAX_PIXELS), ContextVar("volume_bytes", default=MAX_VOLUME_BYTES)


@contextmanager
def lowered(pixels: int, volume_bytes: int) -> Iterator[None]:
    """Lower limits for what is decoded inside, in this thread: for files that strangers send."""
    before = _pixels.set(min(pixels, MAX_PIXELS)), _volume_bytes.set(min(volume_bytes, MAX_VOLUME_BYTES))
    try:
        yield
    finally:
        _pixels.reset(before[0])
        _volume_bytes.reset(before[1])


def check_size(name: str, width: int, height: int) -> None:
    """Raises ImageError where a frame has no pixels or more than MAX_PIXELS, or than a lower limit that holds."""
    most = _pixels.get()
    if width < 1 or height < 1:
        raise ImageError(f"{name}: {width} x {height} is no image")
    if width * height > most:
        raise ImageError(
            f"{name}: {width} x {height} is over the limit of {most / 10**6:g} million pixels; crop or downsample it"
        )


def most_volume_bytes() -> int:
    """The bytes that a volume's voxels may take here."""
    return _volume_bytes.get()


def check_volume(name: str, size: int) -> None:
    """Raises ImageError where a volume's voxels take more bytes than MAX_VOLUME_BYTES, or than a lower limit."""
    most = _volume_bytes.get()
    if size > most:
        raise ImageError(f"{name}: {size:,} bytes of voxels, over the limit of {most:,}")


def check_frame(name: str, frame: int, frames: int, what: str = "frame") -> None:
    """Raises ImageError where there is no such frame; they are counted from 1."""
    if not 1 <= frame <= frames:
        raise ImageError(f"{name}: has no {what} {frame}; it has {frames}")
