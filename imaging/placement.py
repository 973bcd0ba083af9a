"""Where one picture may lie on another: scale, shift, mirrored or not; at low resolution, over many pictures at once.

The middle of the sought picture, at a grid of scales, is laid on the places near the middle of the other: first at half
this resolution, then on those beside the best of these. Each place is judged by normalised cross-correlation in four
quarters, the worst of which is left out, for a label may cover it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging.contrast import Floats, fitted, grey, local_contrast

SIDE = 42
"""Pixels of the other picture's longest side here."""
SCALES = np.exp(np.arange(-5, 6) * 0.06)
"""How much larger the sought picture is laid than the other is; each picture's longest side counts as 1."""
RADIUS = 2
_REACH = 5
"""Pixels that the middles may lie apart, in each direction."""
_FAINT = 0.05
"""Local contrast that is added to every window's, so that empty ones agree with nothing."""
_SHIFTS = 2 * _REACH + 1
_FIRST = 1
"""The first shift that half the resolution can tell; then every second one. All others are beside one of these."""
_PROMISING, _BEST = 0.3, 6
"""Of a picture that scores so much at half the resolution, what is beside its so many best shifts is looked at.

Of 6,000 copies, a third of them moved to where the fewest pixels meet, all scored so, and none lost its best place.
"""
_SMALL = 2**18
"""Multiplications from which on BLAS starts threads."""
_SAME_SHAPE, _SQUARE = 0.05, 0.02
"""Differences of the logarithm of width over height."""


@dataclass(frozen=True)
class Placement:
    """A map from one picture to another: `matrix @ (x, y, 1)`, both in units of the longest side, from the middle.

    `score` is how well the pictures agree there, 1 at best.
    """

    score: float
    matrix: Floats


@dataclass(frozen=True, eq=False)
class _Canvas:
    """The middle of a picture at low resolution, and where it lies in it.

    `owner` is the picture's place among those asked about, `size` its own width and height, `shape` the height and
    width that it has here, `first` the row and column of the canvas's first pixel.
    """

    values: Floats
    owner: int
    size: tuple[int, int]
    shape: tuple[int, int]
    first: tuple[int, int]


@dataclass(frozen=True, order=True)
class _Peak:
    """The best shift of one template (a scale, mirrored or not) on one canvas."""

    score: float
    canvas: int
    template: int
    shift: int


class Template:
    """The middle of a picture at all scales, as it is and mirrored: what is laid on others."""

    def __init__(self, values: Floats) -> None:
        """`values` is the picture's local contrast, `(h, w)`."""
        height, width = values.shape
        unit = SIDE / max(height, width)
        self._shape = (height, width)
        self._half = tuple(max(4, round(float(SCALES[0]) * side * unit / 2)) for side in values.shape)
        down, across = (
            _resampling(side, max(height, width), half) for side, half in zip(values.shape, self._half, strict=True)
        )
        once = np.matmul(np.matmul(down, values), across.transpose(0, 2, 1))  # (scales, 2 * half, 2 * half)
        both = np.concatenate([once, once[:, :, ::-1]])
        self._quarters = [_units(quarter) for quarter in _quarters(both)]
        few = _halved(both)
        self._few_shape = few.shape[1:]
        self._few_quarters = [_units(quarter) for quarter in _quarters(few)]

    def places(self, others: Sequence[Image.Image], floor: float, most: int) -> list[list[Placement]]:
        """For each picture (mode L) the `most` best places of a score of `floor` or more, the best first.

        No two are of nearly the same scale.
        """
        canvases = [self._canvas(n, other, size) for n, other in enumerate(others) for size in self._sizes(other)]
        peaks: list[list[_Peak]] = [[] for _ in others]
        for peak in self._peaks(canvases, floor):
            peaks[canvases[peak.canvas].owner].append(peak)
        return [[self._placement(one, canvases[one.canvas]) for one in _apart(several, most)] for several in peaks]

    def _sizes(self, other: Image.Image) -> list[tuple[int, int]]:
        """The other picture's own size and, where one of the two may have been made square, the size of this shape."""
        height, width = self._shape
        mine, theirs = np.log(width / height), np.log(other.width / other.height)
        if abs(mine - theirs) < _SAME_SHAPE or min(abs(mine), abs(theirs)) > _SQUARE:
            return [other.size]
        return [other.size, (1000 * width // height, 1000)]

    def _canvas(self, owner: int, other: Image.Image, size: tuple[int, int]) -> _Canvas:
        """As much of the middle of a picture, brought to the shape of `size`, as this template can reach."""
        width, height = fitted(size, SIDE)
        values = grey(other, width, height)
        need = [2 * (half + _REACH + RADIUS) for half in self._half]
        first = [
            -((n - side + 1) // 2) if n > side else (side - n) // 2 for side, n in zip(values.shape, need, strict=True)
        ]
        for axis, (side, start, n) in enumerate(zip(values.shape, first, need, strict=True)):
            values = values.take(_within(side, start, n), axis=axis)
        return _Canvas(values, owner, other.size, (height, width), (first[0], first[1]))

    def _peaks(self, canvases: Sequence[_Canvas], floor: float) -> list[_Peak]:
        """Of each template on each canvas the best shift, where it scores `floor` or more."""
        if not canvases:
            return []
        contrast = local_contrast(np.stack([canvas.values for canvas in canvases]), RADIUS)
        scores = self._scores(contrast[:, RADIUS:-RADIUS, RADIUS:-RADIUS]).reshape(len(canvases), _SHIFTS**2, -1)
        shifts = scores.argmax(axis=1)
        best = np.take_along_axis(scores, shifts[:, None], axis=1)[:, 0]
        return [_Peak(float(best[c, t]), int(c), int(t), int(shifts[c, t])) for c, t in np.argwhere(best >= floor)]

    def _scores(self, canvases: Floats) -> Floats:
        """`(canvases, shifts down, shifts across, templates)`; -1 for shifts that were not looked at."""
        chosen = _beside_the_best(self._at_half_resolution(canvases))
        canvas, down, across = np.nonzero(chosen)
        left, right = (_halves(canvases, self._half, right) for right in (False, True))
        below = down + self._half[0]
        quarters = [half[canvas, across, row] for row in (down, below) for half in (left, right)]
        scores = np.full((*chosen.shape, len(self._quarters[0])), -1, np.float32)
        scores[chosen] = _agreement(quarters, self._quarters)
        return scores

    def _at_half_resolution(self, canvases: Floats) -> Floats:
        """`(canvases, every second shift down, across)`: how well the best template agrees there."""
        halved = _halved(canvases, _FIRST)
        windows = np.lib.stride_tricks.sliding_window_view(halved, self._few_shape, axis=(1, 2))[:, :_REACH, :_REACH]
        quarters = [quarter.reshape(-1, quarter[0, 0, 0].size) for quarter in _quarters(windows)]
        best: Floats = _agreement(quarters, self._few_quarters).max(axis=1).reshape(windows.shape[:3])
        return best

    def _placement(self, peak: _Peak, canvas: _Canvas) -> Placement:
        """The map that a peak stands for."""
        y, x = (
            first + RADIUS + moved + half - 0.5 - (side - 1) / 2
            for first, moved, half, side in zip(
                canvas.first, divmod(peak.shift, _SHIFTS), self._half, canvas.shape, strict=True
            )
        )
        # A pixel of the canvas in units of the other picture's longest side; not square where its shape was changed.
        across, down = (
            whole / max(canvas.size) / side for whole, side in zip(canvas.size, canvas.shape[::-1], strict=True)
        )
        scale = SIDE * float(SCALES[peak.template % len(SCALES)])
        mirror = -1 if peak.template >= len(SCALES) else 1
        matrix = [[mirror * scale * across, 0, x * across], [0, scale * down, y * down]]
        return Placement(peak.score, np.array(matrix, np.float32))


def _apart(peaks: Sequence[_Peak], most: int) -> list[_Peak]:
    """The best, leaving out those on the same canvas by the scale next to a better one's."""
    kept: list[_Peak] = []
    for peak in sorted(peaks, reverse=True):
        if all(other.canvas != peak.canvas or abs(other.template - peak.template) > 1 for other in kept):
            kept.append(peak)
        if len(kept) == most:
            break
    return kept


def _agreement(windows: Sequence[Floats], templates: Sequence[Floats]) -> Floats:
    """`(windows, templates)`: the mean correlation of the three best of four quarters, each `(windows, pixels)`."""
    agreeing = []
    for flat, laid in zip(windows, templates, strict=True):
        norm = np.sqrt(np.einsum("np,np->n", flat, flat) + _FAINT**2 * flat.shape[1])
        agreeing.append(_products(flat, laid) / norm[:, None])
    four = np.stack(agreeing)
    best: Floats = (four.sum(axis=0) - four.min(axis=0)) / 3
    return best


def _beside_the_best(scores: Floats) -> NDArray[np.bool_]:
    """`(canvases, shifts down, across)`: the best of every second shift, by `scores`, and those beside them."""
    count, few, _ = scores.shape
    least = np.maximum(np.partition(scores.reshape(count, -1), -_BEST, axis=1)[:, -_BEST], _PROMISING)
    best = scores >= least[:, None, None]
    near = np.zeros((count, _SHIFTS, _SHIFTS), np.bool_)
    for down in range(3):
        for across in range(3):
            near[:, down : down + 2 * few : 2, across : across + 2 * few : 2] |= best
    return near


def _halved(values: Floats, first: int = 0) -> Floats:
    """`(n, h, w)` at half the resolution: from the pixel `first` on every second one, smoothed each way by 1, 2, 1."""
    down, across = (_halving(side, first) for side in values.shape[1:])
    halved: Floats = np.matmul(np.matmul(down, values), across.T)
    return halved


def _quarters(values: Floats) -> list[Floats]:
    """The four quarters of `(..., h, w)`."""
    height, width = values.shape[-2] // 2, values.shape[-1] // 2
    rows, columns = (slice(None, height), slice(height, None)), (slice(None, width), slice(width, None))
    return [values[..., down, across] for down in rows for across in columns]


def _halves(canvases: Floats, half: tuple[int, int], right: bool) -> Floats:
    """`(canvases, shifts across, first row, pixels)`: quarters of windows, of their left halves or their right.

    A view in which each quarter lies in one piece, so that it is quickly copied.
    """
    height, width = half
    columns = np.lib.stride_tricks.sliding_window_view(canvases, width, axis=2)
    first = width if right else 0
    stripes = np.ascontiguousarray(columns[:, :, first : first + _SHIFTS].transpose(0, 2, 1, 3))
    rows = stripes.reshape(*stripes.shape[:2], -1)
    windows: Floats = np.lib.stride_tricks.sliding_window_view(rows, height * width, axis=2)[:, :, ::width]
    return windows


def _products(windows: Floats, templates: Floats) -> Floats:
    """`windows @ templates.T` in parts so small that BLAS starts no threads: they would wait for busy cores."""
    out = np.empty((len(windows), len(templates)), np.float32)
    rows = max(1, _SMALL // templates.size)
    for start in range(0, len(windows), rows):
        np.matmul(windows[start : start + rows], templates.T, out=out[start : start + rows])
    return out


def _units(values: Floats) -> Floats:
    """`(n, h, w)` as rows `(n, h * w)` of mean 0 and length 1."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.einsum("np,np->n", flat, flat) + _FAINT**2 * flat.shape[1])
    units: Floats = flat / norm[:, None]
    return units


@lru_cache(maxsize=1024)
def _within(side: int, first: int, count: int) -> NDArray[np.intp]:
    """`count` pixels of a side from `first` on, the ends repeated where it has no more."""
    return np.clip(np.arange(first, first + count), 0, side - 1)


@lru_cache(maxsize=256)
def _resampling(side: int, longest: int, half: int) -> Floats:
    """Matrices `(scales, 2 * half, side)` that take the middle of a side at each of SCALES, by tent filters."""
    step = longest / (SIDE * SCALES)[:, None, None]
    at = (np.arange(2 * half)[:, None] - half + 0.5) * step + (side - 1) / 2
    weights = np.maximum(0, 1 - np.abs(at - np.arange(side)) / np.maximum(1, step))
    matrices: Floats = (weights / np.maximum(weights.sum(axis=2, keepdims=True), 1e-6)).astype(np.float32)
    return matrices


@lru_cache(maxsize=256)
def _halving(side: int, first: int) -> Floats:
    """The matrix that takes every second pixel of a side from `first` on, and a quarter of either neighbour."""
    matrix = np.zeros(((side - first + 1) // 2, side), np.float32)
    rows = np.arange(len(matrix))
    for beside, weight in ((-1, 0.25), (0, 0.5), (1, 0.25)):
        matrix[rows, np.clip(first + 2 * rows + beside, 0, side - 1)] += np.float32(weight)
    return matrix
