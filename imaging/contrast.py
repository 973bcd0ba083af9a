"""Pictures as the small grey arrays that `imaging.likeness` compares, light and contrast taken out of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

NOISE = 3.0
"""Grey levels, of 255: fainter texture than this counts for little."""


def grey(picture: Image.Image, width: int, height: int) -> Floats:
    """A picture of mode L as float32 `(height, width)`, 0 to 255."""
    if picture.size != (width, height):
        shrinks = width < picture.width
        picture = picture.resize((width, height), Image.Resampling.BOX if shrinks else Image.Resampling.BILINEAR)
    return np.asarray(picture, np.float32)


def fitted(size: tuple[int, int], side: int, least: int = 8) -> tuple[int, int]:
    """Width and height of a picture whose longest side becomes `side` pixels, none under `least`."""
    scale = side / max(size)
    return max(least, round(size[0] * scale)), max(least, round(size[1] * scale))


def detail(values: Floats, radius: int) -> Floats:
    """What differs from the mean of a square of `2 * radius + 1` pixels; `(..., h, w)`."""
    return values - _mean(values, radius)


def local_contrast(values: Floats, radius: int) -> Floats:
    """Detail divided by its own root mean square nearby: about 1 on any texture, about 0 where there is none."""
    fine = detail(values, radius)
    contrast: Floats = fine / np.sqrt(_mean(fine * fine, radius) + NOISE * NOISE)
    return contrast


def _mean(values: Floats, radius: int) -> Floats:
    """Means over squares, the edge repeated outwards."""
    size, (height, width) = 2 * radius + 1, values.shape[-2:]
    wide = values.take(_places(width, radius), axis=-1)
    across = wide[..., :width] + wide[..., 1 : width + 1]
    for start in range(2, size):
        across += wide[..., start : start + width]
    wide = across.take(_places(height, radius), axis=-2)
    total = wide[..., :height, :] + wide[..., 1 : height + 1, :]
    for start in range(2, size):
        total += wide[..., start : start + height, :]
    total *= np.float32(1 / size**2)
    return total


@lru_cache(maxsize=256)
def _places(side: int, radius: int) -> NDArray[np.intp]:
    """A side's pixels with its ends repeated `radius` times."""
    return np.clip(np.arange(-radius, side + radius), 0, side - 1)


def inside_frame(values: Floats, border: int = 3) -> NDArray[np.bool_]:
    """Where `(h, w)` grey values are picture and not a frame of one colour around it; `border` pixels more are cut.

    Of each side at most a third is taken for a frame. A line is part of it if 85 % of its pixels are of one grey, so
    that a label may lie on it.
    """
    (top, bottom), (left, right) = _frame(values), _frame(values.T)
    inside = np.zeros(values.shape, np.bool_)
    rows = slice(top + (border if top else 0), values.shape[0] - bottom - (border if bottom else 0))
    columns = slice(left + (border if left else 0), values.shape[1] - right - (border if right else 0))
    inside[rows, columns] = True
    return inside


def _frame(values: Floats) -> tuple[int, int]:
    """How many lines at either end are of one grey."""
    middle = np.median(values, axis=1, keepdims=True)
    plain = (np.abs(values - middle) < 8).mean(axis=1) > 0.85
    most = len(plain) // 3
    return _leading(plain[:most]), _leading(plain[::-1][:most])


def _leading(flags: NDArray[np.bool_]) -> int:
    return len(flags) if flags.all() else int(flags.argmin())
