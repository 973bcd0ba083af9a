"""Stained tissue: islands of tightly packed cells in a fibrous ground, stained H&E or as immunohistochemistry.

Stain densities follow the colour vectors of Ruifrok and Johnston (2001), as in scikit-image's `rgb_from_hed`.
"""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pocket.facts import Facts
from pocket.render_frame import patch

Field = NDArray[np.float32]
HAEMATOXYLIN = np.array((0.65, 0.70, 0.29), np.float32)
EOSIN = np.array((0.07, 0.99, 0.11), np.float32)
DAB = np.array((0.27, 0.57, 0.78), np.float32)
SIDE = 384


def smooth_noise(noise: np.random.Generator, side: int, cells: int) -> Field:
    """Noise `(side, side)` of about -1..1 whose bumps are `side / cells` wide."""
    coarse = Image.fromarray(noise.normal(0, 0.6, (cells, cells)).astype(np.float32))
    return np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC))


def draw_tissue(rng: random.Random, noise: np.random.Generator) -> tuple[Field, Facts]:
    """A field `(384, 384, 3)` in 0..1 and its facts: stain and the number of nuclei drawn."""
    stain = rng.choice(("he", "ihc"))
    radius = rng.choice((4.0, 5.0, 6.0, 8.0, 11.0, 15.0)) * rng.uniform(0.9, 1.15)
    island, lumen = _regions(rng, noise)
    blue = np.zeros((SIDE, SIDE), np.float32)
    cell_gap = radius * rng.uniform(2.1, 2.9)
    packed = _jittered_grid(cell_gap, rng)
    inside = [(x, y) for x, y in packed if island[int(y), int(x)] > 0.5 and lumen[int(y), int(x)] < 0.5]
    membrane = _membranes(packed, cell_gap)
    drift = smooth_noise(noise, SIDE, 4) * math.pi
    count = 0
    for x, y in inside:
        if rng.random() < 0.93:
            _nucleus(blue, x, y, radius * rng.uniform(0.75, 1.15), rng.uniform(1.0, 1.5), rng.uniform(0, math.pi), rng)
            count += 1
    for x, y in _jittered_grid(radius * rng.uniform(3.2, 6.0), rng):
        if island[int(y), int(x)] < 0.5 and lumen[int(y), int(x)] < 0.5 and rng.random() < 0.8:
            turn = float(drift[int(y), int(x)])
            _nucleus(blue, x, y, radius * rng.uniform(0.55, 0.8), rng.uniform(1.5, 3.2), turn, rng)
            count += 1
    chromatin = 1 + 0.3 * smooth_noise(noise, SIDE, 110)
    ground = _fibres(noise, drift)
    tissue = 1 - lumen
    density = (rng.uniform(0.8, 1.5) * blue * chromatin)[..., None] * HAEMATOXYLIN * rng.uniform(0.9, 1.4)
    if stain == "he":
        pink = tissue * (0.18 + 0.22 * island + 0.16 * ground + 0.08 * membrane * island) * rng.uniform(0.7, 1.6)
        density = density + np.clip(pink, 0, None)[..., None] * (EOSIN + rng.uniform(0.05, 0.3) * HAEMATOXYLIN)
    else:
        density = density * rng.uniform(0.45, 0.8)
        brown = _brown(rng, noise, island * tissue, membrane, blue)
        pale = tissue * (0.05 + 0.05 * ground)
        density = density + brown[..., None] * DAB + np.clip(pale, 0, None)[..., None] * (HAEMATOXYLIN + 0.4 * DAB)
    white = np.array((rng.uniform(0.93, 1.0), rng.uniform(0.92, 0.98), rng.uniform(0.92, 0.98)), np.float32)
    return (white * np.exp(-density)).astype(np.float32), Facts("tissue", nuclei=count, stain=stain)


def _regions(rng: random.Random, noise: np.random.Generator) -> tuple[Field, Field]:
    """Where islands of packed cells are, and where there is no tissue at all, both 0..1 with soft edges."""
    coarse = smooth_noise(noise, SIDE, rng.choice((3, 4, 6)))
    island = np.clip((coarse - np.float32(rng.uniform(-0.7, 0.35))) * 14, 0, 1)
    gaps = smooth_noise(noise, SIDE, rng.choice((4, 6, 9)))
    lumen = np.clip((gaps - np.float32(rng.uniform(0.55, 1.6))) * 14, 0, 1)
    if rng.random() < 0.25:  # fat: round empty cells in the ground
        for _ in range(rng.randint(2, 9)):
            x, y, r = rng.uniform(0, SIDE), rng.uniform(0, SIDE), rng.uniform(15, 45)
            yy, xx = np.mgrid[0:SIDE, 0:SIDE]
            lumen = np.maximum(lumen, np.clip((r - np.hypot(xx - x, yy - y)) / 2, 0, 1).astype(np.float32))
    return island.astype(np.float32), lumen.astype(np.float32)


def _jittered_grid(gap: float, rng: random.Random) -> list[tuple[float, float]]:
    """Points about `gap` apart all over the frame, as packed cells lie."""
    points = []
    rows = int(SIDE / (gap * 0.87)) + 1
    for row in range(rows):
        for column in range(int(SIDE / gap) + 1):
            x = (column + 0.5 * (row % 2)) * gap + rng.uniform(-0.28, 0.28) * gap
            y = row * gap * 0.87 + rng.uniform(-0.28, 0.28) * gap
            if 0 <= x < SIDE and 0 <= y < SIDE:
                points.append((x, y))
    return points


def _membranes(points: list[tuple[float, float]], gap: float) -> Field:
    """1 on the borders between neighbouring cells, falling to 0 within them."""
    nearest, second = np.full((SIDE, SIDE), 1e6, np.float32), np.full((SIDE, SIDE), 2e6, np.float32)
    for x, y in points:
        found = patch((SIDE, SIDE), x, y, 2.2 * gap)  # no pixel's second neighbour is farther but at the frame's edge
        if found is not None:
            where, dx, dy = found
            far = np.hypot(dx, dy)
            second[where] = np.minimum(second[where], np.maximum(nearest[where], far))
            nearest[where] = np.minimum(nearest[where], far)
    return np.asarray(np.exp(-(((second - nearest) / np.float32(0.16 * gap)) ** 2)), dtype=np.float32)


def _nucleus(blue: Field, x: float, y: float, radius: float, stretch: float, turn: float, rng: random.Random) -> None:
    reach = radius * stretch + 3
    left, right = max(0, int(x - reach)), min(SIDE, int(x + reach) + 2)
    top, bottom = max(0, int(y - reach)), min(SIDE, int(y + reach) + 2)
    dy, dx = np.mgrid[top:bottom, left:right].astype(np.float32)
    dx, dy = dx - np.float32(x), dy - np.float32(y)
    along = (dx * math.cos(turn) + dy * math.sin(turn)) / (radius * stretch**0.6)
    across = (dy * math.cos(turn) - dx * math.sin(turn)) / (radius / stretch**0.4)
    inside = np.hypot(along, across)
    cover = np.clip((1 - inside) * radius / 1.5 + 0.5, 0, 1)
    rim = 0.65 + 0.45 * np.exp(-(((inside - 0.9) / 0.2) ** 2))
    part = blue[top:bottom, left:right]
    np.maximum(part, cover * rim * rng.uniform(0.6, 1.1), out=part)


def _fibres(noise: np.random.Generator, drift: Field) -> Field:
    """Wavy streaks of about -1..1 along the drift of the ground."""
    yy, xx = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    bend = smooth_noise(noise, SIDE, 7) * 5
    wave = np.sin((yy * np.cos(drift * 0.3) - xx * np.sin(drift * 0.3)) * 0.35 + bend)
    streaks = 0.6 * wave * (0.5 + 0.5 * smooth_noise(noise, SIDE, 20)) + 0.5 * smooth_noise(noise, SIDE, 50)
    return np.asarray(streaks, dtype=np.float32)


def _brown(rng: random.Random, noise: np.random.Generator, where: Field, membrane: Field, blue: Field) -> Field:
    """Density of the brown stain: in membranes, in cytoplasm or in nuclei of the islands, unevenly."""
    place = rng.choice(("membrane", "membrane", "cytoplasm", "nucleus"))
    uneven = np.clip(0.8 + 0.5 * smooth_noise(noise, SIDE, 5) + 0.3 * smooth_noise(noise, SIDE, 40), 0.05, None)
    amount = {
        "membrane": 0.3 + 0.9 * membrane,
        "cytoplasm": 0.8 + 0.2 * membrane - 0.3 * blue,
        "nucleus": 1.3 * blue + 0.05,
    }[place]
    return np.asarray(where * np.clip(amount, 0, None) * uneven * rng.uniform(0.5, 1.3), dtype=np.float32)
