"""What slices of chest, abdomen and pelvis share: their walls, ribs and spine."""

from __future__ import annotations

import math
from typing import Final

from pocket.render_slice_paint import Painter, Point, Tissue

INNER: Final = (Tissue.FAT,)
"""What lies within the wall and may be painted over."""


def wall(p: Painter, wide: float, tall: float, fat: float, muscle: float, square: float = 0.75) -> None:
    """Skin, fat, a ring of muscle, and fat within; flatter at the back for a `square` below 1."""
    outline = _oval(p, wide, tall, square)
    p.shell(
        outline, ((Tissue.SKIN, 1.0), (Tissue.FAT, 0.985), (Tissue.MUSCLE, 1 - fat), (Tissue.FAT, 1 - fat - muscle))
    )


def _oval(p: Painter, wide: float, tall: float, square: float) -> list[Point]:
    points = []
    for x, y in p.ellipse(0, 0, 1, 1, wobble=0.05):
        power = math.hypot(x, y) * (abs(x) ** 2.6 + abs(y) ** 2.6 + 1e-6) ** (-1 / 2.6)
        points.append((wide * x * power, tall * y * power * (1 if y < 0 else 0.85 + 0.15 * square)))
    return points


def spine(p: Painter, y: float, size: float) -> None:
    """A vertebra from below, its canal and processes, the muscles beside it."""
    for side in (-1, 1):
        p.blob(Tissue.MUSCLE, side * size * 1.35, y + size * 1.2, size * 1.0, size * 0.75, side * 15)
    p.band(
        Tissue.BONE, ((-size * 1.6, y + size * 0.8), (0, y + size * 0.85), (size * 1.6, y + size * 0.8)), size * 0.25
    )
    p.band(Tissue.BONE, ((0, y + size), (0, y + size * 1.9)), size * 0.25)
    p.bone(p.ellipse(0, y, size, size * 0.8, wobble=0.03), 0.92)
    p.blob(Tissue.BONE, 0, y + size * 0.95, size * 0.68, size * 0.48)
    p.blob(Tissue.CSF, 0, y + size * 0.95, size * 0.5, size * 0.34)
    p.blob(Tissue.CORD, 0, y + size * 0.95, size * 0.26, size * 0.18)


def ribs(p: Painter, wide: float, tall: float, count: int, top: float = 0.0) -> None:
    """Cut ribs as short curved bars in the wall, from the back to beside the breast bone."""
    for n in range(count):
        for side in (-1, 1):
            at = math.radians(70 - (140 - 70 * top) * (n + p.rng.uniform(0.2, 0.8)) / count)
            length = p.rng.uniform(0.06, 0.16)
            points = [(side * wide * math.cos(at + k), tall * math.sin(at + k)) for k in (-length, 0, length)]
            p.band(Tissue.BONE, points, 0.045)
            p.band(Tissue.MARROW, points, 0.018)


def torso(p: Painter, shoulder: float, waist: float, hip: float, fat: float) -> None:
    """A trunk seen from the front: skin, fat, muscle, fat within."""
    side = [(shoulder, -1.4), (shoulder * 0.98, -0.6), (waist * 1.05, 0.0), (waist, 0.5), (hip, 1.0), (hip, 1.5)]
    side = [(p.near(x, 0.02), y) for x, y in side]
    outline = [*side, *[(-x, y) for x, y in side[::-1]]]
    for tissue, less in ((Tissue.SKIN, 0.0), (Tissue.FAT, 0.015), (Tissue.MUSCLE, fat), (Tissue.FAT, fat + 0.06)):
        p.polygon(tissue, [(x - math.copysign(less, x), y) for x, y in outline])


def side_ribs(p: Painter, inner: float, top: float, bottom: float) -> None:
    """Ribs cut across, one below the other at both sides."""
    for n in range(8):
        y = top + (bottom - top) * n / 8
        x = inner * min(1.0, 0.72 + 0.07 * n)
        for side in (-1, 1):
            p.blob(Tissue.BONE, side * x, y, 0.03, 0.05, side * 25)
            p.blob(Tissue.MARROW, side * x, y, 0.014, 0.03, side * 25)


def column(p: Painter, top: float, bottom: float, size: float, x: float = 0.0) -> None:
    """Vertebral bodies one above the other, from the front or from the side."""
    y = top
    while y < bottom:
        p.bone([(x - size, y), (x + size, y), (x + size * 0.88, y + size * 0.65), (x + size, y + size * 1.3),
                (x - size, y + size * 1.3), (x - size * 0.88, y + size * 0.65)], 0.88)  # fmt: skip
        p.band(Tissue.DISC, ((x - size * 0.8, y + size * 1.45), (x + size * 0.8, y + size * 1.45)), size * 0.22)
        y += size * 1.62
