"""Slices of a head: axial at three heights, coronal through brain or face, sagittal near the middle."""

from __future__ import annotations

import math

from pocket.render_slice_paint import Painter, Point, Tissue

_BRAIN = (Tissue.GREY, Tissue.WHITE)


def axial(p: Painter) -> None:
    """High up, at the ventricles, or at the base of the skull with eyes and cerebellum."""
    wide, tall = p.near(0.66, 0.05), p.near(0.84, 0.05)
    _skull(p, 0, 0, wide, tall)
    level = p.rng.choices(("ventricles", "top", "base"), (0.55, 0.15, 0.3))[0]
    if level == "base":
        _base(p, wide, tall)
        return
    _cortex(p, 0, 0, wide * 0.8, tall * 0.82)
    p.band(Tissue.CSF, ((0, -tall * 0.8), (0, -tall * 0.45)), 0.02, _BRAIN)
    p.band(Tissue.CSF, ((0, tall * 0.8), (0, tall * 0.4)), 0.02, _BRAIN)
    p.band(Tissue.LIGAMENT, ((0, -tall * 0.8), (0, tall * 0.8)), 0.008, (Tissue.CSF, *_BRAIN))
    if level == "ventricles":
        _ventricles(p, wide, tall)
    _lesion(p, wide * 0.5, tall * 0.5, _BRAIN)


def _skull(p: Painter, x: float, y: float, wide: float, tall: float) -> None:
    """Scalp, bone with its marrow, the fluid within."""
    outline = p.ellipse(x, y, wide, tall, wobble=0.02)
    scalp, thick = p.near(0.045, 0.3), p.near(0.075, 0.25)
    p.shell(outline, ((Tissue.SKIN, 1.0), (Tissue.FAT, 0.985), (Tissue.BONE, 1 - scalp * 1.5),
                      (Tissue.MARROW, 1 - scalp * 1.5 - thick * 0.3), (Tissue.BONE, 1 - scalp * 1.5 - thick * 0.7),
                      (Tissue.LIGAMENT, 1 - scalp * 1.5 - thick), (Tissue.CSF,
                          0.99 - scalp * 1.5 - thick)))  # fmt: skip


def _cortex(p: Painter, x: float, y: float, wide: float, tall: float) -> None:
    """Grey matter around white, folded: gyri as waves of the border, sulci as clefts of fluid."""
    p.blob(Tissue.GREY, x, y, wide, tall, wobble=0.01)
    folds, phase = p.rng.randint(13, 19), p.rng.uniform(0, 6.3)
    outline: list[Point] = []
    for step in range(150):
        at = step * math.tau / 150
        far = 0.80 + 0.075 * math.sin(folds * at + phase + 1.2 * math.sin(3 * at)) + 0.03 * math.sin(2.7 * folds * at)
        outline.append((x + wide * far * math.cos(at), y + tall * far * math.sin(at)))
    p.polygon(Tissue.WHITE, outline, (Tissue.GREY,))
    width = p.rng.choice((0.008, 0.014, 0.024)) * p.rng.uniform(0.8, 1.2)
    for n in range(folds * 2):
        at = n * math.pi / folds + p.rng.uniform(-0.1, 0.1)
        deep, lean = p.rng.uniform(0.74, 0.93), p.rng.uniform(-0.1, 0.1)
        points = [(x + wide * f * math.cos(at + lean * k), y + tall * f * math.sin(at + lean * k))
                  for k, f in enumerate((1.0, (1 + deep) / 2, deep))]  # fmt: skip
        p.band(Tissue.GREY, points, width + 0.035, (Tissue.WHITE,))
        p.band(Tissue.CSF, points, width, _BRAIN)


def _ventricles(p: Painter, wide: float, tall: float) -> None:
    """Lateral ventricles with front and back horns, deep grey matter, Sylvian fissures."""
    size = p.rng.uniform(0.7, 1.7)
    for side in (-1, 1):
        p.blob(Tissue.DEEP, side * wide * 0.19, tall * 0.1, 0.1, 0.12, 15 * side, over=_BRAIN)  # thalamus
        p.blob(Tissue.DEEP, side * wide * 0.37, -tall * 0.04, 0.06, 0.15, -12 * side, over=_BRAIN)  # lentiform
        p.blob(Tissue.DEEP, side * wide * 0.18, -tall * 0.22, 0.05, 0.09, 10 * side, over=_BRAIN)  # caudate
        p.band(Tissue.GREY, ((side * wide * 0.5, -tall * 0.15), (side * wide * 0.53, 0), (side * wide * 0.5,
            tall * 0.15)),
               0.05, (Tissue.WHITE,))  # fmt: skip
        fissure = (
            (side * wide * 0.8, -tall * 0.08),
            (side * wide * 0.6, -tall * 0.05),
            (side * wide * 0.55, tall * 0.08),
        )
        p.band(Tissue.CSF, fissure, 0.02 * size, _BRAIN)
        front = ((side * 0.03, -tall * 0.08), (side * 0.06, -tall * 0.2), (side * wide * 0.2, -tall * 0.33))
        p.band(Tissue.CSF, front, 0.05 * size, (*_BRAIN, Tissue.DEEP))
        back = ((side * wide * 0.22, tall * 0.18), (side * wide * 0.34, tall * 0.3), (side * wide * 0.3, tall * 0.5))
        p.band(Tissue.CSF, back, 0.055 * size, (*_BRAIN, Tissue.DEEP))
        p.band(Tissue.LIGAMENT, (back[0], back[1]), 0.012, (Tissue.CSF,))
    p.band(Tissue.CSF, ((0, -tall * 0.04), (0, tall * 0.17)), 0.02 * size, (*_BRAIN, Tissue.DEEP))


def _base(p: Painter, wide: float, tall: float) -> None:
    """Eyes, nose and sinuses in front, temporal lobes, petrous bones, cerebellum behind."""
    p.polygon(Tissue.FAT, ((-wide * 0.7, -tall * 0.5), (-wide * 0.4, -tall), (0, -tall * 1.08), (wide * 0.4, -tall),
                           (wide * 0.7, -tall * 0.5)))  # fmt: skip
    p.polygon(Tissue.MUSCLE, p.ellipse(0, -tall * 0.72, wide * 0.5, tall * 0.27), (Tissue.FAT, Tissue.BONE))
    for side in (-1, 1):
        p.blob(Tissue.BONE, side * wide * 0.42, -tall * 0.62, 0.2, 0.23, side * 20)
        p.blob(Tissue.FAT, side * wide * 0.42, -tall * 0.64, 0.175, 0.21, side * 20)
        p.blob(Tissue.LIGAMENT, side * wide * 0.44, -tall * 0.75, 0.125, 0.125)
        p.blob(Tissue.FLUID, side * wide * 0.44, -tall * 0.75, 0.112, 0.112)
        p.blob(Tissue.LIGAMENT, side * wide * 0.44, -tall * 0.75 - 0.09, 0.05, 0.022)
        p.band(Tissue.CORD, ((side * wide * 0.4, -tall * 0.62), (side * wide * 0.22, -tall * 0.42)), 0.035)
        p.band(Tissue.MUSCLE, ((side * wide * 0.28, -tall * 0.72), (side * wide * 0.2, -tall * 0.45)), 0.035)
        p.band(Tissue.SKIN, ((side * wide * 0.98, tall * 0.05), (side * wide * 1.15, tall * 0.12)), 0.06)
    p.blob(Tissue.BONE, 0, -tall * 0.62, wide * 0.19, tall * 0.3)
    for row in range(4):
        for side in (-1, 1):
            p.blob(p.rng.choice((Tissue.AIR, Tissue.AIR, Tissue.AIR, Tissue.ORGAN)), side * wide * 0.08,
                   -tall * (0.82 - 0.13 * row), 0.04, 0.05)  # fmt: skip
    for side in (-1, 1):
        p.blob(Tissue.GREY, side * wide * 0.45, -tall * 0.12, wide * 0.32, tall * 0.26, side * 30)
        p.blob(Tissue.WHITE, side * wide * 0.45, -tall * 0.12, wide * 0.18, tall * 0.17, side * 30, 0.3)
        p.band(Tissue.BONE, ((side * wide * 0.85, tall * 0.2), (side * wide * 0.5, tall * 0.15),
            (side * wide * 0.15, 0)),
               0.14)  # fmt: skip
        for _ in range(7):
            p.blob(Tissue.AIR, side * wide * p.rng.uniform(0.6, 0.85), tall * p.rng.uniform(0.12, 0.3), 0.028, 0.022)
    p.blob(Tissue.GREY, 0, tall * 0.5, wide * 0.62, tall * 0.3)
    for n in range(7):
        y = tall * (0.34 + 0.055 * n)
        reach = wide * (0.5 - 0.03 * abs(n - 3))
        p.band(Tissue.WHITE, ((-reach, y), (0, y - 0.03), (reach, y)), 0.022, (Tissue.GREY,))
    p.blob(Tissue.WHITE, 0, tall * 0.14, 0.14, 0.13)
    p.blob(Tissue.CSF, 0, tall * 0.3, p.near(0.055, 0.3), 0.035)
    _lesion(p, wide * 0.4, tall * 0.5, _BRAIN)


def _lesion(p: Painter, across: float, down: float, over: tuple[Tissue, ...]) -> None:
    if p.rng.random() < 0.35:
        size = p.rng.uniform(0.04, 0.2)
        x, y = p.rng.uniform(-across, across), p.rng.uniform(-down, down)
        p.blob(Tissue.LESION, x, y, size, size * p.rng.uniform(0.6, 1.2), 0, 0.25, (*over, Tissue.DEEP, Tissue.CSF))
        if p.rng.random() < 0.4:
            p.blob(p.rng.choice((Tissue.FLUID, Tissue.BLOOD)), x, y, size * 0.5, size * 0.5, 0, 0.2, (Tissue.LESION,))


def coronal(p: Painter) -> None:
    """The brain above with its ventricles; below it cerebellum and neck, or eyes, nose and sinuses."""
    wide, tall = p.near(0.66, 0.05), p.near(0.72, 0.05)
    p.polygon(Tissue.FAT, ((-0.5, 0.2), (-0.45, 0.6), (-0.48, 1.3), (0.48, 1.3), (0.45, 0.6), (0.5, 0.2)))
    p.polygon(Tissue.MUSCLE, ((-0.44, 0.2), (-0.4, 0.65), (-0.4, 1.3), (0.4, 1.3), (0.4, 0.65), (0.44, 0.2)))
    _skull(p, 0, -0.15, wide, tall)
    if p.rng.random() < 0.4:
        _face(p)
        return
    _cortex(p, 0, -0.2, wide * 0.8, tall * 0.76)
    p.band(Tissue.CSF, ((0, -0.15 - tall * 0.78), (0, -0.35)), 0.018, _BRAIN)
    p.band(Tissue.WHITE, ((-0.2, -0.3), (0, -0.33), (0.2, -0.3)), 0.05, (*_BRAIN, Tissue.CSF))
    size = p.rng.uniform(0.7, 1.7)
    for side in (-1, 1):
        p.band(Tissue.CSF, ((side * 0.03, -0.2), (side * 0.07, -0.28), (side * 0.17, -0.31)), 0.05 * size, _BRAIN)
        p.blob(Tissue.DEEP, side * 0.11, -0.1, 0.07, 0.08, over=_BRAIN)
        p.blob(Tissue.DEEP, side * 0.25, -0.1, 0.06, 0.1, over=_BRAIN)
        p.band(
            Tissue.CSF, ((side * wide * 0.8, -0.05), (side * 0.4, -0.08), (side * 0.36, -0.18)), 0.022 * size, _BRAIN
        )
        p.blob(Tissue.CSF, side * 0.33, 0.14, 0.025 * size, 0.03, over=_BRAIN)
    p.band(Tissue.CSF, ((0, -0.18), (0, 0.0)), 0.022 * size, (*_BRAIN, Tissue.DEEP))
    if p.rng.random() < 0.6:  # further back: the cerebellum under its tent
        p.band(Tissue.LIGAMENT, ((-0.45, 0.2), (0, 0.08), (0.45, 0.2)), 0.012)
        p.blob(Tissue.GREY, 0, 0.3, 0.42, 0.17)
        for n in range(6):
            y = 0.2 + 0.04 * n
            p.band(Tissue.WHITE, ((-0.34, y + 0.03), (0, y), (0.34, y + 0.03)), 0.016, (Tissue.GREY,))
    p.blob(Tissue.WHITE, 0, 0.2, 0.1, 0.2)
    p.band(Tissue.CORD, ((0, 0.3), (0, 1.3)), 0.1)
    for side in (-1, 1):
        p.band(Tissue.CSF, ((side * 0.07, 0.42), (side * 0.07, 1.3)), 0.03, (Tissue.MUSCLE,))
        p.bone([(side * 0.13, 0.55), (side * 0.28, 0.52), (side * 0.3, 0.66), (side * 0.13, 0.68)])
        p.blob(Tissue.BONE, side * 0.47, 0.3, 0.1, 0.1)
        for _ in range(6):
            p.blob(Tissue.AIR, side * p.rng.uniform(0.42, 0.52), p.rng.uniform(0.24, 0.37), 0.02, 0.02)
    _lesion(p, 0.4, 0.3, _BRAIN)


def _face(p: Painter) -> None:
    """Frontal lobes above, then eyes, nose with its turbinates, the maxillary sinuses and the mouth."""
    _cortex(p, 0, -0.42, 0.5, 0.36)
    p.band(Tissue.CSF, ((0, -0.75), (0, -0.1)), 0.02, _BRAIN)
    p.polygon(Tissue.MUSCLE, ((-0.5, 0.0), (-0.45, 0.5), (0, 0.95), (0.45, 0.5), (0.5, 0.0)))
    for side in (-1, 1):
        p.blob(Tissue.BONE, side * 0.29, 0.0, 0.2, 0.18)
        p.blob(Tissue.FAT, side * 0.29, 0.0, 0.18, 0.16)
        p.blob(p.rng.choice((Tissue.FLUID, Tissue.CORD)), side * 0.29, 0.0, 0.1, 0.1)
        for at in (0, 90, 180, 270):
            x, y = 0.29 + 0.13 * math.cos(math.radians(at)), 0.12 * math.sin(math.radians(at))
            p.blob(Tissue.MUSCLE, side * x, y, 0.025, 0.025)
        p.polygon(Tissue.BONE, ((side * 0.12, 0.18), (side * 0.42, 0.2), (side * 0.3, 0.5), (side * 0.13, 0.5)))
        p.polygon(p.rng.choice((Tissue.AIR, Tissue.AIR, Tissue.AIR, Tissue.FLUID)),
                  ((side * 0.14, 0.21), (side * 0.38, 0.22), (side * 0.28, 0.46), (side * 0.15, 0.47)))  # fmt: skip
        p.blob(Tissue.AIR, side * 0.06, 0.25, 0.045, 0.24)
        for y in (0.12, 0.26, 0.4):
            p.blob(Tissue.ORGAN, side * 0.07, y, 0.03, 0.05)
    p.band(Tissue.BONE, ((0, -0.08), (p.rng.uniform(-0.03, 0.03), 0.2), (0, 0.48)), 0.015)
    p.band(Tissue.BONE, ((-0.25, 0.52), (0, 0.5), (0.25, 0.52)), 0.04)
    p.blob(Tissue.MUSCLE, 0, 0.68, 0.25, 0.13)


def sagittal(p: Painter) -> None:
    """The profile to the left: brain with corpus callosum, stem and cerebellum, nose, mouth, spine."""
    face = ((-0.25, -0.9), (-0.68, -0.6), (-0.76, -0.25), (-0.74, -0.05), (-0.92, 0.2), (-0.78, 0.28), (-0.82, 0.42),
            (-0.76, 0.55), (-0.72, 0.75), (-0.4, 0.85), (-0.33, 1.4), (0.6, 1.4), (0.55, 0.7), (0.78, 0.2),
            (0.8, -0.25), (0.6, -0.7), (0.2, -0.95))  # fmt: skip
    p.polygon(Tissue.SKIN, [(p.near(x, 0.015), p.near(y, 0.015)) for x, y in face])
    p.polygon(Tissue.FAT, [(x * 0.975, y * 0.975) for x, y in face])
    p.polygon(
        Tissue.MUSCLE, ((-0.6, 0.1), (-0.66, 0.6), (-0.36, 0.75), (-0.28, 1.4), (0.42, 1.4), (0.5, 0.5), (0.3, 0.1))
    )
    skull = p.ellipse(0.03, -0.24, 0.72, 0.64, -6, 0.02)
    p.shell(skull, ((Tissue.BONE, 1.0), (Tissue.MARROW, 0.975), (Tissue.BONE, 0.945), (Tissue.LIGAMENT, 0.925),
                    (Tissue.CSF, 0.915)))  # fmt: skip
    _cortex(p, 0.03, -0.3, 0.63, 0.5)
    p.polygon(Tissue.CSF, ((-0.42, 0.05), (0.1, -0.02), (0.62, 0.05), (0.5, 0.35), (0.2, 0.42), (-0.1, 0.3)))
    p.band(Tissue.WHITE, ((-0.2, -0.1), (-0.3, -0.22), (-0.2, -0.36), (0.05, -0.42), (0.28, -0.32), (0.3, -0.18)),
           p.near(0.065), (*_BRAIN, Tissue.CSF))  # fmt: skip
    size = p.rng.uniform(0.6, 1.6)
    p.band(Tissue.CSF, ((-0.17, -0.26), (0.0, -0.33), (0.2, -0.25)), 0.05 * size, (*_BRAIN, Tissue.DEEP))
    p.blob(Tissue.DEEP, 0.03, -0.2, 0.15, 0.08, over=_BRAIN)
    p.band(Tissue.WHITE, ((0.08, -0.12), (0.06, 0.1), (0.1, 0.3), (0.14, 0.5), (0.17, 1.4)), 0.085)
    p.blob(Tissue.WHITE, 0.02, 0.12, 0.1, 0.12)
    p.blob(Tissue.GREY, 0.36, 0.2, 0.21, 0.17, 10)
    for n in range(8):
        at = math.radians(-100 + 30 * n)
        p.band(
            Tissue.WHITE, ((0.25, 0.18), (0.36 + 0.17 * math.cos(at), 0.2 + 0.13 * math.sin(at))), 0.016, (Tissue.GREY,)
        )
    p.blob(Tissue.CSF, 0.2, 0.16, 0.035 * size, 0.07, over=(Tissue.GREY, Tissue.WHITE))
    _profile(p)
    _lesion(p, 0.4, 0.2, _BRAIN)


def _profile(p: Painter) -> None:
    """Sinuses, nose, palate, tongue, throat, and the upper spine behind it."""
    p.polygon(Tissue.BONE, ((-0.38, 0.02), (0.0, 0.12), (0.02, 0.28), (-0.12, 0.26), (-0.35, 0.14)))
    p.blob(p.rng.choice((Tissue.AIR, Tissue.AIR, Tissue.MARROW)), -0.17, 0.15, 0.09, 0.06)
    p.blob(Tissue.ORGAN, -0.09, 0.06, 0.035, 0.025)
    p.blob(Tissue.AIR, -0.64, -0.1, 0.035, 0.09, 15)
    p.polygon(Tissue.AIR, ((-0.74, 0.24), (-0.6, 0.06), (-0.2, 0.24), (-0.15, 0.42), (-0.5, 0.34)))
    for y in (0.16, 0.27):
        p.band(Tissue.ORGAN, ((-0.58, y), (-0.26, y + 0.06)), 0.05)
    p.band(Tissue.BONE, ((-0.72, 0.4), (-0.3, 0.41)), 0.035)
    p.blob(Tissue.MUSCLE, -0.46, 0.58, 0.24, 0.13, 10)
    p.band(Tissue.AIR, ((-0.15, 0.38), (-0.12, 0.6), (-0.16, 0.85), (-0.12, 1.4)), 0.07)
    p.blob(Tissue.BONE, -0.66, 0.72, 0.05, 0.08, 10)
    p.blob(Tissue.MARROW, -0.66, 0.72, 0.035, 0.06, 10)
    p.band(Tissue.CSF, ((0.13, 0.38), (0.18, 0.7), (0.18, 1.4)), 0.15, (Tissue.MUSCLE, Tissue.FAT))
    p.band(Tissue.CORD, ((0.12, 0.36), (0.17, 0.7), (0.17, 1.4)), 0.07)
    for n in range(5):
        y = 0.5 + 0.17 * n
        p.bone([(-0.04, y), (0.09, y), (0.1, y + 0.13), (-0.03, y + 0.13)], 0.82)
        p.band(Tissue.DISC, ((-0.02, y + 0.15), (0.09, y + 0.15)), 0.03)
        p.bone([(0.29, y + 0.03), (0.45, y + 0.1), (0.44, y + 0.15), (0.28, y + 0.1)], 0.75)
