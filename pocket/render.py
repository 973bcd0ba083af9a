"""Draws biomedical-looking images whose contents are known exactly, from a seed.

Light passes through stain: each cell multiplies what lies under it by `exp(-density)`, so that overlaps
darken as they do on a slide. Nothing here knows of models, data folders or prompts.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imaging.types import Pixels
from pocket.facts import Facts, caption
from pocket.render_radiograph import draw_radiograph
from pocket.render_tissue import draw_tissue, smooth_noise

Field = NDArray[np.float32]
RenderKind = Literal["smear", "fluorescence", "tissue", "radiograph", "blank", "noise", "closeup"]
RENDER_KINDS: tuple[RenderKind, ...] = ("smear", "fluorescence", "tissue", "radiograph", "blank", "noise", "closeup")
_GRAINS = {
    "eosinophil": (70, (0.02, 0.45, 0.55)),
    "basophil": (60, (0.9, 1.0, 0.3)),
    "neutrophil": (25, (0.1, 0.2, 0.05)),
}
"""Number of granules and their absorbance."""
WHITE_CELLS = ("neutrophil", "lymphocyte", "monocyte", "eosinophil", "basophil")
SIDE = 384
_GROUNDS = (
    (0.97, 0.95, 0.91), (0.93, 0.93, 0.93), (0.90, 0.93, 0.96), (0.97, 0.92, 0.93), (0.86, 0.88, 0.84),
    (0.95, 0.95, 0.87), (0.82, 0.80, 0.82),
)  # fmt: skip
_STRONG_GROUNDS = ((0.97, 0.94, 0.5), (0.99, 0.95, 0.62), (0.98, 0.97, 0.98), (0.95, 0.85, 0.88), (0.78, 0.74, 0.8))
_PIGMENTS = (
    (0.10, 0.42, 0.38), (0.16, 0.36, 0.36), (0.20, 0.34, 0.28), (0.12, 0.50, 0.52), (0.30, 0.38, 0.36),
    (0.22, 0.30, 0.24),
)  # fmt: skip
_PURPLES = ((0.95, 1.30, 0.35), (1.2, 1.35, 0.45), (0.75, 1.25, 0.55), (1.4, 1.2, 0.6))
"""Light of the empty slide, and absorbances in RGB of red cells and of nuclei, as different stains give them."""


@dataclass(frozen=True, eq=False)
class Rendered:
    """uint8 RGB pixels, the caption true of them, and the exact facts. Counts are of cells whose centre shows."""

    pixels: Pixels
    caption: str
    facts: Facts


def render(kind: RenderKind, seed: int) -> Rendered:
    """The image of `kind` that belongs to `seed`; the same seed gives the same pixels."""
    rng = random.Random(f"{kind}/{seed}")
    noise = np.random.default_rng([RENDER_KINDS.index(kind), seed])
    maker: dict[RenderKind, Callable[[random.Random, np.random.Generator], tuple[Field, Facts]]] = {
        "smear": _smear,
        "fluorescence": _fluorescence,
        "tissue": draw_tissue,
        "radiograph": draw_radiograph,
        "blank": _blank,
        "noise": _static,
        "closeup": _closeup,
    }
    field, facts = maker[kind](rng, noise)
    pixels = _photograph(field, facts.kind, rng, noise)
    return Rendered(pixels, caption(facts), facts)


def _photograph(field: Field, kind: str, rng: random.Random, noise: np.random.Generator) -> Pixels:
    """The camera: uneven light, blur, grain. `field` is `(h, w, 3)` in 0..1."""
    height, width = field.shape[:2]
    if kind in ("smear", "tissue"):
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        fall = rng.uniform(0, 0.12)
        field = field * (1 - fall * ((x - rng.uniform(-0.5, 0.5)) ** 2 + (y - rng.uniform(-0.5, 0.5)) ** 2))[..., None]
    image = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    if kind != "unknown":
        image = image.filter(ImageFilter.GaussianBlur(rng.choice((0.4, 0.6, 0.8, 1.2, 1.8))))
    grain = noise.normal(0, rng.uniform(0.5, 4.0), (height, width, 1))
    return np.clip(np.asarray(image, dtype=np.float32) + grain, 0, 255).astype(np.uint8)


def _rim(radius: float, wobble: float, elongation: float, rng: random.Random) -> Callable[[Field], Field]:
    """The outline of a cell: radius by angle, a stretched circle with a few gentle waves."""
    waves = [(n, rng.uniform(0, wobble) / n, rng.uniform(0, 2 * math.pi)) for n in (2, 3, 4, 5)]
    turn = rng.uniform(0, math.pi)

    def outline(angle: Field) -> Field:
        shape = 1 + (elongation - 1) * np.cos(angle - turn) ** 2
        for n, size, phase in waves:
            shape = shape + size * np.cos(n * angle + phase)
        return np.asarray(radius * shape)

    return outline


def _patch(field: Field, x: float, y: float, reach: float) -> tuple[tuple[slice, slice], Field, Field] | None:
    """The slices of `field` around a centre, with distance and angle of each pixel; None where none is inside."""
    height, width = field.shape[:2]
    left, right = max(0, int(x - reach)), min(width, int(x + reach) + 2)
    top, bottom = max(0, int(y - reach)), min(height, int(y + reach) + 2)
    if left >= right or top >= bottom:
        return None
    dy, dx = np.mgrid[top:bottom, left:right].astype(np.float32)
    dx, dy = dx - np.float32(x), dy - np.float32(y)
    return (slice(top, bottom), slice(left, right)), np.hypot(dx, dy), np.arctan2(dy, dx)


def _stain(field: Field, x: float, y: float, outline: Callable[[Field], Field], reach: float, density: Field,
           depth: Callable[[Field], Field], edge: float) -> None:  # fmt: skip
    """Multiplies in one body: `depth` maps 0 (centre) .. 1 (rim) to thickness, `density` is its absorbance in RGB."""
    found = _patch(field, x, y, reach)
    if found is None:
        return
    where, distance, angle = found
    inside = distance / outline(angle)
    cover = np.clip((1 - inside) * outline(angle) / edge + 0.5, 0, 1)
    field[where] *= np.exp(-(cover * depth(np.clip(inside, 0, 1)))[..., None] * density)


def _places(count: int, gap: float, rng: random.Random, clump: float) -> list[tuple[float, float]]:
    """Centres in the frame, at least `gap` apart where there is room; `clump` is how often one lands by another."""
    made: list[tuple[float, float]] = []
    for _ in range(count):
        for _attempt in range(30):
            x, y = rng.uniform(0, SIDE), rng.uniform(0, SIDE)
            if made and rng.random() < clump:
                near, angle = rng.choice(made), rng.uniform(0, 2 * math.pi)
                x, y = near[0] + 1.1 * gap * math.cos(angle), near[1] + 1.1 * gap * math.sin(angle)
            if 0 <= x < SIDE and 0 <= y < SIDE and all(math.hypot(x - a, y - b) >= gap for a, b in made):
                made.append((x, y))
                break
    return made


def _smear(rng: random.Random, noise: np.random.Generator) -> tuple[Field, Facts]:
    radius = rng.choice((9, 14, 20, 26, 30, 34, 40)) * rng.uniform(0.85, 1.15)
    base = np.array(rng.choice(_GROUNDS), dtype=np.float32)
    field = np.ones((SIDE, SIDE, 3), np.float32) * base * (1 + 0.02 * smooth_noise(noise, SIDE, 6)[..., None])
    room = SIDE * SIDE / (math.pi * radius * radius)
    reds = _places(
        max(1, round(room * rng.uniform(0.05, 0.85))), radius * rng.uniform(1.2, 1.8), rng, rng.uniform(0, 0.6)
    )
    whites = rng.choices((0, 1, 2, 3, 4), (0.42, 0.36, 0.13, 0.06, 0.03))[0]
    size = radius * rng.uniform(1.35, 1.9)
    spots = _places(whites, 2 * size, rng, 0.0)
    if rng.random() < 0.7:
        reds = [p for p in reds if all(math.hypot(p[0] - w[0], p[1] - w[1]) > 0.9 * size + 0.6 * radius for w in spots)]
    pigment = np.array(rng.choice(_PIGMENTS), dtype=np.float32)
    pigment = pigment * rng.uniform(0.7, 1.5)
    pallor, edge = rng.uniform(0.15, 0.85), rng.uniform(1.5, 3.0)
    for x, y in reds:
        _red_cell(field, x, y, radius * rng.uniform(0.85, 1.12), pigment * rng.uniform(0.85, 1.15), pallor, edge, rng)
    purple = np.array(rng.choice(_PURPLES), np.float32)
    kinds = [rng.choices(WHITE_CELLS, (0.5, 0.28, 0.1, 0.08, 0.04))[0] for _ in spots]
    for (x, y), kind in zip(spots, kinds, strict=True):
        draw_white_cell(field, x, y, size, kind, purple * rng.uniform(0.8, 1.15), rng)
    platelets = _places(rng.choice((0, 0, 1, 2, 4, 8)), radius, rng, 0.3)
    for x, y in platelets:
        outline = _rim(radius * rng.uniform(0.18, 0.32), 0.3, rng.uniform(1, 1.5), rng)
        _stain(field, x, y, outline, radius, purple * 0.5, lambda d: 1 - 0.4 * d, 2.0)
    cell = kinds[0] if len(set(kinds)) == 1 else None
    return field, Facts("smear", red=len(reds), white=len(spots), platelets=len(platelets), cell=cell)


def _closeup(rng: random.Random, noise: np.random.Generator) -> tuple[Field, Facts]:
    """One white cell near the middle at high magnification, red cells around it: pale, few or none."""
    size, radius = rng.uniform(70, 150), rng.uniform(50, 105)
    base = np.array(rng.choice((*_GROUNDS, *_STRONG_GROUNDS)), dtype=np.float32)
    field = np.ones((SIDE, SIDE, 3), np.float32) * base * (1 + 0.03 * smooth_noise(noise, SIDE, 8)[..., None])
    x, y = SIDE / 2 + rng.uniform(-50, 50), SIDE / 2 + rng.uniform(-50, 50)
    reds = [
        place
        for place in _places(rng.choice((0, 0, 2, 4, 6, 9)), radius * 1.5, rng, 0.2)
        if math.hypot(place[0] - x, place[1] - y) > 0.9 * size + 0.6 * radius
    ]
    pigment = np.array(rng.choice(_PIGMENTS), dtype=np.float32) * rng.choice((0.15, 0.4, 0.8, 1.1))
    pallor = rng.uniform(0.2, 0.95)
    for place in reds:
        _red_cell(field, *place, radius * rng.uniform(0.85, 1.12), pigment, pallor, rng.uniform(2, 5), rng)
    kind = rng.choice(WHITE_CELLS)
    purple = np.array(rng.choice((*_PURPLES, (0.7, 1.5, 0.9))), np.float32) * rng.uniform(0.6, 1.1)
    draw_white_cell(field, x, y, size, kind, purple, rng)
    return field, Facts("smear", red=len(reds), white=1, platelets=0, cell=kind)


def _red_cell(field: Field, x: float, y: float, radius: float, pigment: Field, pallor: float, edge: float,
              rng: random.Random) -> None:  # fmt: skip
    outline = _rim(radius, rng.choice((0.03, 0.06, 0.15)), rng.choice((1, 1, 1.1, 1.3)), rng)
    hole, depth = rng.uniform(0.3, 0.5), pallor * rng.uniform(0.6, 1.1)

    def thickness(d: Field) -> Field:
        return np.asarray(1 - depth * np.exp(-((d / hole) ** 2)) + 0.15 * np.exp(-(((d - 0.93) / 0.06) ** 2)))

    _stain(field, x, y, outline, radius * 1.8, pigment, thickness, edge)


def draw_white_cell(
    field: Field, x: float, y: float, size: float, kind: str, purple: Field, rng: random.Random
) -> None:
    """One white cell of a named type: its body, its nucleus, its granules, multiplied into `field` (0..1 RGB)."""
    body = {"neutrophil": (0.12, 0.22, 0.10), "lymphocyte": (0.32, 0.26, 0.06), "monocyte": (0.30, 0.28, 0.14),
            "eosinophil": (0.08, 0.38, 0.32), "basophil": (0.30, 0.36, 0.16)}[kind]  # fmt: skip
    if kind == "lymphocyte":
        size *= rng.uniform(0.62, 0.85)
    _stain(field, x, y, _rim(size, 0.06, rng.uniform(1, 1.12), rng), size * 1.5, np.array(body, np.float32),
           lambda d: 0.8 + 0.3 * d, 3.0)  # fmt: skip
    lobes: list[tuple[float, float, float, float]] = []
    start = rng.uniform(0, 2 * math.pi)
    if kind in ("neutrophil", "eosinophil"):
        count = 2 if kind == "eosinophil" else rng.randint(3, 5)
        for n in range(count):
            angle = start + n * rng.uniform(0.9, 1.4)
            lobes.append((0.42 * size * math.cos(angle), 0.42 * size * math.sin(angle), rng.uniform(0.28, 0.38), 1.25))
    elif kind == "lymphocyte":
        lobes.append((rng.uniform(-0.08, 0.08) * size, rng.uniform(-0.08, 0.08) * size, rng.uniform(0.76, 0.88), 1.05))
    elif kind == "monocyte":
        for n in range(5):
            angle = start + (n - 2) * 0.55
            lobes.append((0.32 * size * math.cos(angle), 0.32 * size * math.sin(angle), 0.36, 1.1))
    else:
        lobes.append((0.0, 0.0, 0.6, 1.15))
    nucleus = np.ones_like(field)  # drawn apart: lobes join where they touch instead of doubling
    for dx, dy, share, stretch in lobes:
        layer = np.ones_like(field)
        texture, phase = rng.uniform(0.1, 0.25), rng.uniform(0, 6)
        _stain(layer, x + dx, y + dy, _rim(size * share, 0.1, stretch, rng), size, purple,
               lambda d, t=texture, p=phase: 1 - t * np.sin(9 * d + p) ** 2, 2.5)  # type: ignore[misc]  # fmt: skip
        nucleus = np.minimum(nucleus, layer)
    field *= nucleus
    if kind in _GRAINS:
        number, colour = _GRAINS[kind]
        for _ in range(number):
            angle, far = rng.uniform(0, 2 * math.pi), size * 0.9 * math.sqrt(rng.random())
            outline = _rim(max(0.8, size * 0.06), 0.0, 1.0, rng)
            _stain(field, x + far * math.cos(angle), y + far * math.sin(angle), outline, size * 0.2,
                   np.array(colour, np.float32), lambda d: 1 - 0.3 * d, 1.0)  # fmt: skip


def _fluorescence(rng: random.Random, noise: np.random.Generator) -> tuple[Field, Facts]:
    radius = rng.choice((6, 8, 11, 15, 20, 28)) * rng.uniform(0.85, 1.2)
    room = SIDE * SIDE / (math.pi * radius * radius)
    wanted = max(1, round(min(220.0, room * 10 ** rng.uniform(-2.0, -0.35))))
    spots = _places(wanted, radius * rng.uniform(1.3, 2.2), rng, rng.uniform(0, 0.6))
    light = np.full((SIDE, SIDE), rng.uniform(0.0, 0.06), np.float32)
    light += rng.uniform(0, 0.05) * (smooth_noise(noise, SIDE, 4) + 1) / 2
    grainy = smooth_noise(noise, SIDE, 60)
    strength, spread = rng.uniform(0.3, 0.85), rng.uniform(0.05, 0.35)
    for x, y in spots:
        outline = _rim(radius * rng.uniform(0.8, 1.2), rng.choice((0.04, 0.1)), rng.uniform(1.0, 1.7), rng)
        found = _patch(light, x, y, radius * 3)
        if found is None:
            continue
        where, distance, angle = found
        inside = distance / outline(angle)
        cover = np.clip((1 - inside) * radius / rng.uniform(1.5, 4.0) + 0.5, 0, 1)
        bright = strength * rng.uniform(1 - spread, 1 + spread)
        light[where] += bright * cover * (1 - 0.3 * np.clip(inside, 0, 1) ** 2) * (1 + 0.25 * grainy[where])
        light[where] += 0.06 * bright * np.exp(-np.clip(inside - 1, 0, None) * 1.5)  # glow around it
    colour = rng.choice(((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.2, 0.4, 1.0), (0.1, 0.15, 1.0), (0.2, 1.0, 0.3),
                         (1.0, 0.25, 0.2), (0.15, 0.9, 0.9)))  # fmt: skip
    return light[..., None] * np.array(colour, np.float32), Facts("fluorescence", nuclei=len(spots))


def _blank(rng: random.Random, _: np.random.Generator) -> tuple[Field, Facts]:
    colour = np.array([rng.random() for _n in range(3)], np.float32)
    if rng.random() < 0.5:
        colour[:] = rng.choice((0.0, 1.0, colour[0]))
    return np.ones((SIDE, SIDE, 3), np.float32) * colour, Facts("unknown")


def _static(rng: random.Random, noise: np.random.Generator) -> tuple[Field, Facts]:
    channels, coarse = rng.choice((1, 3)), rng.choice((1, 2, 4, 8))
    field = noise.normal(0.5, rng.uniform(0.1, 0.4), (SIDE // coarse, SIDE // coarse, channels))
    grown = np.kron(field, np.ones((coarse, coarse, 1)))
    return np.broadcast_to(grown, (*grown.shape[:2], 3)).astype(np.float32), Facts("unknown")
