"""Slices of chest, abdomen and pelvis. The patient's right is on the left of the image; front is up in axial ones."""

from __future__ import annotations

import math

from pocket.render_slice_paint import Painter, Point, Tissue

_INNER = (Tissue.FAT,)


def _wall(p: Painter, wide: float, tall: float, fat: float, muscle: float, square: float = 0.75) -> None:
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


def _spine(p: Painter, y: float, size: float) -> None:
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


def _ribs(p: Painter, wide: float, tall: float, count: int, top: float = 0.0) -> None:
    """Cut ribs as short curved bars in the wall, from the back to beside the breast bone."""
    for n in range(count):
        for side in (-1, 1):
            at = math.radians(70 - (140 - 70 * top) * (n + p.rng.uniform(0.2, 0.8)) / count)
            length = p.rng.uniform(0.06, 0.16)
            points = [(side * wide * math.cos(at + k), tall * math.sin(at + k)) for k in (-length, 0, length)]
            p.band(Tissue.BONE, points, 0.045)
            p.band(Tissue.MARROW, points, 0.018)


def chest_axial(p: Painter) -> None:
    """Lungs beside heart or great vessels, ribs around, spine behind, breast bone in front."""
    wide, tall, fat = p.near(0.88, 0.04), p.near(0.62, 0.06), p.rng.uniform(0.04, 0.16)
    if p.rng.random() < 0.3:
        for side in (-1, 1):
            p.blob(Tissue.FAT, side * wide * 0.5, -tall * 0.85, wide * 0.34, tall * 0.34)
            p.blob(Tissue.ORGAN, side * wide * 0.5, -tall * 0.9, wide * 0.16, tall * 0.18, wobble=0.4)
    high = p.rng.random() < 0.35
    _wall(p, wide, tall, fat, 0.14)
    inner = 1 - fat - 0.1
    for side in (-1, 1):
        p.blob(Tissue.MUSCLE, side * wide * 0.55, tall * 0.72, wide * 0.27, tall * 0.12, -side * 25)
        if high or p.rng.random() < 0.5:
            p.band(Tissue.BONE, ((side * wide * 0.42, tall * 0.8), (side * wide * 0.75, tall * 0.5)), 0.035)
        p.blob(Tissue.MUSCLE, side * wide * 0.42, -tall * 0.82, wide * 0.3, tall * 0.09, side * 18)
    _ribs(p, wide * (inner + 0.02), tall * (inner + 0.02), 6)
    for side in (-1, 1):
        x = side * wide * 0.47
        lung = [(x - side * wide * 0.34, -tall * 0.55), (x, -tall * 0.74), (x + side * wide * 0.27, -tall * 0.4),
                (x + side * wide * 0.33, 0.05), (x + side * wide * 0.2, tall * 0.5), (x - side * wide * 0.18,
                    tall * 0.66),
                (x - side * wide * 0.32, tall * 0.36), (x - side * wide * 0.27, 0.0)]  # fmt: skip
        p.polygon(Tissue.LUNG, [(p.near(a, 0.03), p.near(b, 0.03)) for a, b in lung])
    _spine(p, tall * 0.5, p.near(0.125))
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


def _torso(p: Painter, shoulder: float, waist: float, hip: float, fat: float) -> None:
    """A trunk seen from the front: skin, fat, muscle, fat within."""
    side = [(shoulder, -1.4), (shoulder * 0.98, -0.6), (waist * 1.05, 0.0), (waist, 0.5), (hip, 1.0), (hip, 1.5)]
    side = [(p.near(x, 0.02), y) for x, y in side]
    outline = [*side, *[(-x, y) for x, y in side[::-1]]]
    for tissue, less in ((Tissue.SKIN, 0.0), (Tissue.FAT, 0.015), (Tissue.MUSCLE, fat), (Tissue.FAT, fat + 0.06)):
        p.polygon(tissue, [(x - math.copysign(less, x), y) for x, y in outline])


def _side_ribs(p: Painter, inner: float, top: float, bottom: float) -> None:
    for n in range(8):
        y = top + (bottom - top) * n / 8
        x = inner * min(1.0, 0.72 + 0.07 * n)
        for side in (-1, 1):
            p.blob(Tissue.BONE, side * x, y, 0.03, 0.05, side * 25)
            p.blob(Tissue.MARROW, side * x, y, 0.014, 0.03, side * 25)


def _column(p: Painter, top: float, bottom: float, size: float, x: float = 0.0) -> None:
    """Vertebral bodies one above the other, from the front or from the side."""
    y = top
    while y < bottom:
        p.bone([(x - size, y), (x + size, y), (x + size * 0.88, y + size * 0.65), (x + size, y + size * 1.3),
                (x - size, y + size * 1.3), (x - size * 0.88, y + size * 0.65)], 0.88)  # fmt: skip
        p.band(Tissue.DISC, ((x - size * 0.8, y + size * 1.45), (x + size * 0.8, y + size * 1.45)), size * 0.22)
        y += size * 1.62


def chest_coronal(p: Painter) -> None:
    """Both lungs from the front, heart or spine between, ribs cut at the sides, shoulders above, liver below."""
    fat = p.rng.uniform(0.04, 0.12)
    _torso(p, 0.92, 0.82, 0.78, fat)
    p.polygon(Tissue.MUSCLE, ((-0.9, -0.75), (-0.3, -1.0), (0.3, -1.0), (0.9, -0.75), (0.75, -0.45), (-0.75, -0.45)))
    p.polygon(Tissue.OUTSIDE, ((-1.5, -1.5), (-0.24, -1.5), (-0.26, -1.02), (-0.7, -0.86), (-1.2, -0.7)))
    p.polygon(Tissue.OUTSIDE, ((1.5, -1.5), (0.24, -1.5), (0.26, -1.02), (0.7, -0.86), (1.2, -0.7)))
    for side in (-1, 1):
        p.bone(p.ellipse(side * 0.76, -0.66, 0.11, 0.11), 0.9)
        p.band(Tissue.BONE, ((side * 0.12, -0.72), (side * 0.5, -0.78)), 0.045)
    _side_ribs(p, 0.72, -0.6, 0.6)
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
        _column(p, -0.95, 1.2, 0.1)
        p.band(Tissue.BLOOD, ((0.14, -0.2), (0.16, 0.3), (0.1, 1.2)), 0.1)
    if p.rng.random() < 0.7:
        p.band(Tissue.AIR, ((0, -1.2), (0, -0.25)), 0.07)
        for side in (-1, 1):
            p.band(Tissue.AIR, ((0, -0.27), (side * 0.16, -0.1)), 0.055)


def abdomen_axial(p: Painter) -> None:
    """Liver on the left, spleen on the right, kidneys and spine behind, bowel or stomach in front."""
    wide, tall, fat = p.near(0.88, 0.04), p.near(0.64, 0.07), p.rng.uniform(0.03, 0.2)
    _wall(p, wide, tall, fat, 0.07)
    w, t = wide * (1 - fat - 0.06), tall * (1 - fat - 0.06)
    low = p.rng.random() < 0.45
    _ribs(p, w * 1.02, t * 1.02, 5, top=0.4)
    _spine(p, t * 0.5, p.near(0.13))
    for side in (-1, 1):
        p.blob(Tissue.MUSCLE, side * 0.2, t * 0.5, 0.08, 0.12 if low else 0.05)
    p.blob(Tissue.BLOOD, 0.05, t * 0.24, 0.06, 0.06)
    p.blob(Tissue.BLOOD, -0.11, t * 0.22, 0.075, 0.055)
    if low:
        p.polygon(Tissue.LIVER, ((-w * 0.95, -t * 0.3), (-w * 0.7, -t * 0.55), (-w * 0.5, -t * 0.1), (-w * 0.6,
            t * 0.35),
                                 (-w * 0.92, t * 0.3)))  # fmt: skip
        p.loops(p.rng.randint(12, 24), (-w * 0.55, -t * 0.8, w * 0.8, t * 0.15), 0.12, _INNER)
    else:
        _upper(p, w, t)
    for side in (-1, 1):
        if low or p.rng.random() < 0.6:
            _kidney(p, side * w * 0.5, t * 0.4, p.near(0.15), p.near(0.17), side * 35, side)
    p.loops(2, (w * 0.7, t * 0.0, w * 0.8, t * 0.3), 0.09, _INNER)


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
    p.band(Tissue.ORGAN, ((-0.12, 0.0), (0.1, -0.05), (0.35, 0.05), (0.5, 0.12)), p.near(0.1, 0.2), _INNER)


def _kidney(p: Painter, x: float, y: float, wide: float, tall: float, turn: float, side: float) -> None:
    p.blob(Tissue.FAT, x, y, wide * 1.25, tall * 1.25, turn)
    p.blob(Tissue.CORTEX, x, y, wide, tall, turn)
    p.blob(Tissue.MEDULLA, x - side * wide * 0.15, y, wide * 0.6, tall * 0.65, turn, 0.2)
    p.blob(Tissue.FAT, x - side * wide * 0.45, y - tall * 0.05, wide * 0.38, tall * 0.3, turn, 0.2)
    if p.rng.random() < 0.4:
        p.blob(Tissue.FLUID, x - side * wide * 0.5, y, wide * 0.2, tall * 0.18)


def abdomen_coronal(p: Painter) -> None:
    """From the diaphragm to the hips: liver, spleen, kidneys and spine, or bowel further in front."""
    fat = p.rng.uniform(0.04, 0.2)
    _torso(p, 0.84, 0.78, 0.86, fat)
    inner = 0.78 - fat
    for side in (-1, 1):
        p.polygon(Tissue.LUNG, ((side * 0.1, -1.5), (side * inner, -1.5), (side * inner * 0.98, -0.66),
                                (side * inner * 0.55, -0.86), (side * 0.12, -0.7)))  # fmt: skip
    _side_ribs(p, inner + 0.02, -1.0, 0.05)
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
        _column(p, -0.95, 0.8, p.near(0.12))
        p.loops(p.rng.randint(2, 8), (-inner * 0.8, 0.25, inner * 0.8, 0.7), 0.11, _INNER)
    else:
        p.band(Tissue.BLOOD, ((0.05, -0.6), (0.04, 0.4)), 0.1)
        p.band(Tissue.BLOOD, ((-0.1, -0.5), (-0.1, 0.4)), 0.1)
        p.loops(p.rng.randint(18, 32), (-inner * 0.85, -0.05, inner * 0.85, 0.8), 0.12, _INNER)
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


def abdomen_sagittal(p: Painter) -> None:
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
    p.loops(p.rng.randint(10, 20), (-0.42, -0.05, 0.05, 0.9), 0.12, _INNER)
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


def pelvis_axial(p: Painter) -> None:
    """At the hip joints with the bladder between, or higher between the wings of the hip bones."""
    wide, tall, fat = p.near(0.92, 0.03), p.near(0.6, 0.06), p.rng.uniform(0.06, 0.18)
    _wall(p, wide, tall, fat, 0.12)
    if p.rng.random() < 0.4:
        _wings(p, tall)
        return
    for side in (-1, 1):
        p.polygon(
            Tissue.MUSCLE,
            (
                (side * 0.1, tall * 0.78),
                (side * 0.65, tall * 0.66),
                (side * 0.74, 0.12),
                (side * 0.5, 0.2),
                (side * 0.2, 0.38),
            ),
        )
        p.blob(Tissue.MUSCLE, side * 0.5, -0.3, 0.13, 0.1, side * 20)
        p.blob(Tissue.MUSCLE, side * 0.7, -0.18, 0.08, 0.14)
        p.blob(Tissue.MUSCLE, side * 0.3, 0.02, 0.08, 0.2, side * 10)  # obturator
        p.blob(Tissue.BLOOD, side * 0.36, -0.37, 0.04, 0.04)
        p.blob(Tissue.BLOOD, side * 0.29, -0.36, 0.05, 0.04)
        cup = [
            (side * 0.34, -0.2),
            (side * 0.48, -0.18),
            (side * 0.42, 0.0),
            (side * 0.48, 0.16),
            (side * 0.4, 0.22),
            (side * 0.33, 0.05),
        ]
        p.bone(cup, 0.72)
        p.band(Tissue.BONE, ((side * 0.36, -0.16), (side * 0.16, -0.3)), 0.06)
        p.band(Tissue.MARROW, ((side * 0.58, 0.03), (side * 0.74, 0.08)), 0.15)
        p.bone(p.ellipse(side * 0.77, 0.06, 0.09, 0.12), 0.86)
        p.blob(Tissue.CARTILAGE, side * 0.545, -0.01, 0.14, 0.14)
        p.bone(p.ellipse(side * 0.55, -0.01, 0.13, 0.13, wobble=0.01), 0.92)
    full = p.rng.uniform(0.6, 1.2)
    p.blob(Tissue.BOWEL, 0, -0.12, 0.24 * full, 0.18 * full)
    p.blob(Tissue.FLUID, 0, -0.12, 0.22 * full, 0.16 * full)
    p.blob(Tissue.ORGAN, 0, 0.13, p.near(0.16), 0.09)
    p.blob(Tissue.BOWEL, 0, 0.3, 0.1, 0.09)
    p.blob(p.rng.choice((Tissue.AIR, Tissue.ORGAN, Tissue.FLUID)), 0, 0.3, 0.065, 0.055)
    p.bone(p.ellipse(0, tall * 0.74, 0.09, 0.04), 0.7)


def _wings(p: Painter, tall: float) -> None:
    for side in (-1, 1):
        p.polygon(
            Tissue.MUSCLE,
            (
                (side * 0.15, tall * 0.78),
                (side * 0.6, tall * 0.6),
                (side * 0.72, 0.0),
                (side * 0.55, 0.0),
                (side * 0.3, 0.35),
            ),
        )
        p.blob(Tissue.MUSCLE, side * 0.45, 0.0, 0.12, 0.22, side * 30)
        p.bone(
            [
                (side * 0.66, -0.2),
                (side * 0.7, -0.12),
                (side * 0.48, 0.24),
                (side * 0.28, 0.42),
                (side * 0.24, 0.34),
                (side * 0.44, 0.14),
            ],
            0.8,
        )
        p.blob(Tissue.BLOOD, side * 0.24, 0.03, 0.05, 0.045)
    p.bone([(-0.26, 0.2), (0, 0.13), (0.26, 0.2), (0.22, 0.36), (0.08, 0.46), (-0.08, 0.46), (-0.22, 0.36)], 0.92)
    for x in (-0.14, 0.0, 0.14):
        p.blob(Tissue.CSF, x, 0.32, 0.035, 0.03)
    p.loops(p.rng.randint(9, 18), (-0.5, -tall * 0.6, 0.5, 0.05), 0.12, _INNER)


def pelvis_coronal(p: Painter) -> None:
    """Hip bones as wings, femoral heads and necks, thighs below, bladder in the middle, bowel above."""
    fat = p.rng.uniform(0.06, 0.16)
    _torso(p, 0.76, 0.82, 0.9, fat)
    for side in (-1, 1):
        p.polygon(
            Tissue.MUSCLE,
            ((side * 0.34, 0.35), (side * 0.72, 0.3), (side * 0.74, 1.5), (side * 0.1, 1.5), (side * 0.12, 0.62)),
        )
        p.blob(Tissue.MUSCLE, side * 0.66, -0.12, 0.12, 0.36, side * -15)
        p.blob(Tissue.MUSCLE, side * 0.36, -0.25, 0.12, 0.36, side * -18)
        p.bone(
            [
                (side * 0.34, 0.02),
                (side * 0.5, -0.3),
                (side * 0.64, -0.72),
                (side * 0.7, -0.68),
                (side * 0.62, -0.2),
                (side * 0.6, 0.06),
                (side * 0.48, 0.1),
            ],
            0.82,
        )
        p.bone(
            [
                (side * 0.3, 0.06),
                (side * 0.4, 0.12),
                (side * 0.34, 0.34),
                (side * 0.16, 0.5),
                (side * 0.1, 0.44),
                (side * 0.24, 0.24),
            ],
            0.75,
        )
        shaft = [
            (side * 0.5, 0.3),
            (side * 0.64, 0.24),
            (side * 0.78, 0.26),
            (side * 0.8, 0.42),
            (side * 0.72, 0.62),
            (side * 0.68, 1.5),
            (side * 0.55, 1.5),
            (side * 0.58, 0.62),
        ]
        p.bone(shaft, 0.9)
        p.band(Tissue.MARROW, ((side * 0.5, 0.22), (side * 0.68, 0.4)), 0.15)
        p.blob(Tissue.CARTILAGE, side * 0.475, 0.2, 0.145, 0.145)
        p.bone(p.ellipse(side * 0.48, 0.205, 0.132, 0.132, wobble=0.01), 0.93)
    p.loops(p.rng.randint(8, 18), (-0.3, -0.95, 0.3, -0.1), 0.12, _INNER)
    if p.rng.random() < 0.5:
        _column(p, -1.4, -0.5, 0.13)
        p.bone([(-0.3, -0.45), (0.3, -0.45), (0.22, -0.2), (0.06, 0.05), (-0.06, 0.05), (-0.22, -0.2)], 0.93)
    full = p.rng.uniform(0.6, 1.2)
    p.blob(Tissue.BOWEL, 0, 0.12, 0.22 * full, 0.16 * full)
    p.blob(Tissue.FLUID, 0, 0.12, 0.2 * full, 0.14 * full)
    p.blob(Tissue.ORGAN, 0, 0.35, 0.1, 0.09)
    p.polygon(Tissue.OUTSIDE, ((-0.03, 0.75), (0.03, 0.75), (0.12, 1.6), (-0.12, 1.6)))
