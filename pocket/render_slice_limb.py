"""Slices of a spine (sagittal, axial) and of a knee (sagittal, coronal, axial)."""

from __future__ import annotations

import math
from collections.abc import Callable

from pocket.render_slice_paint import Painter, Point, Tissue


def spine_sagittal(p: Painter) -> None:
    """Vertebrae in a curved row, discs between, the canal with its cord behind, spinous processes, back muscles."""
    p.polygon(Tissue.FAT, ((-1.5, -1.5), (1.5, -1.5), (1.5, 1.5), (-1.5, 1.5)))
    bulge, lean = p.rng.uniform(-0.14, 0.14), p.rng.uniform(-0.08, 0.12)
    high = p.near(p.rng.choice((0.17, 0.2, 0.27, 0.31)), 0.06)
    deep = min(0.42, high * p.rng.uniform(0.95, 1.3))
    gap, count = high * p.rng.uniform(0.14, 0.3), int(2.8 / high)

    def middle(y: float) -> float:
        return lean * y + bulge * math.cos(y * 1.8) - 0.12

    rows = [-1.4 + n * (high + gap) for n in range(count)]
    line = [k / 5 - 1.5 for k in range(16)]
    front = [(middle(y) - deep * 0.5 - p.near(0.16), y) for y in line]
    p.polygon(p.rng.choice((Tissue.MUSCLE, Tissue.BOWEL, Tissue.ORGAN)), [(-1.6, -1.5), *front, (-1.6, 1.5)])
    p.loops(p.rng.randint(0, 7), (-1.0, -1.0, middle(0) - deep - 0.25, 1.0), 0.13,
            (Tissue.MUSCLE, Tissue.BOWEL, Tissue.ORGAN))  # fmt: skip
    if p.rng.random() < 0.6:
        p.band(p.rng.choice((Tissue.BLOOD, Tissue.AIR)), [(x + 0.09, y) for x, y in front], 0.08)
    back = deep * 0.5 + high * 0.55
    p.polygon(Tissue.MUSCLE, [(middle(y) + back, y) for y in line] + [(middle(y) + back + 0.5, y) for y in line[::-1]])
    p.band(Tissue.LIGAMENT, [(middle(y) + deep * 0.5 + 0.01, y) for y in line], deep + 0.02)
    canal = high * p.rng.uniform(0.42, 0.6)
    p.band(Tissue.FAT, [(middle(y) + deep * 0.5 + canal * 0.6, y) for y in line], canal * 1.3)
    p.band(Tissue.CSF, [(middle(y) + deep * 0.5 + canal * 0.5, y) for y in line], canal)
    end = p.rng.choice((1.5, 1.5, -0.2, 0.2))
    p.band(Tissue.CORD, [(middle(y) + deep * 0.5 + canal * 0.5, y) for y in line if y < end], canal * 0.5)
    for n, y in enumerate(rows):
        _vertebra(p, middle, y, deep, high, gap, canal, worn=p.rng.random() < 0.2 and n > 1)
    edge = [(middle(y) + back + 0.5 + p.near(0.2), y) for y in line]
    p.polygon(Tissue.OUTSIDE, [*edge, (1.9, 1.6), (1.9, -1.6)])


def _vertebra(p: Painter, middle: Callable[[float], float], y: float, deep: float, high: float, gap: float,
    canal: float,
              worn: bool) -> None:  # fmt: skip
    """One body with its disc below and its spinous process behind."""
    x, below = middle(y + high / 2), middle(y + high)
    tilt = (below - middle(y)) * 0.5
    w = deep / 2
    p.bone([(x - w - tilt, y), (x - tilt, y + high * 0.05), (x + w - tilt, y), (x + w * 0.93, y + high / 2),
            (x + w + tilt, y + high), (x + tilt, y + high * 0.95), (x - w + tilt, y + high), (x - w * 0.9,
                y + high / 2)],
           0.88)  # fmt: skip
    p.band(Tissue.DISC, ((below - w * 0.8, y + high + gap / 2), (below + w * (1.05 if worn else 0.8),
        y + high + gap / 2)),
           gap * (0.6 if worn else 0.95))  # fmt: skip
    if not worn:
        p.blob(Tissue.FLUID, below, y + high + gap / 2, w * 0.5, gap * 0.25)
    start = x + w + canal * 1.15
    p.bone([(start, y + high * 0.35), (start + high * 0.9, y + high * 0.75), (start + high * 0.9, y + high * 1.1),
            (start, y + high * 0.85)], 0.78)  # fmt: skip
    if p.rng.random() < 0.04:
        p.blob(Tissue.LESION, x, y + high / 2, w * 0.5, high * 0.35, 0, 0.2, (Tissue.MARROW,))


def spine_axial(p: Painter) -> None:
    """One vertebra seen from below: body, canal, arch and processes, muscles of the back around it."""
    p.polygon(Tissue.FAT, ((-1.5, -1.5), (1.5, -1.5), (1.5, 1.5), (-1.5, 1.5)))
    p.zoom_in(p.rng.uniform(0.85, 1.2))
    for side in (-1, 1):
        p.blob(Tissue.MUSCLE, side * 0.62, -0.22, p.near(0.2), p.near(0.3))  # psoas
        p.blob(Tissue.MUSCLE, side * 0.42, 0.68, p.near(0.34), p.near(0.26), side * 12)
        p.blob(Tissue.MUSCLE, side * 0.18, 0.6, p.near(0.14), p.near(0.22))
        p.band(Tissue.FAT, ((side * 0.3, 0.42), (side * 0.25, 0.85)), 0.015)
    p.loops(p.rng.randint(2, 7), (-0.9, -1.1, 0.9, -0.75), 0.2, (Tissue.FAT,))
    p.blob(Tissue.BLOOD, 0.15, -0.66, 0.12, 0.12)
    p.blob(Tissue.BLOOD, -0.2, -0.62, 0.14, 0.11)
    wide, tall = p.near(0.4), p.near(0.3)
    disc = p.rng.random() < 0.35
    arch: list[Point] = [(-wide * 0.75, 0.0), (-0.3, 0.22), (-0.85, 0.22), (-0.86, 0.3), (-0.28, 0.42), (-0.06, 0.5),
                         (-0.05, 0.88), (0.05, 0.88), (0.06, 0.5), (0.28, 0.42), (0.86, 0.3), (0.85, 0.22), (0.3, 0.22),
                         (wide * 0.75, 0.0)]  # fmt: skip
    p.polygon(Tissue.BONE, [(p.near(x, 0.05), p.near(y, 0.05)) for x, y in arch])
    p.polygon(Tissue.MARROW, [(x * 0.8, 0.02 + y * 0.9) for x, y in arch], (Tissue.BONE,))
    body = p.ellipse(0, -0.2, wide, tall, wobble=0.05)
    if disc:
        p.shell(body, ((Tissue.LIGAMENT, 1.0), (Tissue.DISC, 0.94)))
        p.blob(Tissue.FLUID, 0, -0.18, wide * 0.5, tall * 0.5)
    else:
        p.bone(body, 0.93)
    p.polygon(Tissue.LIGAMENT, ((-0.22, 0.1), (0, 0.06), (0.22, 0.1), (0.14, 0.33), (0, 0.4), (-0.14, 0.33)))
    p.polygon(Tissue.CSF, ((-0.19, 0.12), (0, 0.09), (0.19, 0.12), (0.12, 0.3), (0, 0.36), (-0.12, 0.3)))
    if p.rng.random() < 0.5:
        p.blob(Tissue.CORD, 0, 0.2, 0.1, 0.07)
    else:
        for _ in range(9):  # the roots of the cauda
            p.blob(Tissue.CORD, p.rng.uniform(-0.12, 0.12), p.rng.uniform(0.16, 0.3), 0.018, 0.018)
    for side in (-1, 1):
        p.blob(Tissue.BONE, side * 0.3, 0.32, 0.1, 0.12)
        p.band(Tissue.LIGAMENT, ((side * 0.3, 0.22), (side * 0.27, 0.4)), 0.02)
        p.blob(Tissue.CORD, side * 0.42, 0.08, 0.05, 0.04)


def knee_sagittal(p: Painter) -> None:
    """Femur above tibia, kneecap to the left with its tendons, menisci, a cruciate ligament, muscles behind."""
    p.polygon(Tissue.FAT, [(p.near(x, 0.03), y) for x, y in (
        (-0.5, -1.5), (-0.62, -0.6), (-0.74, -0.1), (-0.58, 0.4), (-0.5, 1.5), (0.85, 1.5), (0.72, 0.5), (0.6, 0.1),
        (0.78, -0.5), (0.85, -1.5))])  # fmt: skip
    p.polygon(Tissue.MUSCLE, ((0.2, -1.5), (0.72, -1.5), (0.65, -0.5), (0.42, -0.1), (0.25, -0.5)))
    p.polygon(Tissue.MUSCLE, ((0.2, 0.4), (0.5, 0.2), (0.7, 0.7), (0.72, 1.5), (0.15, 1.5)))
    p.polygon(Tissue.MUSCLE, ((-0.44, -1.5), (-0.2, -1.5), (-0.25, -0.9), (-0.45, -0.75)))
    p.band(Tissue.BLOOD, ((0.5, -1.5), (0.46, -0.2), (0.48, 0.3), (0.4, 1.5)), 0.05)
    femur = [(-0.2, -1.5), (-0.22, -0.8), (-0.34, -0.5), (-0.36, -0.2), (-0.18, 0.03), (0.1, 0.06), (0.32, -0.08),
             (0.36, -0.32), (0.2, -0.55), (0.16, -0.9), (0.18, -1.5)]  # fmt: skip
    femur = [(p.near(x, 0.03), p.near(y, 0.02)) for x, y in femur]
    p.polygon(Tissue.CARTILAGE, [(x * 1.07 - 0.005, y * 1.0 + 0.035) for x, y in femur[2:9]])
    _hollow(p, femur, 0.03)
    tibia = ((-0.38, 0.2), (-0.1, 0.16), (0.0, 0.13), (0.36, 0.19), (0.34, 0.36), (0.16, 0.6), (0.12, 1.5), (-0.24,
        1.5),
             (-0.26, 0.7), (-0.38, 0.45))  # fmt: skip
    p.band(Tissue.CARTILAGE, ((-0.33, 0.17), (0, 0.12), (0.33, 0.16)), 0.05)
    _hollow(p, tibia, 0.03)
    for x, lean in ((-0.28, 1), (0.26, -1)):
        p.polygon(Tissue.LIGAMENT, ((x - 0.07 * lean, 0.03), (x + 0.1 * lean, 0.11), (x - 0.07 * lean, 0.15)))
    p.band(Tissue.LIGAMENT, ((-0.16, 0.15), (0.14, -0.16)), p.near(0.05, 0.3), (Tissue.FAT, Tissue.CARTILAGE))
    p.band(Tissue.LIGAMENT, ((-0.5, -1.5), (-0.52, -0.75), (-0.58, -0.5)), 0.05)
    p.band(Tissue.LIGAMENT, ((-0.6, -0.2), (-0.5, 0.2), (-0.38, 0.5)), 0.055)
    _hollow(p, p.ellipse(-0.55, -0.36, 0.1, 0.2, 8), 0.02)
    p.band(Tissue.CARTILAGE, ((-0.44, -0.5), (-0.42, -0.36), (-0.45, -0.22)), 0.035, (Tissue.FAT,))
    _effusion(p, ((-0.42, -0.9), (-0.36, -0.6)))


def _hollow(p: Painter, points: tuple[Point, ...] | list[Point], rind: float) -> None:
    """A bone whose rind has the same thickness all around, in coordinates."""
    p.polygon(Tissue.MARROW, points)
    p.band(Tissue.BONE, [*points, points[0]], rind)


def _effusion(p: Painter, points: tuple[Point, ...]) -> None:
    """Fluid in the joint's pouch, and bruised marrow, at times."""
    if p.rng.random() < 0.5:
        p.band(Tissue.FLUID, points, p.rng.uniform(0.03, 0.12), (Tissue.FAT, Tissue.MUSCLE))
    if p.rng.random() < 0.25:
        size = p.rng.uniform(0.06, 0.16)
        p.blob(
            Tissue.LESION, p.rng.uniform(-0.25, 0.25), p.rng.choice((-0.25, 0.4)), size, size, 0, 0.3, (Tissue.MARROW,)
        )


def knee_coronal(p: Painter) -> None:
    """Two condyles of the femur with the notch between, tibia and fibula below, menisci and ligaments at the sides."""
    p.polygon(Tissue.FAT, [(p.near(x, 0.03), y) for x, y in (
        (-0.7, -1.5), (-0.72, -0.4), (-0.66, 0.2), (-0.66, 1.5), (0.66, 1.5), (0.66, 0.2), (0.74, -0.4), (0.72,
            -1.5))])  # fmt: skip
    for side in (-1, 1):
        p.polygon(Tissue.MUSCLE, ((side * 0.22, -1.5), (side * 0.66, -1.5), (side * 0.6, -0.6), (side * 0.35, -0.6)))
        p.polygon(Tissue.MUSCLE, ((side * 0.3, 0.7), (side * 0.56, 0.5), (side * 0.6, 1.5), (side * 0.25, 1.5)))
    femur = [(-0.18, -1.5), (-0.2, -0.8), (-0.44, -0.5), (-0.48, -0.2), (-0.38, 0.02), (-0.14, 0.02), (-0.07, -0.2),
             (0.07, -0.2), (0.14, 0.02), (0.38, 0.02), (0.48, -0.2), (0.44, -0.5), (0.2, -0.8), (0.18,
                 -1.5)]  # fmt: skip
    femur = [(p.near(x, 0.03), y) for x, y in femur]
    p.polygon(Tissue.CARTILAGE, [(x * 1.02, y + 0.035) for x, y in femur[3:11]])
    _hollow(p, femur, 0.03)
    tibia = [(-0.48, 0.16), (-0.1, 0.14), (-0.04, 0.06), (0.04, 0.06), (0.1, 0.14), (0.48, 0.16), (0.46, 0.36),
        (0.24, 0.7),
             (0.18, 1.5), (-0.2, 1.5), (-0.26, 0.7), (-0.46, 0.36)]  # fmt: skip
    p.band(Tissue.CARTILAGE, ((-0.42, 0.12), (-0.12, 0.1)), 0.04)
    p.band(Tissue.CARTILAGE, ((0.42, 0.12), (0.12, 0.1)), 0.04)
    _hollow(p, tibia, 0.03)
    side = p.rng.choice((-1, 1))
    _hollow(
        p, [(side * 0.4, 0.45), (side * 0.52, 0.42), (side * 0.5, 0.65), (side * 0.46, 1.5), (side * 0.38, 1.5)], 0.022
    )
    for side in (-1, 1):
        p.polygon(Tissue.LIGAMENT, ((side * 0.5, 0.01), (side * 0.28, 0.09), (side * 0.5, 0.15)))
        p.band(Tissue.LIGAMENT, ((side * 0.5, -0.35), (side * 0.54, 0.05), (side * 0.47, 0.5)), 0.022, (Tissue.FAT,))
    p.band(Tissue.LIGAMENT, ((0.05, -0.18), (-0.04, 0.06)), 0.05, (Tissue.FAT, Tissue.CARTILAGE))
    _effusion(p, ((-0.54, -0.45), (-0.55, -0.1)))


def knee_axial(p: Painter) -> None:
    """The femur's condyles with the kneecap in front, or the shin below; muscles and vessels behind."""
    p.shell(p.ellipse(0, 0.05, p.near(0.75), p.near(0.78), 0, 0.04), ((Tissue.SKIN, 1.0), (Tissue.FAT, 0.98)))
    for side in (-1, 1):
        p.blob(Tissue.MUSCLE, side * 0.38, 0.48, p.near(0.18), p.near(0.2), side * 30)
        p.blob(Tissue.MUSCLE, side * 0.6, 0.25, p.near(0.07), p.near(0.16))
        p.blob(Tissue.LIGAMENT, side * 0.5, 0.62, 0.03, 0.025)
    p.blob(Tissue.BLOOD, 0.0, 0.44, 0.05, 0.05)
    p.blob(Tissue.BLOOD, 0.06, 0.53, 0.06, 0.05)
    p.blob(Tissue.CORD, -0.08, 0.6, 0.035, 0.03)
    condyles = [(-0.5, 0.0), (-0.46, -0.22), (-0.3, -0.32), (-0.05, -0.22), (0.28, -0.34), (0.46, -0.22), (0.5, 0.0),
                (0.44, 0.26), (0.28, 0.32), (0.14, 0.2), (0.08, 0.06), (-0.08, 0.06), (-0.14, 0.2), (-0.28, 0.32),
                (-0.44, 0.26)]  # fmt: skip
    if p.rng.random() < 0.3:  # below the joint
        condyles = p.ellipse(0, -0.08, 0.48, 0.34, 0, 0.06)
        _hollow(p, p.ellipse(0.5, 0.22, 0.11, 0.1), 0.025)
        p.blob(Tissue.LIGAMENT, 0, -0.55, 0.14, 0.03)
    else:
        p.polygon(
            Tissue.FLUID if p.rng.random() < 0.4 else Tissue.CARTILAGE,
            [(x * 1.05, y * 1.1 - 0.02) for x, y in condyles[:7]],
        )
        _hollow(p, p.ellipse(p.rng.uniform(-0.05, 0.05), -0.53, 0.27, 0.11, 0, 0.06), 0.03)
        p.band(Tissue.CARTILAGE, ((-0.2, -0.42), (0.0, -0.38), (0.2, -0.43)), 0.045, (Tissue.FAT, Tissue.FLUID))
    _hollow(p, [(p.near(x, 0.03), p.near(y, 0.03)) for x, y in condyles], 0.035)
    if p.rng.random() < 0.2:
        p.blob(Tissue.LESION, 0.2, 0.0, 0.13, 0.12, 0, 0.3, (Tissue.MARROW,))
