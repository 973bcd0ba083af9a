"""Where one picture may lie on another: scale, shift, mirrored or not; at low resolution, over many pictures at once.

The middle of the sought picture, at a grid of scales, is laid on every place near the middle of the other; each place
is judged by normalised cross-correlation in four quarters, the worst of which is left out, for a label may cover it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from imaging.contrast import Floats, fitted, grey, local_contrast

SIDE = 42
"""Pixels of the other picture's longest side here."""
SCALES = np.exp(np.arange(-5, 6) * 0.06)
"""How much larger the sought picture is laid than the other is; each picture's longest side counts as 1."""
RADIUS = 2
_REACH = 5
_FAINT = 0.05
_ROWS = 48
_SAME_SHAPE = 0.05
_SQUARE = 0.02


@dataclass(frozen=True)
class Placement:
    """A map from one picture to another: `matrix @ (x, y, 1)`, both in units of the longest side, from the middle.

    `score` is how well the pictures agree there, 1 at best.
    """

    score: float
    matrix: Floats


class Template:
    """The middle of a picture at all scales, as it is and mirrored: what is laid on others."""

    def __init__(self, values: Floats) -> None:
        """`values` is the picture's local contrast, `(h, w)`."""
        height, width = values.shape
        unit = SIDE / max(height, width)
        self.shape = (height, width)
        self.half = tuple(max(4, round(float(SCALES[0]) * side * unit / 2)) for side in values.shape)
        down, across = (
            _resampling(side, max(height, width), half) for side, half in zip(values.shape, self.half, strict=True)
        )
        once = np.matmul(np.matmul(down, values), across.transpose(0, 2, 1))  # (scales, 2 * half, 2 * half)
        both = np.concatenate([once, once[:, :, ::-1]])
        self.quarters = [_units(quarter) for quarter in _quarters(both)]

    def places(self, others: Sequence[Image.Image], floor: float, most: int) -> list[list[Placement]]:
        """For each picture (mode L) the `most` best places of a score of `floor` or more, the best first.

        No two are of nearly the same scale.
        """
        canvases, owners, frames = [], [], []
        for owner, other in enumerate(others):
            for size in self._sizes(other):
                values = grey(other, *fitted(size, SIDE))
                canvas, corner = self._canvas(values)
                canvases.append(canvas)
                owners.append(owner)
                frames.append((corner, values.shape, other.size))
        if not canvases:
            return []
        scores = self._scores(local_contrast(np.stack(canvases), RADIUS)[:, RADIUS:-RADIUS, RADIUS:-RADIUS])
        found: list[list[tuple[float, int, int, int]]] = [[] for _ in others]
        shifts = scores.argmax(axis=2)
        best = np.take_along_axis(scores, shifts[:, :, None], axis=2)[:, :, 0]
        for place, owner in enumerate(owners):
            good = np.flatnonzero(best[place] >= floor).tolist()
            found[owner] += [(float(best[place, k]), place, k, int(shifts[place, k])) for k in good]
        return [[self._placement(one, frames) for one in _apart(several, most)] for several in found]

    def _sizes(self, other: Image.Image) -> list[tuple[int, int]]:
        """The other picture's own size and, where one of the two may have been made square, the size of this shape."""
        height, width = self.shape
        mine, theirs = np.log(width / height), np.log(other.width / other.height)
        if abs(mine - theirs) < _SAME_SHAPE or min(abs(mine), abs(theirs)) > _SQUARE:
            return [other.size]
        return [other.size, (1000 * width // height, 1000)]

    def _canvas(self, values: Floats) -> tuple[Floats, tuple[int, int]]:
        """The middle of a picture, as large as this template can reach, and where its first pixel lies there."""
        need = [2 * (half + _REACH + RADIUS) for half in self.half]
        lack = [max(0, n - side) for n, side in zip(need, values.shape, strict=True)]
        if any(lack):
            values = np.pad(values, [(short - short // 2, short // 2) for short in lack], mode="edge")
        top, left = ((side - n) // 2 for side, n in zip(values.shape, need, strict=True))
        corner = (top - (lack[0] - lack[0] // 2), left - (lack[1] - lack[1] // 2))
        return values[top : top + need[0], left : left + need[1]], corner

    def _scores(self, canvases: Floats) -> Floats:
        """`(canvases, templates, shifts)`: the mean correlation of the three best quarters."""
        height, width = (2 * half for half in self.half)
        windows = np.lib.stride_tricks.sliding_window_view(canvases, (height, width), axis=(1, 2))
        agreeing = []
        for quarter, laid in zip(_quarters(windows), self.quarters, strict=True):
            flat = quarter.reshape(-1, laid.shape[1])
            norm = np.sqrt(np.einsum("np,np->n", flat, flat) + _FAINT**2 * flat.shape[1])
            agreeing.append(_products(flat, laid) / norm[:, None])
        four = np.stack(agreeing)
        best: Floats = (four.sum(axis=0) - four.min(axis=0)) / 3
        scores: Floats = best.reshape(len(canvases), -1, best.shape[1]).transpose(0, 2, 1)
        return scores

    def _placement(
        self,
        found: tuple[float, int, int, int],
        frames: Sequence[tuple[tuple[int, int], tuple[int, int], tuple[int, int]]],
    ) -> Placement:
        score, place, k, shift = found
        corner, shape, size = frames[place]
        down, across = divmod(shift, 2 * _REACH + 1)
        middle = [
            first + RADIUS + moved + half - 0.5 - (side - 1) / 2
            for first, moved, half, side in zip(corner, (down, across), self.half, shape, strict=True)
        ]
        unit_y, unit_x = (
            whole / max(size) / side for whole, side in zip(size[::-1], shape, strict=True)
        )  # of the other's longest side, a pixel
        scale = SIDE * float(SCALES[k % len(SCALES)])
        mirror = -1 if k >= len(SCALES) else 1
        matrix = [[mirror * scale * unit_x, 0, middle[1] * unit_x], [0, scale * unit_y, middle[0] * unit_y]]
        return Placement(score, np.array(matrix, np.float32))


def _apart(found: list[tuple[float, int, int, int]], most: int) -> list[tuple[float, int, int, int]]:
    kept: list[tuple[float, int, int, int]] = []
    for one in sorted(found, reverse=True):
        near = (k for _, place, k, _ in kept if place == one[1])
        if all(abs(k - one[2]) > 1 for k in near):
            kept.append(one)
        if len(kept) == most:
            break
    return kept


def _quarters(values: Floats) -> list[Floats]:
    """The four quarters of `(..., h, w)`; both sides are even."""
    height, width = values.shape[-2] // 2, values.shape[-1] // 2
    rows, columns = (slice(None, height), slice(height, None)), (slice(None, width), slice(width, None))
    return [values[..., down, across] for down in rows for across in columns]


def _products(windows: Floats, templates: Floats) -> Floats:
    """`windows @ templates.T` in parts so small that BLAS starts no threads: they would wait for busy cores."""
    out = np.empty((len(windows), len(templates)), np.float32)
    for start in range(0, len(windows), _ROWS):
        np.matmul(windows[start : start + _ROWS], templates.T, out=out[start : start + _ROWS])
    return out


def _units(values: Floats) -> Floats:
    """`(n, h, w)` as rows `(n, h * w)` of mean 0 and length 1."""
    flat = values.reshape(len(values), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    norm = np.sqrt(np.einsum("np,np->n", flat, flat) + _FAINT**2 * flat.shape[1])
    units: Floats = flat / norm[:, None]
    return units


@lru_cache(maxsize=256)
def _resampling(side: int, longest: int, half: int) -> Floats:
    """Matrices `(scales, 2 * half, side)` that take the middle of a side at each of SCALES, by tent filters."""
    step = longest / (SIDE * SCALES)[:, None, None]
    at = (np.arange(2 * half)[:, None] - half + 0.5) * step + (side - 1) / 2
    weights = np.maximum(0, 1 - np.abs(at - np.arange(side)) / np.maximum(1, step))
    matrices: Floats = (weights / np.maximum(weights.sum(axis=2, keepdims=True), 1e-6)).astype(np.float32)
    return matrices
