"""What the drawings share: the frame, outlines of cells and their boxes, places for them, smooth noise."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocket.facts import Facts

Field = NDArray[np.float32]
Box = tuple[str, int, int, int, int]
"""Name, left, top, right, bottom in pixels, within the frame."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A field `(height, width, 3)` in 0..1, what is true of it, and the boxes of the cells drawn."""

    field: Field
    facts: Facts
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True)
class Outline:
    """Radius by angle: a stretched circle with a few gentle waves (number, size, phase)."""

    radius: float
    elongation: float
    turn: float
    waves: tuple[tuple[int, float, float], ...]

    def __call__(self, angle: Field) -> Field:
        shape = 1 + (self.elongation - 1) * np.cos(angle - self.turn) ** 2
        for number, size, phase in self.waves:
            shape = shape + size * np.cos(number * angle + phase)
        return np.asarray(self.radius * shape, dtype=np.float32)

    @property
    def reach(self) -> float:
        """No part of the body is farther from its centre."""
        return self.radius * (self.elongation + sum(size for _, size, _ in self.waves)) + 2

    def box(self, name: str, x: float, y: float, width: int, height: int) -> Box:
        """The smallest box around the part within the frame, at least one pixel."""
        angle = np.linspace(-np.pi, np.pi, 73, dtype=np.float32)
        radius = self(angle)
        across, down = x + radius * np.cos(angle), y + radius * np.sin(angle)
        left, top = max(0, round(float(across.min()))), max(0, round(float(down.min())))
        right, bottom = min(width, round(float(across.max()))), min(height, round(float(down.max())))
        left, top = min(left, width - 1), min(top, height - 1)
        return name, left, top, max(left + 1, right), max(top + 1, bottom)


def rim(radius: float, wobble: float, elongation: float, rng: random.Random) -> Outline:
    """An outline of random waves of up to `wobble`, turned at random."""
    waves = tuple((n, rng.uniform(0, wobble) / n, rng.uniform(0, 2 * math.pi)) for n in (2, 3, 4, 5))
    return Outline(radius, elongation, rng.uniform(0, math.pi), waves)


def sum_of_boxes(boxes: Iterable[Box]) -> Counter[str]:
    """How many boxes of each name."""
    return Counter(box[0] for box in boxes)


def patch(shape: tuple[int, ...], x: float, y: float, reach: float) -> tuple[tuple[slice, slice], Field, Field] | None:
    """The slices around a centre, and each pixel's offset from it; None where the frame holds none of it."""
    left, right = max(0, int(x - reach)), min(shape[1], int(x + reach) + 2)
    top, bottom = max(0, int(y - reach)), min(shape[0], int(y + reach) + 2)
    if left >= right or top >= bottom:
        return None
    dx, dy = np.arange(left, right, dtype=np.float32) - np.float32(x), np.arange(top, bottom) - np.float32(y)
    across, down = np.meshgrid(dx, dy.astype(np.float32))
    return (slice(top, bottom), slice(left, right)), across, down


def places(count: int, size: tuple[int, int], gap: float, rng: random.Random, clump: float = 0.0,
           margin: float = 0.0) -> list[tuple[float, float]]:  # fmt: skip
    """Up to `count` centres, at least `gap` apart, in the frame of (height, width) widened by `margin`.

    `clump` is how often one lands beside another.
    """
    height, width = size
    made: list[tuple[float, float]] = []
    near: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for _ in range(count):
        for _attempt in range(20):
            x, y = rng.uniform(-margin, width + margin), rng.uniform(-margin, height + margin)
            if made and rng.random() < clump:
                beside, angle = rng.choice(made), rng.uniform(0, 2 * math.pi)
                x, y = beside[0] + 1.05 * gap * math.cos(angle), beside[1] + 1.05 * gap * math.sin(angle)
            if not (-margin <= x < width + margin and -margin <= y < height + margin):
                continue
            column, row = int(x // gap), int(y // gap)
            around = (near.get((column + i, row + j), ()) for i in (-1, 0, 1) for j in (-1, 0, 1))
            if all(math.hypot(x - a, y - b) >= gap for cell in around for a, b in cell):
                made.append((x, y))
                near.setdefault((column, row), []).append((x, y))
                break
    return made


def smooth(noise: np.random.Generator, height: int, width: int, cells: int) -> Field:
    """Noise `(height, width)` of about -1..1 whose bumps are `width / cells` wide."""
    rows = max(2, round(cells * height / width))
    coarse = Image.fromarray(noise.normal(0, 0.6, (rows, max(2, cells))).astype(np.float32))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))


def blurred(field: Field, sigma: float) -> Field:
    """A field `(height, width)` after a Gaussian of `sigma` pixels; the border is repeated outwards."""
    reach = max(1, math.ceil(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(sigma, 1e-3)) ** 2).astype(np.float32)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(field, [(reach, reach) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        size = field.shape[axis]
        parts = (padded[n : n + size] if axis == 0 else padded[:, n : n + size] for n in range(2 * reach + 1))
        field = np.sum([w * part for w, part in zip(weights, parts, strict=True)], axis=0, dtype=np.float32)
    return field
