"""Slices of the chest. The patient's right is on the left of the image; front is up in axial ones."""

from __future__ import annotations

from pocket.render_slice_paint import Painter, Tissue
from pocket.render_slice_trunk import column, ribs, side_ribs, spine, torso, wall


def axial(p: Painter) -> None:
    """Lungs beside heart or great vessels, ribs around, spine behind, breast bone in front."""
    wide, tall, fat = p.near(0.88, 0.04), p.near(0.62, 0.06), p.rng.uniform(0.04, 0.16)
    if p.rng.random() < 0.3:
        for side in (-1, 1):
            p.blob(Tissue.FAT, side * wide * 0.5, -tall * 0.85, wide * 0.34, tall * 0.34)
            p.blob(Tissue.ORGAN, side * wide * 0.5, -tall * 0.9, wide * 0.16, tall * 0.18, wobble=0.4)
    high = p.rng.random() < 0.35
    wall(p, wide, tall, fat, 0.14)
    inner = 1 - fat - 0.1
    for side in (-1, 1):
        p.blob(Tissue.MUSCLE, side * wide * 0.55, tall * 0.72, wide * 0.27, tall * 0.12, -side * 25)
        if high or p.rng.random() < 0.5:
            p.band(Tissue.BONE, ((side * wide * 0.42, tall * 0.8), (side * wide * 0.75, tall * 0.5)), 0.035)
        p.blob(Tissue.MUSCLE, side * wide * 0.42, -tall * 0.82, wide * 0.3, tall * 0.09, side * 18)
    ribs(p, wide * (inner + 0.02), tall * (inner + 0.02), 6)
    for side in (-1, 1):
        x = side * wide * 0.47
        lung = [(x - side * wide * 0.34, -tall * 0.55), (x, -tall * 0.74), (x + side * wide * 0.27, -tall * 0.4),
                (x + side * wide * 0.33, 0.05), (x + side * wide * 0.2, tall * 0.5), (x - side * wide * 0.18,
                    tall * 0.66),
                (x - side * wide * 0.32, tall * 0.36), (x - side * wide * 0.27, 0.0)]  # fmt: skip
        p.polygon(Tissue.LUNG, [(p.near(a, 0.03), p.near(b, 0.03)) for a, b in lung])
    spine(p, tall * 0.5, p.near(0.125))
    p.bone(p.ellipse(0, -tall * 0.82, 0.14, 0.045), 0.7)
    (_great_vessels if high else _heart)(p, tall)
    for side in (-1, 1):
        for _ in range(4):
            start = side * wide * 0.22, p.rng.uniform(-0.1, 0.12)
            p.vessels(Tissue.BLOOD, start, (90 - side * 90) + p.rng.uniform(-60, 60), 0.17, 0.024, (Tissue.LUNG,), 4)
        if p.rng.random() < 0.2:
            p.polygon(Tissue.FLUID, ((side * 0.2, tall * 0.75), (side * 0.6, tall * 0.62), (side * 0.75, 0.15),
                                     (side * 0.55, 0.25), (side * 0.2, 0.3)), (Tissue.LUNG,))  # fmt: skip
    if p.rng.random() < 0.3:
        size = p.rng.uniform(0.03, 0.12)
        p.blob(Tissue.ORGAN, p.rng.choice((-1, 1)) * p.rng.uniform(0.3, 0.6), p.rng.uniform(-0.2, 0.2), size, size,
            0, 0.3,
               (Tissue.LUNG,))  # fmt: skip


def _great_vessels(p: Painter, tall: float) -> None:
    p.polygon(
        Tissue.FAT, ((-0.14, -tall * 0.65), (0.16, -tall * 0.65), (0.2, 0.0), (0.12, 0.22), (-0.12, 0.22), (-0.18, 0.0))
    )
    p.blob(Tissue.BLOOD, -0.08, -0.16, 0.11, 0.11)
    p.blob(Tissue.BLOOD, 0.15, 0.16, 0.085, 0.085)
    p.blob(Tissue.BLOOD, -0.19, -0.1, 0.055, 0.065)
    if p.rng.random() < 0.5:
        p.band(Tissue.BLOOD, ((0.05, -0.16), (0.1, -0.05), (-0.16, 0.03)), 0.1)
    for x in (-0.09, 0.08) if p.rng.random() < 0.5 else (0.0,):
        p.blob(Tissue.LIGAMENT, x, 0.08, 0.06, 0.055)
        p.blob(Tissue.AIR, x, 0.08, 0.048, 0.044)
    p.blob(Tissue.MUSCLE, 0.04, 0.19, 0.035, 0.03)


def _heart(p: Painter, tall: float) -> None:
    p.blob(Tissue.FAT, 0.12, -0.1, 0.42, 0.3, 25)
    p.blob(Tissue.HEART, 0.13, -0.1, 0.38, 0.265, 25)
    p.blob(Tissue.BLOOD, 0.25, -0.03, 0.18, 0.11, 35)  # left ventricle
    p.blob(Tissue.BLOOD, 0.08, -0.2, 0.19, 0.08, 25)  # right
    p.blob(Tissue.BLOOD, -0.14, -0.12, 0.11, 0.13)
    p.blob(Tissue.BLOOD, 0.0, 0.08, 0.17, 0.09)
    p.blob(Tissue.BLOOD, 0.16, tall * 0.36, 0.075, 0.075)
    p.blob(Tissue.MUSCLE, 0.02, tall * 0.31, 0.04, 0.03)


def coronal(p: Painter) -> None:
    """Both lungs from the front, heart or spine between, ribs cut at the sides, shoulders above, liver below."""
    fat = p.rng.uniform(0.04, 0.12)
    torso(p, 0.92, 0.82, 0.78, fat)
    p.polygon(Tissue.MUSCLE, ((-0.9, -0.75), (-0.3, -1.0), (0.3, -1.0), (0.9, -0.75), (0.75, -0.45), (-0.75, -0.45)))
    p.polygon(Tissue.OUTSIDE, ((-1.5, -1.5), (-0.24, -1.5), (-0.26, -1.02), (-0.7, -0.86), (-1.2, -0.7)))
    p.polygon(Tissue.OUTSIDE, ((1.5, -1.5), (0.24, -1.5), (0.26, -1.02), (0.7, -0.86), (1.2, -0.7)))
    for side in (-1, 1):
        p.bone(p.ellipse(side * 0.76, -0.66, 0.11, 0.11), 0.9)
        p.band(Tissue.BONE, ((side * 0.12, -0.72), (side * 0.5, -0.78)), 0.045)
    side_ribs(p, 0.72, -0.6, 0.6)
    for side in (-1, 1):
        low = p.rng.uniform(0.4, 0.55)
        p.polygon(Tissue.LUNG, [(p.near(x * side, 0.03), y) for x, y in (
            (0.14, -0.66), (0.32, -0.76), (0.5, -0.5), (0.64, 0.0), (0.68, low + 0.1), (0.4, low - 0.12), (0.15, low),
            (0.13, 0.0))])  # fmt: skip
        for _ in range(5):
            p.vessels(Tissue.BLOOD, (side * 0.14, p.rng.uniform(-0.25, 0.1)), 90 - side * 90 + p.rng.uniform(-70,
                70), 0.2,
                      0.03, (Tissue.LUNG,), 5)  # fmt: skip
    p.polygon(Tissue.LIVER, ((-0.68, 0.55), (-0.4, 0.4), (0.05, 0.46), (0.2, 0.6), (-0.2, 0.9), (-0.66, 1.1)))
    p.blob(p.rng.choice((Tissue.AIR, Tissue.FLUID, Tissue.BOWEL)), 0.35, 0.66, 0.2, 0.15, -20)
    p.blob(Tissue.SPLEEN, 0.58, 0.68, 0.12, 0.2, -10)
    if p.rng.random() < 0.55:  # front: the heart
        p.blob(Tissue.HEART, 0.1, 0.22, 0.33, 0.27, 30)
        p.blob(Tissue.BLOOD, 0.18, 0.26, 0.18, 0.13, 40)
        p.blob(Tissue.BLOOD, -0.1, 0.2, 0.1, 0.17)
        p.band(Tissue.BLOOD, ((0.0, 0.1), (-0.06, -0.15), (0.02, -0.34), (0.14, -0.2)), 0.13)
        p.band(Tissue.BLOOD, ((-0.14, 0.05), (-0.15, -0.5)), 0.07)
    else:
        p.band(Tissue.MUSCLE, ((0, -0.9), (0, 0.8)), 0.22)
        column(p, -0.95, 1.2, 0.1)
        p.band(Tissue.BLOOD, ((0.14, -0.2), (0.16, 0.3), (0.1, 1.2)), 0.1)
    if p.rng.random() < 0.7:
        p.band(Tissue.AIR, ((0, -1.2), (0, -0.25)), 0.07)
        for side in (-1, 1):
            p.band(Tissue.AIR, ((0, -0.27), (side * 0.16, -0.1)), 0.055)
