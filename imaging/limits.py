"""How large an image may be, and which frame of several is meant. Checked on headers, before a pixel is decoded."""

from __future__ import annotations

from imaging.errors import ImageError

MAX_PIXELS = 100_000_000
MAX_BYTES = 1 << 30
MAX_VOLUME_BYTES = 1 << 31
"""Of a volume once decompressed."""


def check_size(name: str, width: int, height: int) -> None:
    """Raises ImageError where a frame has no pixels or more than MAX_PIXELS."""
    if width < 1 or height < 1:
        raise ImageError(f"{name}: {width} x {height} is no image")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width} x {height} is over the limit of {MAX_PIXELS // 10**6} million pixels; "
            "crop or downsample it"
        )


def check_frame(name: str, frame: int, frames: int, what: str = "frame") -> None:
    """Raises ImageError where there is no such frame; they are counted from 1."""
    if not 1 <= frame <= frames:
        raise ImageError(f"{name}: has no {what} {frame}; it has {frames}")
