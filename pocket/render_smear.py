"""Blood smears: fields of red cells with white cells and platelets, and single white cells close up.

Light passes through stain: densities add up, so that overlaps darken as they do on a slide. Each cell whose
centre lies in the frame has a box; cells that only reach in from outside are drawn and not counted.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pocket.facts import Facts
from pocket.render_frame import Box, Drawing, Field, Outline, patch, places, rim, smooth, sum_of_boxes
from pocket.render_white_cell import WHITE_CELLS, white_cell

Colour = tuple[float, float, float]
_FRAMES = ((384, 384), (384, 384), (400, 400), (384, 512), (384, 512), (360, 480), (330, 480))
"""Height and width of a field."""


@dataclass(frozen=True)
class Stain:
    """Light of the empty slide in RGB, and the absorbance in RGB of red cells, of nuclei and of white cells' bodies."""

    ground: Colour
    red: Colour
    nucleus: Colour
    body: Colour


STAINS = (
    Stain((0.86, 0.87, 0.82), (0.17, 0.42, 0.42), (0.66, 1.20, 0.06), (0.16, 0.30, 0.04)),
    Stain((0.88, 0.86, 0.86), (0.14, 0.36, 0.30), (0.70, 1.25, 0.15), (0.14, 0.28, 0.05)),
    Stain((0.96, 0.88, 0.87), (0.24, 0.52, 0.32), (1.40, 1.70, 0.75), (0.26, 0.34, 0.16)),
    Stain((0.93, 0.84, 0.80), (0.22, 0.48, 0.34), (1.15, 1.55, 0.55), (0.22, 0.34, 0.14)),
    Stain((0.97, 0.95, 0.95), (0.08, 0.40, 0.34), (0.95, 1.40, 0.40), (0.18, 0.34, 0.16)),
    Stain((0.93, 0.93, 0.92), (0.22, 0.36, 0.26), (1.05, 1.35, 0.50), (0.26, 0.30, 0.10)),
    Stain((0.90, 0.93, 0.96), (0.30, 0.40, 0.30), (1.20, 1.30, 0.55), (0.34, 0.32, 0.12)),
    Stain((0.98, 0.93, 0.86), (0.05, 0.34, 0.46), (0.75, 1.30, 0.45), (0.14, 0.32, 0.22)),
    Stain((0.84, 0.80, 0.84), (0.20, 0.34, 0.20), (0.85, 1.20, 0.30), (0.22, 0.28, 0.06)),
)
SINGLE_CELL_STAINS = (
    Stain((1.00, 0.97, 0.58), (0.06, 0.08, 0.16), (0.55, 1.55, 0.45), (0.32, 0.44, 0.22)),
    Stain((0.96, 0.91, 0.52), (0.10, 0.14, 0.18), (0.50, 1.35, 0.35), (0.38, 0.50, 0.18)),
    Stain((1.00, 0.99, 0.62), (0.04, 0.06, 0.20), (0.80, 1.70, 0.55), (0.28, 0.40, 0.30)),
    Stain((1.00, 0.99, 1.00), (0.05, 0.16, 0.06), (1.15, 1.85, 0.60), (0.22, 0.46, 0.36)),
    Stain((1.00, 1.00, 1.00), (0.10, 0.20, 0.05), (1.35, 1.60, 0.65), (0.26, 0.38, 0.28)),
    Stain((0.96, 0.89, 0.87), (0.22, 0.55, 0.36), (1.50, 1.85, 0.85), (0.28, 0.36, 0.20)),
    Stain((0.90, 0.82, 0.78), (0.24, 0.50, 0.30), (1.00, 1.40, 0.42), (0.20, 0.28, 0.08)),
)


@dataclass
class _Slide:
    """What lies on the slide so far: absorbance `(height, width, 3)` and the boxes of the cells."""

    density: Field
    boxes: list[Box] = field(default_factory=list)

    def lay(self, name: str, x: float, y: float, outline: Outline, colour: NDArray[np.float32],
            thickness: Callable[[Field], Field], edge: float, flat: bool = False) -> None:  # fmt: skip
        """Adds one body of a thickness by distance, 0 in the centre and 1 at the rim, and its box.

        `flat`: it is pressed where it lies on others, so that overlaps darken less than the sum.
        """
        found = patch(self.density.shape, x, y, outline.reach)
        if found is not None:
            where, dx, dy = found
            radius = outline(np.arctan2(dy, dx))
            inside = np.hypot(dx, dy) / radius
            cover = np.clip((1 - inside) * radius / np.float32(edge) + 0.5, 0, 1)
            added = (cover * thickness(np.clip(inside, 0, 1)))[..., None] * colour
            self.density[where] = np.hypot(self.density[where], added) if flat else self.density[where] + added
        self.box(name, x, y, outline)

    def box(self, name: str, x: float, y: float, outline: Outline) -> None:
        height, width = self.density.shape[:2]
        if 0 <= x < width and 0 <= y < height:
            self.boxes.append(outline.box(name, x, y, width, height))


def draw_smear(rng: random.Random, noise: np.random.Generator) -> Drawing:
    """A field of cells at some magnification, every third at that of the BCCD data set."""
    if rng.random() < 0.35:
        height, width = rng.choice(((384, 512), (384, 512), (384, 384)))
        radius, filled = rng.uniform(33, 46), rng.uniform(0.12, 0.9)
        stain = _varied(rng.choice(STAINS[:4]), rng)
    else:
        height, width = rng.choice(_FRAMES)
        radius, filled = math.exp(rng.uniform(math.log(5), math.log(90))), rng.uniform(0.04, 0.9)
        stain = _varied(rng.choice(STAINS), rng)
    slide = _Slide(np.zeros((height, width, 3), np.float32))
    white_size = radius * rng.uniform(1.3, 1.95)
    whites = places(
        rng.choices((0, 1, 2, 3, 5), (0.4, 0.4, 0.12, 0.05, 0.03))[0], (height, width), 1.9 * white_size, rng
    )
    whites = whites[: max(1, round(height * width / (6 * white_size**2)))]
    _red_cells(slide, stain, radius, filled, [(x, y, white_size) for x, y in whites], rng)
    kinds = _white_cells(slide, stain, whites, white_size, rng, noise)
    _platelets(slide, stain, radius, [(x, y, white_size) for x, y in whites], rng)
    return _developed(slide, stain, kinds, rng, noise)


def draw_closeup(rng: random.Random, noise: np.random.Generator) -> Drawing:
    """One white cell, seldom two, at high magnification, whole or cut by the edge; red cells many, pale or none."""
    height, width = rng.choice(((384, 384), (384, 384), (384, 384), (360, 480)))
    stain = _varied(rng.choice((*SINGLE_CELL_STAINS, *SINGLE_CELL_STAINS, *STAINS)), rng)
    size = rng.uniform(55, 150)
    spots = [_spot(height, width, size, rng)]
    if rng.random() < 0.1:
        other = _spot(height, width, size, rng)
        spots += [other] if math.hypot(other[0] - spots[0][0], other[1] - spots[0][1]) > 1.8 * size else []
    slide = _Slide(np.zeros((height, width, 3), np.float32))
    radius = size * rng.uniform(0.45, 0.8)
    taken = [(x, y, size) for x, y in spots]
    if rng.random() < 0.8:
        _red_cells(slide, stain, radius, rng.choice((0.1, 0.3, 0.5, 0.8)), taken, rng)
    kinds = _white_cells(slide, stain, spots, size, rng, noise)
    if rng.random() < 0.6:
        _platelets(slide, stain, radius, taken, rng)
    return _developed(slide, stain, kinds, rng, noise)


def _spot(height: int, width: int, size: float, rng: random.Random) -> tuple[float, float]:
    """Where a single cell lies: in the middle, anywhere whole, or cut by an edge but mostly visible."""
    place = rng.random()
    if place < 0.45:
        return width / 2 + rng.uniform(-0.1, 0.1) * width, height / 2 + rng.uniform(-0.1, 0.1) * height
    margin = min(size, 0.45 * height) if place < 0.8 else 0.3 * size
    x, y = rng.uniform(margin, width - margin), rng.uniform(margin, height - margin)
    if place >= 0.8:
        near = rng.uniform(0.25, 0.9) * size
        x, y = rng.choice(((near, y), (width - near, y), (x, near), (x, height - near), (near, near)))
    return x, y


def _varied(stain: Stain, rng: random.Random) -> Stain:
    """The stain as another laboratory would have it: paler or stronger, channels shifted."""

    def shifted(colour: Colour, strength: float, spread: float) -> Colour:
        made = [max(0.0, c * strength * rng.uniform(1 - spread, 1 + spread)) for c in colour]
        return made[0], made[1], made[2]

    strength = rng.uniform(0.6, 1.35)
    ground = shifted(stain.ground, rng.uniform(0.9, 1.02), 0.04)
    red = shifted(stain.red, strength * rng.uniform(0.7, 1.3), 0.25)
    nucleus = shifted(stain.nucleus, 0.35 + 0.65 * strength, 0.12)
    return Stain(ground, red, nucleus, shifted(stain.body, strength, 0.2))


def _red_cells(slide: _Slide, stain: Stain, radius: float, filled: float, whites: list[tuple[float, float, float]],
               rng: random.Random) -> None:  # fmt: skip
    """Covers about `filled` of the frame; round and apart, or clumped and overlapping, with more or less pallor."""
    height, width = slide.density.shape[:2]
    area = (height + radius) * (width + radius)
    wanted = min(420, max(1, round(filled * area / (math.pi * radius**2))))
    gap = radius * rng.choice((rng.uniform(0.8, 1.4), rng.uniform(1.5, 2.0)))
    spots = places(wanted, (height, width), gap, rng, rng.choice((0.0, 0.3, 0.65)), margin=0.8 * radius)
    if rng.random() < 0.75:
        spots = [p for p in spots if all(math.hypot(p[0] - x, p[1] - y) > 0.9 * s + 0.6 * radius for x, y, s in whites)]
    spots = [p for p in spots if _seen(p, radius, height, width)]
    pallor = rng.choice((rng.uniform(0.0, 0.4), rng.uniform(0.4, 0.95)))
    edge, flat = rng.uniform(1.5, 3.0) * max(1.0, radius / 30), rng.random() < 0.7
    odd, uneven = rng.choice((0.03, 0.06, 0.14)), rng.uniform(0.02, 0.22)
    lens = rng.random() < 0.15
    for x, y in spots:
        outline = rim(radius * rng.uniform(0.85, 1.12), odd, rng.choice((1.0, 1.0, 1.1, 1.3)), rng)
        colour = np.array(stain.red, np.float32) * np.float32(rng.uniform(1 - uneven, 1 + uneven))
        slide.lay("RBC", x, y, outline, colour, _disc(pallor, rng), edge, flat)
    for x, y in spots if lens else ():
        if rng.random() < 0.4:
            _refraction(slide, x, y, radius, rng)


def _seen(spot: tuple[float, float], radius: float, height: int, width: int) -> bool:
    """False for a cell whose centre lies just outside: whether it counts would be a matter of a few pixels."""
    beyond = max(-spot[0], spot[0] - width, -spot[1], spot[1] - height)
    return beyond < 0 or beyond > 0.35 * radius


def _disc(pallor: float, rng: random.Random) -> Callable[[Field], Field]:
    """Thickness of one red cell: thin in the middle, with a rounded rim."""
    hole, depth = rng.uniform(0.3, 0.55), min(0.97, pallor * rng.uniform(0.6, 1.1))
    sharp, rim_light = rng.choice((2, 2, 4)), rng.uniform(0.0, 0.25)

    def thickness(d: Field) -> Field:
        return np.asarray(1 - depth * np.exp(-((d / hole) ** sharp)) + rim_light * np.exp(-(((d - 0.92) / 0.07) ** 2)))

    return thickness


def _refraction(slide: _Slide, x: float, y: float, radius: float, rng: random.Random) -> None:
    """A small ring of bent light on a red cell, as drying leaves it."""
    x, y = x + rng.uniform(-0.4, 0.4) * radius, y + rng.uniform(-0.4, 0.4) * radius
    outline = rim(radius * rng.uniform(0.08, 0.28), 0.2, rng.uniform(1, 1.6), rng)
    found = patch(slide.density.shape, x, y, outline.reach)
    if found is not None:
        where, dx, dy = found
        inside = np.hypot(dx, dy) / outline(np.arctan2(dy, dx))
        ring = 0.7 * np.exp(-(((inside - 0.85) / 0.2) ** 2)) - 0.5 * np.exp(-((inside / 0.5) ** 2))
        slide.density[where] += ring[..., None].astype(np.float32) * np.array((0.7, 1.0, 0.7), np.float32)


def _white_cells(slide: _Slide, stain: Stain, spots: list[tuple[float, float]], size: float, rng: random.Random,
                 noise: np.random.Generator) -> list[str]:  # fmt: skip
    """The types drawn."""
    kinds = []
    for x, y in spots:
        kind = rng.choices(WHITE_CELLS, (0.46, 0.27, 0.12, 0.1, 0.05))[0]
        strength = rng.uniform(0.85, 1.15)
        nucleus, body = np.array(stain.nucleus, np.float32) * strength, np.array(stain.body, np.float32) * strength
        outline = white_cell(slide.density, (x, y), size, kind, nucleus, body, rng, noise)
        slide.box("WBC", x, y, outline)
        kinds.append(kind)
    return kinds


def _platelets(slide: _Slide, stain: Stain, radius: float, whites: list[tuple[float, float, float]],
               rng: random.Random) -> None:  # fmt: skip
    """Small purple grains with a pale fringe in about half of the fields, alone or in a heap, also over red cells."""
    if radius < 8 or rng.random() < 0.45:
        return
    height, width = slide.density.shape[:2]
    clump = rng.choice((0.0, 0.0, 0.8))
    for x, y in places(rng.choice((1, 1, 2, 3, 5, 9)), (height, width), 0.6 * radius, rng, clump):
        if any(math.hypot(x - a, y - b) < 1.1 * size + 0.3 * radius for a, b, size in whites):
            continue
        size = max(2.6, radius * rng.uniform(0.16, 0.34))
        purple = np.array(stain.nucleus, np.float32) * np.float32(rng.uniform(0.5, 0.85))
        fringe = rim(size * 1.25, 0.3, rng.uniform(1.0, 1.5), rng)
        core = rim(size * 0.85, 0.35, rng.uniform(1.0, 1.4), rng)
        slide.lay("Platelets", x, y, fringe, purple * 0.35, lambda d: 1 - 0.6 * d, size * 0.5)
        slide.lay("", x, y, core, purple, lambda d: 1 - 0.5 * d, max(1.2, size * 0.4))
        slide.boxes.pop()  # the core has no box of its own


def _developed(slide: _Slide, stain: Stain, kinds: list[str], rng: random.Random,
               noise: np.random.Generator) -> Drawing:  # fmt: skip
    """Light through the slide, with an uneven and slightly dirty ground, and what is true of it."""
    height, width = slide.density.shape[:2]
    dirt = smooth(noise, height, width, 6) * rng.uniform(0.0, 0.03) + smooth(noise, height, width, 40) * 0.008
    if rng.random() < 0.2:  # stained plasma
        haze = np.clip(smooth(noise, height, width, rng.choice((3, 8))), 0, 2)
        slide.density += haze[..., None] * np.array(stain.body, np.float32) * np.float32(rng.uniform(0.1, 0.5))
    light = np.array(stain.ground, np.float32) * (1 + dirt[..., None]) * np.exp(-slide.density)
    counts = sum_of_boxes(slide.boxes)
    cell = kinds[0] if len(set(kinds)) == 1 else None
    facts = Facts("smear", red=counts["RBC"], white=counts["WBC"], platelets=counts["Platelets"], cell=cell)
    return Drawing(light.astype(np.float32), facts, tuple(slide.boxes))
