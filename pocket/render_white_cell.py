"""One white cell of a named type: body, nucleus and granules, added to the density of a slide."""

from __future__ import annotations

import math
import random

import numpy as np

from pocket.render_frame import Field, Outline, patch, rim, smooth

WHITE_CELLS = ("neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil")
_BODY = {
    "neutrophil": (0.75, 0.85, 1.0),
    "lymphocyte": (1.35, 0.9, 0.4),
    "monocyte": (1.3, 1.05, 0.8),
    "eosinophil": (0.7, 1.2, 1.8),
    "basophil": (1.4, 1.2, 0.8),
}
"""How each type takes up the dyes of the body, by channel."""
_GRAINS = {
    "neutrophil": (60, 0.025, (0.10, 0.22, 0.06)),
    "eosinophil": (120, 0.05, (0.02, 0.40, 0.50)),
    "basophil": (70, 0.06, (0.8, 1.0, 0.3)),
    "monocyte": (25, 0.02, (0.1, 0.15, 0.03)),
}
"""Number of granules, their radius as a share of the cell's, and their absorbance."""
Lobe = tuple[float, float, float]
"""Centre and radius, as shares of the cell's radius."""


def white_cell(density: Field, at: tuple[float, float], size: float, kind: str, nucleus: Field, body: Field,
               rng: random.Random, noise: np.random.Generator) -> Outline:  # fmt: skip
    """Draws the cell into `density` and returns its outline. `size` is the radius, a lymphocyte's is smaller."""
    if kind == "lymphocyte":
        size *= rng.uniform(0.65, 0.9)
    outline = rim(size, rng.choice((0.03, 0.08, 0.14)), rng.uniform(1.0, 1.15), rng)
    found = patch(density.shape, *at, outline.reach)
    if found is None:
        return outline
    where, dx, dy = found
    radius = outline(np.arctan2(dy, dx))
    inside = np.hypot(dx, dy) / radius
    edge = rng.uniform(2.0, 5.0) * max(0.5, size / 60)
    cover = np.clip((1 - inside) * radius / np.float32(edge) + 0.5, 0, 1)
    height, width = inside.shape
    mottle = 1 + rng.uniform(0.1, 0.35) * smooth(noise, height, width, 22)
    dark_rim = rng.choice((0.0, 0.2, 0.9)) * np.exp(-(((inside - 0.94) / 0.06) ** 2))
    thickness = cover * (mottle * (0.85 + 0.15 * inside) + dark_rim)
    density[where] += thickness[..., None] * body * np.array(_BODY[kind], np.float32)
    shape = _nucleus_cover(_lobes(kind, rng), dx / size, dy / size, size, rng, noise) * (inside < 0.97)
    chromatin = 1 + rng.uniform(0.08, 0.3) * smooth(noise, height, width, rng.choice((9, 14, 20)))
    density[where] += (shape * chromatin)[..., None] * nucleus
    if kind in _GRAINS:
        _granules(density, at, size, kind, rng)
    return outline


def _lobes(kind: str, rng: random.Random) -> list[Lobe]:
    """The nucleus as discs that join: a chain of lobes, a horseshoe, a kidney or one round body."""
    start = rng.uniform(0, 2 * math.pi)
    if kind == "lymphocyte":
        return [(rng.uniform(-0.1, 0.1), rng.uniform(-0.1, 0.1), rng.uniform(0.72, 0.88))]
    if kind == "basophil":
        return [(rng.uniform(-0.2, 0.2), rng.uniform(-0.2, 0.2), rng.uniform(0.35, 0.5)) for _ in range(3)]
    if kind == "monocyte":
        bend, far, thick = rng.uniform(0.25, 0.5), rng.uniform(0.3, 0.42), rng.uniform(0.32, 0.42)
        return [_on_arc(start + (n - 3) * bend, far, thick) for n in range(7)]
    if kind == "neutrophil" and rng.random() < 0.3:  # a band
        bend, thick = rng.uniform(0.35, 0.5), rng.uniform(0.2, 0.26)
        return [_on_arc(start + (n - 4) * bend, 0.5, thick) for n in range(9)]
    count = 2 if kind == "eosinophil" else rng.randint(3, 5)
    step = rng.uniform(1.5, 2.2) if kind == "eosinophil" else rng.uniform(1.0, 1.4)
    chain: list[Lobe] = []
    for n in range(count):
        far = rng.uniform(0.38, 0.52)
        chain.append(_on_arc(start + n * step, far, rng.uniform(0.3, 0.36) if count == 2 else rng.uniform(0.21, 0.3)))
        if n < count - 1:  # the thread to the next lobe
            chain += [_on_arc(start + (n + share) * step, 0.44, 0.1) for share in (0.35, 0.5, 0.65)]
    return chain


def _on_arc(angle: float, far: float, radius: float) -> Lobe:
    return far * math.cos(angle), far * math.sin(angle), radius


def _nucleus_cover(lobes: list[Lobe], dx: Field, dy: Field, size: float, rng: random.Random,
                   noise: np.random.Generator) -> Field:  # fmt: skip
    """0..1 over the patch; `dx` and `dy` are shares of the cell's radius. Lobes are bent a little by noise."""
    height, width = dx.shape
    bend = np.float32(rng.uniform(0.03, 0.12))
    dx, dy = dx + bend * smooth(noise, height, width, 5), dy + bend * smooth(noise, height, width, 5)
    depth = np.full_like(dx, -10)
    for x, y, radius in lobes:
        np.maximum(depth, np.float32(radius) - np.hypot(dx - np.float32(x), dy - np.float32(y)), out=depth)
    soft = rng.uniform(0.02, 0.08) + 1.2 / size
    return np.asarray(np.clip(depth / np.float32(soft) + 0.5, 0, 1), dtype=np.float32)


def _granules(density: Field, at: tuple[float, float], size: float, kind: str, rng: random.Random) -> None:
    number, share, colour = _GRAINS[kind]
    radius = max(0.9, size * share)
    for _ in range(number):
        angle, far = rng.uniform(0, 2 * math.pi), size * 0.9 * math.sqrt(rng.random())
        found = patch(density.shape, at[0] + far * math.cos(angle), at[1] + far * math.sin(angle), radius + 2)
        if found is not None:
            where, dx, dy = found
            cover = np.clip(radius - np.hypot(dx, dy) + 0.5, 0, 1)
            density[where] += cover[..., None] * np.array(colour, np.float32)
