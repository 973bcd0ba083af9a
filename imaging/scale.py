"""Values of any range -> 8 bits a pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.types import Pixels

SCALE_PERCENTILES = (0.5, 99.5)
"""16-bit, 32-bit and float values between these percentiles are spread over 0-255; the rest is clipped."""


def scale_to_uint8(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Spreads real values of any shape and range over 0-255, clipped at SCALE_PERCENTILES. NaN becomes 0."""
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return np.zeros(values.shape, np.uint8)
    low, high = (float(edge) for edge in np.percentile(finite, SCALE_PERCENTILES))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    return spread(values, low, high)


def spread(values: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    """`low` and below becomes 0, `high` and above 255, evenly between; NaN becomes 0."""
    finite = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
    share = np.clip((finite - low) / max(high - low, 1e-12), 0, 1)
    gray: NDArray[np.uint8] = (share * 255).round().astype(np.uint8)
    return gray


def as_rgb(gray: NDArray[np.uint8]) -> Pixels:
    """`(h, w)` as `(h, w, 3)`."""
    return np.repeat(gray[:, :, None], 3, axis=2)
