"""Slices of the pelvis. The patient's right is on the left of the image; front is up in axial ones."""

from __future__ import annotations

from pocket.render_slice_paint import Painter, Tissue
from pocket.render_slice_trunk import INNER, column, torso, wall


def axial(p: Painter) -> None:
    """At the hip joints with the bladder between, or higher between the wings of the hip bones."""
    wide, tall, fat = p.near(0.92, 0.03), p.near(0.6, 0.06), p.rng.uniform(0.06, 0.18)
    wall(p, wide, tall, fat, 0.12)
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
    p.loops(p.rng.randint(9, 18), (-0.5, -tall * 0.6, 0.5, 0.05), 0.12, INNER)


def coronal(p: Painter) -> None:
    """Hip bones as wings, femoral heads and necks, thighs below, bladder in the middle, bowel above."""
    fat = p.rng.uniform(0.06, 0.16)
    torso(p, 0.76, 0.82, 0.9, fat)
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
    p.loops(p.rng.randint(8, 18), (-0.3, -0.95, 0.3, -0.1), 0.12, INNER)
    if p.rng.random() < 0.5:
        column(p, -1.4, -0.5, 0.13)
        p.bone([(-0.3, -0.45), (0.3, -0.45), (0.22, -0.2), (0.06, 0.05), (-0.06, 0.05), (-0.22, -0.2)], 0.93)
    full = p.rng.uniform(0.6, 1.2)
    p.blob(Tissue.BOWEL, 0, 0.12, 0.22 * full, 0.16 * full)
    p.blob(Tissue.FLUID, 0, 0.12, 0.2 * full, 0.14 * full)
    p.blob(Tissue.ORGAN, 0, 0.35, 0.1, 0.09)
    p.polygon(Tissue.OUTSIDE, ((-0.03, 0.75), (0.03, 0.75), (0.12, 1.6), (-0.12, 1.6)))
