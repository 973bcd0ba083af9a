"""A map of tissues painted with smooth shapes: the anatomy of a slice before any modality has looked at it.

Coordinates are those of the frame, -1..1 from left to right and from top to bottom, before it is turned and zoomed.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Point = tuple[float, float]
Labels = NDArray[np.uint8]
SIDE = 768
"""Side of the map in pixels, twice that of the image."""


class Tissue(IntEnum):
    """What a slice is made of."""

    OUTSIDE = 0
    SKIN = 1
    FAT = 2
    MUSCLE = 3
    BONE = 4
    MARROW = 5
    WHITE = 6
    GREY = 7
    DEEP = 8
    """Deep grey matter."""
    CSF = 9
    LUNG = 10
    AIR = 11
    BLOOD = 12
    LIVER = 13
    SPLEEN = 14
    CORTEX = 15
    """Of the kidney."""
    MEDULLA = 16
    BOWEL = 17
    FLUID = 18
    ORGAN = 19
    """Pancreas, prostate, uterus, glands."""
    DISC = 20
    CORD = 21
    CARTILAGE = 22
    LIGAMENT = 23
    """Ligaments, tendons, menisci, dura."""
    HEART = 24
    LESION = 25


class Painter:
    """Paints onto a map of tissues, each stroke over what is there, or only `over` some tissues."""

    def __init__(self, rng: random.Random, wobble: float = 1.0) -> None:
        self.rng = rng
        self.labels: Labels = np.zeros((SIDE, SIDE), np.uint8)
        self._wobble = wobble
        turn, zoom = math.radians(rng.gauss(0, 5)), rng.uniform(0.82, 1.06)
        stretch = rng.uniform(0.93, 1.07)
        self._matrix = (
            zoom * stretch * math.cos(turn), -zoom / stretch * math.sin(turn),
            zoom * stretch * math.sin(turn), zoom / stretch * math.cos(turn),
        )  # fmt: skip
        self._shift = rng.gauss(0, 0.035), rng.gauss(0, 0.035)
        self._mirror = -1.0 if rng.random() < 0.12 else 1.0

    def near(self, value: float, spread: float = 0.08) -> float:
        """The value as another person has it: `spread` is the standard deviation as a share of it."""
        return value * max(0.5, self.rng.gauss(1, spread))

    def zoom_in(self, factor: float, x: float = 0.0, y: float = 0.0) -> None:
        """Shows less of the body, around a point."""
        a, b, c, d = self._matrix
        self._matrix = a * factor, b * factor, c * factor, d * factor
        left, down = self._shift
        a, b, c, d = self._matrix
        self._shift = left - (a * x + b * y), down - (c * x + d * y)

    def _to_pixels(self, points: Sequence[Point]) -> list[Point]:
        a, b, c, d = self._matrix
        made = []
        for x, y in points:
            across = self._mirror * (a * x + b * y + self._shift[0])
            made.append(((across + 1) * SIDE / 2, (c * x + d * y + self._shift[1] + 1) * SIDE / 2))
        return made

    def _fill(self, tissue: Tissue, mask: Image.Image, over: Sequence[Tissue] | None) -> None:
        box = mask.getbbox()
        if box is None:
            return
        where = slice(box[1], box[3]), slice(box[0], box[2])
        part = self.labels[where]
        inside = np.asarray(mask.crop(box)) > 0
        if over is not None:
            inside = inside & np.isin(part, [int(t) for t in over])
        part[inside] = tissue

    def polygon(self, tissue: Tissue, points: Sequence[Point], over: Sequence[Tissue] | None = None) -> None:
        """A closed smooth curve through the points."""
        mask = Image.new("L", (SIDE, SIDE), 0)
        ImageDraw.Draw(mask).polygon(self._to_pixels(smooth_curve(points, closed=True)), fill=255)
        self._fill(tissue, mask, over)

    def band(self, tissue: Tissue, points: Sequence[Point], width: float,
             over: Sequence[Tissue] | None = None) -> None:  # fmt: skip
        """A smooth line through the points, `width` in coordinates."""
        mask = Image.new("L", (SIDE, SIDE), 0)
        draw, thick = ImageDraw.Draw(mask), max(1.0, width * abs(self._matrix[0]) * SIDE / 2)
        line = self._to_pixels(smooth_curve(points, closed=False))
        draw.line(line, fill=255, width=round(thick), joint="curve")
        for x, y in (line[0], line[-1]):
            draw.ellipse((x - thick / 2, y - thick / 2, x + thick / 2, y + thick / 2), fill=255)
        self._fill(tissue, mask, over)

    def blob(self, tissue: Tissue, x: float, y: float, wide: float, tall: float, turn: float = 0.0,
        wobble: float = 0.04,
             over: Sequence[Tissue] | None = None) -> None:  # fmt: skip
        """An ellipse of half axes `wide` and `tall`, turned by degrees, with a few gentle waves."""
        self.polygon(tissue, self.ellipse(x, y, wide, tall, turn, wobble), over)

    def ellipse(self, x: float, y: float, wide: float, tall: float, turn: float = 0.0,
                wobble: float = 0.04) -> list[Point]:  # fmt: skip
        """24 points on a wavy ellipse."""
        waves = [(n, self.rng.gauss(0, wobble * self._wobble) / n, self.rng.uniform(0, 6.3)) for n in (2, 3, 5)]
        angle, points = math.radians(turn), []
        for step in range(24):
            at = step * math.pi / 12
            far = 1 + sum(size * math.cos(n * at + phase) for n, size, phase in waves)
            dx, dy = wide * far * math.cos(at), tall * far * math.sin(at)
            points.append((x + dx * math.cos(angle) - dy * math.sin(angle),
                           y + dx * math.sin(angle) + dy * math.cos(angle)))  # fmt: skip
        return points

    def shell(self, points: Sequence[Point], layers: Sequence[tuple[Tissue, float]]) -> None:
        """Nested layers, each a share of the outline shrunk towards its middle."""
        x = sum(p[0] for p in points) / len(points)
        y = sum(p[1] for p in points) / len(points)
        for tissue, share in layers:
            self.polygon(tissue, [(x + (a - x) * share, y + (b - y) * share) for a, b in points])

    def bone(self, points: Sequence[Point], rind: float = 0.88) -> None:
        """A bone with a hard rind around its marrow."""
        self.shell(points, ((Tissue.BONE, 1.0), (Tissue.MARROW, rind)))

    def loops(self, count: int, area: tuple[float, float, float, float], size: float,
              over: Sequence[Tissue]) -> None:  # fmt: skip
        """Bowel in a box (left, top, right, bottom): walls around fluid, gas or matter."""
        left, top, right, bottom = area
        for _ in range(count):
            x, y = self.rng.uniform(left, right), self.rng.uniform(top, bottom)
            wide, tall, turn = self.near(size, 0.25), self.near(size * 0.75, 0.25), self.rng.uniform(0, 180)
            self.blob(Tissue.BOWEL, x, y, wide, tall, turn, 0.12, over)
            inner = self.rng.choice((Tissue.FLUID, Tissue.BOWEL, Tissue.BOWEL, Tissue.AIR, Tissue.ORGAN))
            self.blob(inner, x, y, wide * 0.68, tall * 0.68, turn, 0.1, (Tissue.BOWEL,))

    def vessels(self, tissue: Tissue, start: Point, heading: float, reach: float, width: float,
                over: Sequence[Tissue], depth: int = 4) -> None:  # fmt: skip
        """A tree of branches, each thinner than the last; `heading` in degrees."""
        if depth == 0 or width < 0.003:
            return
        bend = heading + self.rng.uniform(-20, 20)
        angle, other = math.radians(bend), math.radians(heading)
        middle = start[0] + reach * 0.5 * math.cos(other), start[1] + reach * 0.5 * math.sin(other)
        end = start[0] + reach * math.cos(angle), start[1] + reach * math.sin(angle)
        self.band(tissue, (start, middle, end), width, over)
        for side in (-1, 1):
            turn = bend + side * self.rng.uniform(15, 45)
            self.vessels(tissue, end, turn, reach * self.rng.uniform(0.55, 0.85), width * 0.68, over, depth - 1)


def smooth_curve(points: Sequence[Point], closed: bool) -> list[Point]:
    """Catmull-Rom through the points, six steps from one to the next."""
    if len(points) < 3:
        return list(points)
    p = np.asarray(points, dtype=np.float64)
    if closed:
        before, after, last = np.roll(p, 1, 0), np.roll(p, -1, 0), np.roll(p, -2, 0)
    else:
        before, after = np.vstack((p[:1], p[:-1])), np.vstack((p[1:], p[-1:]))
        last = np.vstack((p[2:], p[-1:], p[-1:]))
    t = np.linspace(0, 1, 6, endpoint=False)[None, :, None]
    a, b, c, d = (q[:, None, :] for q in (before, p, after, last))
    made = 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
    flat = made.reshape(-1, 2) if closed else np.vstack((made[:-1].reshape(-1, 2), p[-1:]))
    return [(float(x), float(y)) for x, y in flat]
