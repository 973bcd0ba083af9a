"""Slices of the abdomen. The patient's right is on the left of the image; front is up in axial ones."""

from __future__ import annotations

import math

from pocket.render_slice_paint import Painter, Tissue
from pocket.render_slice_trunk import INNER, column, ribs, side_ribs, spine, torso, wall


def axial(p: Painter) -> None:
    """Liver on the left, spleen on the right, kidneys and spine behind, bowel or stomach in front."""
    wide, tall, fat = p.near(0.88, 0.04), p.near(0.64, 0.07), p.rng.uniform(0.03, 0.2)
    wall(p, wide, tall, fat, 0.07)
    w, t = wide * (1 - fat - 0.06), tall * (1 - fat - 0.06)
    low = p.rng.random() < 0.45
    ribs(p, w * 1.02, t * 1.02, 5, top=0.4)
    spine(p, t * 0.5, p.near(0.13))
    for side in (-1, 1):
        p.blob(Tissue.MUSCLE, side * 0.2, t * 0.5, 0.08, 0.12 if low else 0.05)
    p.blob(Tissue.BLOOD, 0.05, t * 0.24, 0.06, 0.06)
    p.blob(Tissue.BLOOD, -0.11, t * 0.22, 0.075, 0.055)
    if low:
        p.polygon(Tissue.LIVER, ((-w * 0.95, -t * 0.3), (-w * 0.7, -t * 0.55), (-w * 0.5, -t * 0.1), (-w * 0.6,
            t * 0.35),
                                 (-w * 0.92, t * 0.3)))  # fmt: skip
        p.loops(p.rng.randint(12, 24), (-w * 0.55, -t * 0.8, w * 0.8, t * 0.15), 0.12, INNER)
    else:
        _upper(p, w, t)
    for side in (-1, 1):
        if low or p.rng.random() < 0.6:
            _kidney(p, side * w * 0.5, t * 0.4, p.near(0.15), p.near(0.17), side * 35, side)
    p.loops(2, (w * 0.7, t * 0.0, w * 0.8, t * 0.3), 0.09, INNER)


def _upper(p: Painter, w: float, t: float) -> None:
    """The level of the liver: its vessels, gall bladder, stomach, spleen, pancreas."""
    liver = [(-w * 0.97, 0.0), (-w * 0.85, -t * 0.55), (-w * 0.45, -t * 0.92), (w * 0.05, -t * 0.9),
             (w * p.rng.uniform(0.15, 0.45), -t * 0.72), (0.0, -t * 0.35), (-0.15, t * 0.05), (-w * 0.35, t * 0.3),
             (-w * 0.6, t * 0.75), (-w * 0.88, t * 0.5)]  # fmt: skip
    p.polygon(Tissue.LIVER, [(p.near(x, 0.04), p.near(y, 0.04)) for x, y in liver])
    for heading in (200, 230, 150):
        p.vessels(Tissue.BLOOD, (-0.2, -t * 0.05), heading + p.rng.uniform(-15, 15), 0.22, 0.045, (Tissue.LIVER,), 4)
    if p.rng.random() < 0.35:
        size = p.rng.uniform(0.04, 0.18)
        p.blob(
            Tissue.LESION, -w * p.rng.uniform(0.4, 0.8), p.rng.uniform(-0.3, 0.2), size, size, 0, 0.2, (Tissue.LIVER,)
        )
    if p.rng.random() < 0.4:
        p.blob(Tissue.FLUID, -w * 0.35, -t * 0.2, 0.08, 0.12, 20)
    p.polygon(Tissue.BOWEL, ((w * 0.1, -t * 0.6), (w * 0.5, -t * 0.75), (w * 0.75, -t * 0.4), (w * 0.65, t * 0.05),
                             (w * 0.35, -t * 0.05)))  # fmt: skip
    filling = p.rng.choice((Tissue.FLUID, Tissue.FLUID, Tissue.ORGAN))
    p.polygon(
        filling,
        ((w * 0.16, -t * 0.56), (w * 0.5, -t * 0.69), (w * 0.7, -t * 0.38), (w * 0.6, 0.0), (w * 0.38, -t * 0.1)),
    )
    if p.rng.random() < 0.7:
        p.polygon(Tissue.AIR, ((w * 0.2, -t * 0.54), (w * 0.5, -t * 0.68), (w * 0.68, -t * 0.42), (w * 0.45, -t * 0.4)))
    p.polygon(Tissue.SPLEEN, ((w * 0.93, -t * 0.1), (w * 0.88, t * 0.4), (w * 0.62, t * 0.72), (w * 0.58, t * 0.5),
                              (w * 0.74, t * 0.2), (w * 0.8, -t * 0.15)))  # fmt: skip
    p.band(Tissue.ORGAN, ((-0.12, 0.0), (0.1, -0.05), (0.35, 0.05), (0.5, 0.12)), p.near(0.1, 0.2), INNER)


def _kidney(p: Painter, x: float, y: float, wide: float, tall: float, turn: float, side: float) -> None:
    p.blob(Tissue.FAT, x, y, wide * 1.25, tall * 1.25, turn)
    p.blob(Tissue.CORTEX, x, y, wide, tall, turn)
    p.blob(Tissue.MEDULLA, x - side * wide * 0.15, y, wide * 0.6, tall * 0.65, turn, 0.2)
    p.blob(Tissue.FAT, x - side * wide * 0.45, y - tall * 0.05, wide * 0.38, tall * 0.3, turn, 0.2)
    if p.rng.random() < 0.4:
        p.blob(Tissue.FLUID, x - side * wide * 0.5, y, wide * 0.2, tall * 0.18)


def coronal(p: Painter) -> None:
    """From the diaphragm to the hips: liver, spleen, kidneys and spine, or bowel further in front."""
    fat = p.rng.uniform(0.04, 0.2)
    torso(p, 0.84, 0.78, 0.86, fat)
    inner = 0.78 - fat
    for side in (-1, 1):
        p.polygon(Tissue.LUNG, ((side * 0.1, -1.5), (side * inner, -1.5), (side * inner * 0.98, -0.66),
                                (side * inner * 0.55, -0.86), (side * 0.12, -0.7)))  # fmt: skip
    side_ribs(p, inner + 0.02, -1.0, 0.05)
    p.polygon(Tissue.LIVER, ((-inner, -0.55), (-inner * 0.6, -0.84), (0.0, -0.68), (0.18, -0.55), (-0.1, -0.25),
                             (-inner * 0.6, 0.1), (-inner, 0.25)))  # fmt: skip
    for heading in (180, 140, 215):
        p.vessels(Tissue.BLOOD, (-0.12, -0.4), heading, 0.22, 0.04, (Tissue.LIVER,), 4)
    p.blob(Tissue.SPLEEN, inner * 0.85, -0.48, 0.12, 0.22, 12)
    p.blob(Tissue.BOWEL, inner * 0.45, -0.6, 0.2, 0.17, -25)
    p.blob(p.rng.choice((Tissue.AIR, Tissue.FLUID)), inner * 0.45, -0.61, 0.17, 0.14, -25)
    if p.rng.random() < 0.55:
        for side in (-1, 1):
            p.polygon(
                Tissue.MUSCLE,
                ((side * 0.1, -0.2), (side * 0.2, 0.1), (side * 0.34, 0.7), (side * 0.25, 0.75), (side * 0.1, 0.2)),
            )
            _kidney(p, side * 0.36, -0.08, 0.13, 0.24, side * -12, side)
        column(p, -0.95, 0.8, p.near(0.12))
        p.loops(p.rng.randint(2, 8), (-inner * 0.8, 0.25, inner * 0.8, 0.7), 0.11, INNER)
    else:
        p.band(Tissue.BLOOD, ((0.05, -0.6), (0.04, 0.4)), 0.1)
        p.band(Tissue.BLOOD, ((-0.1, -0.5), (-0.1, 0.4)), 0.1)
        p.loops(p.rng.randint(18, 32), (-inner * 0.85, -0.05, inner * 0.85, 0.8), 0.12, INNER)
    for side in (-1, 1):
        p.bone(
            [
                (side * 0.3, 0.75),
                (side * 0.62, 0.5),
                (side * 0.7, 0.6),
                (side * 0.5, 0.95),
                (side * 0.4, 1.4),
                (side * 0.3, 1.3),
            ]
        )
    p.blob(Tissue.FLUID, 0, 1.0, 0.22, 0.15)


def sagittal(p: Painter) -> None:
    """From the side, front to the left: belly wall, liver or bowel, great vessel, the spine behind."""
    fat = p.rng.uniform(0.05, 0.2)
    front = [(-0.55, -1.5), (-0.6, -0.6), (-0.68, 0.1), (-0.66, 0.6), (-0.5, 1.0), (-0.5, 1.5)]
    back = [(0.62, 1.5), (0.6, 1.0), (0.48, 0.4), (0.56, -0.4), (0.6, -1.5)]
    front = [(p.near(x, 0.05), y) for x, y in front]
    p.polygon(Tissue.SKIN, [*front, *back])
    p.polygon(Tissue.FAT, [(x + (0.012 if x < 0 else -0.012), y) for x, y in [*front, *back]])
    p.polygon(Tissue.MUSCLE, [(x + (fat if x < 0 else -0.07), y) for x, y in [*front, *back]])
    p.polygon(Tissue.FAT, [(x + fat + 0.05, y) for x, y in front] + [(0.2, 1.5), (0.12, 0.4), (0.2, -1.5)])
    p.polygon(Tissue.LUNG, ((-0.35, -1.5), (0.35, -1.5), (0.3, -0.85), (0.0, -0.98), (-0.38, -0.75)))
    if p.rng.random() < 0.5:
        p.polygon(Tissue.LIVER, ((-0.42, -0.66), (-0.1, -0.88), (0.22, -0.7), (0.14, -0.2), (-0.2, 0.0), (-0.4, 0.02)))
        p.vessels(Tissue.BLOOD, (0.1, -0.45), 190, 0.2, 0.04, (Tissue.LIVER,), 4)
        if p.rng.random() < 0.5:
            _kidney(p, 0.12, 0.0, 0.13, 0.24, 15, 1)
    else:
        p.polygon(Tissue.LIVER, ((-0.42, -0.7), (-0.15, -0.85), (0.0, -0.7), (-0.3, -0.25), (-0.42, -0.25)))
        p.band(Tissue.ORGAN, ((-0.25, -0.2), (-0.1, -0.25)), 0.12)
    p.loops(p.rng.randint(10, 20), (-0.42, -0.05, 0.05, 0.9), 0.12, INNER)
    p.band(Tissue.BLOOD, ((0.14, -1.1), (0.11, -0.3), (0.07, 0.45)), p.near(0.1))
    curve = [(0.36, -1.5), (0.36, -0.6), (0.3, 0.2), (0.36, 0.75), (0.5, 1.3)]
    p.band(Tissue.CSF, [(x + 0.17, y) for x, y in curve], 0.08)
    p.band(Tissue.CORD, [(x + 0.17, y) for x, y in curve[:3]], 0.045)
    for n in range(11):
        y = -1.4 + 0.225 * n
        x = 0.30 - 0.07 * math.sin((y + 0.6) * 1.7) if y < 0.9 else 0.4
        p.bone(
            [
                (x - 0.1, y),
                (x + 0.12, y),
                (x + 0.11, y + 0.08),
                (x + 0.12, y + 0.17),
                (x - 0.1, y + 0.17),
                (x - 0.09, y + 0.08),
            ],
            0.85,
        )
        p.band(Tissue.DISC, ((x - 0.07, y + 0.198), (x + 0.1, y + 0.198)), 0.04)
        p.bone([(x + 0.24, y + 0.08), (x + 0.36, y + 0.14), (x + 0.35, y + 0.2), (x + 0.23, y + 0.15)], 0.7)
    p.blob(Tissue.FLUID, -0.25, 0.98, 0.2, 0.14)
