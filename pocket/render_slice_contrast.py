"""How CT and MR see the same tissues: the modality is in the contrast, not in the shapes.

CT: Hounsfield units through a window. MR: signal by tissue and weighting, uneven coils, noise of a magnitude image.
"""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pocket.render_frame import Field, blurred, smooth
from pocket.render_slice_paint import SIDE, Labels, Tissue

HOUNSFIELD: dict[Tissue, float] = {
    Tissue.OUTSIDE: -1000, Tissue.SKIN: 20, Tissue.FAT: -100, Tissue.MUSCLE: 55, Tissue.BONE: 1000, Tissue.MARROW: 230,
    Tissue.WHITE: 27, Tissue.GREY: 37, Tissue.DEEP: 38, Tissue.CSF: 6, Tissue.LUNG: -840, Tissue.AIR: -990,
    Tissue.BLOOD: 45, Tissue.LIVER: 60, Tissue.SPLEEN: 50, Tissue.CORTEX: 35, Tissue.MEDULLA: 32, Tissue.BOWEL: 40,
    Tissue.FLUID: 12, Tissue.ORGAN: 42, Tissue.DISC: 85, Tissue.CORD: 40, Tissue.CARTILAGE: 70, Tissue.LIGAMENT: 80,
    Tissue.HEART: 48, Tissue.LESION: 20,
}  # fmt: skip
ENHANCEMENT: dict[Tissue, float] = {
    Tissue.BLOOD: 190, Tissue.LIVER: 50, Tissue.SPLEEN: 75, Tissue.CORTEX: 150, Tissue.MEDULLA: 95, Tissue.HEART: 60,
    Tissue.BOWEL: 40, Tissue.ORGAN: 45, Tissue.MUSCLE: 10, Tissue.GREY: 3,
}  # fmt: skip
"""What iodine adds to each tissue at its strongest."""
WINDOWS = {"brain": (38, 85), "soft": (45, 380), "wide": (60, 700), "lung": (-550, 1500), "bone": (420, 1900)}
"""Centre and width."""
_WINDOWS_OF = {
    "head": ("brain", "brain", "brain", "soft", "bone", "wide"), "chest": ("soft", "soft", "lung", "lung", "bone"),
    "abdomen": ("soft", "soft", "soft", "soft", "wide"), "pelvis": ("soft", "soft", "wide", "bone"),
    "spine": ("soft", "wide", "bone", "bone"), "knee": ("bone", "bone", "wide", "soft"),
}  # fmt: skip
_T1 = (0.02, 0.30, 0.95, 0.36, 0.05, 0.72, 0.62, 0.47, 0.50, 0.10, 0.04, 0.02, 0.10, 0.52, 0.34, 0.46, 0.33, 0.36, 0.13,
       0.44, 0.36, 0.48, 0.46, 0.07, 0.36, 0.25)  # fmt: skip
_T2 = (0.02, 0.20, 0.72, 0.20, 0.03, 0.46, 0.36, 0.52, 0.44, 0.98, 0.05, 0.02, 0.06, 0.30, 0.52, 0.55, 0.66, 0.42, 0.96,
       0.50, 0.62, 0.38, 0.55, 0.05, 0.32, 0.85)  # fmt: skip
_FAT_SUPPRESSED = (0.02, 0.35, 0.10, 0.30, 0.03, 0.13, 0.40, 0.52, 0.46, 0.95, 0.07, 0.02, 0.30, 0.33, 0.60, 0.62, 0.72,
                   0.48, 0.98, 0.55, 0.55, 0.42, 0.75, 0.07, 0.40, 0.95)  # fmt: skip
_FLAIR = (0.02, 0.25, 0.62, 0.26, 0.03, 0.36, 0.38, 0.56, 0.50, 0.07, 0.05, 0.02, 0.06, 0.35, 0.45, 0.50, 0.45,
    0.40, 0.10,
          0.45, 0.35, 0.42, 0.50, 0.06, 0.32, 0.92)  # fmt: skip
_BRIGHT_BLOOD = (0.02, 0.35, 0.80, 0.25, 0.03, 0.30, 0.35, 0.42, 0.40, 0.85, 0.06, 0.02, 0.98, 0.45, 0.45, 0.55, 0.60,
                 0.45, 0.95, 0.50, 0.50, 0.40, 0.55, 0.06, 0.38, 0.75)  # fmt: skip
"""Signal of each tissue, in the order of their numbers."""
_WEIGHTINGS_OF = {
    "head": (_T1, _T1, _T2, _T2, _FLAIR, _FLAIR), "chest": (_T1, _T2, _BRIGHT_BLOOD, _FAT_SUPPRESSED),
    "abdomen": (_T1, _T2, _FAT_SUPPRESSED, _BRIGHT_BLOOD), "pelvis": (_T1, _T2, _T2, _FAT_SUPPRESSED),
    "spine": (_T1, _T2, _T2, _FAT_SUPPRESSED), "knee": (_T1, _T1, _T2, _FAT_SUPPRESSED, _FAT_SUPPRESSED),
}  # fmt: skip


def _table(values: dict[Tissue, float]) -> NDArray[np.float32]:
    return np.array([values[tissue] for tissue in Tissue], np.float32)


def _halved(field: Field, radius: float) -> Field:
    """`(SIDE, SIDE)` to half the side, each pixel the mean of four, blurred."""
    small = field.reshape(SIDE // 2, 2, SIDE // 2, 2).mean(axis=(1, 3))
    return blurred(small.astype(np.float32), radius)


def as_ct(labels: Labels, organ: str, plane: str, rng: random.Random, noise: np.random.Generator) -> Field:
    """The slice as CT shows it, `(384, 384)` in 0..1."""
    window = rng.choice(_WINDOWS_OF[organ])
    values = dict(HOUNSFIELD)
    dose = rng.choice((0.0, 0.5, 1.0)) * rng.uniform(0.6, 1.3) * (0.4 if organ in ("head", "knee") else 1.0)
    for tissue, more in ENHANCEMENT.items():
        values[tissue] += dose * more
    for tissue in Tissue:
        values[tissue] += rng.gauss(0, 3 if organ == "head" else 6) if values[tissue] > -50 else 0.0
    values[Tissue.BONE] = rng.uniform(700, 1500)
    values[Tissue.MARROW] = rng.uniform(120, 420)
    values[Tissue.LESION] = rng.choice((-20.0, 8.0, 25.0, 75.0, 110.0))
    if rng.random() < 0.25:
        values[Tissue.FLUID] = rng.uniform(200, 500)  # swallowed contrast
    hu = _table(values)[labels]
    spongy = smooth(noise, SIDE, SIDE, 110) * (90 * (labels == Tissue.MARROW) + 60 * (labels == Tissue.LUNG))
    hu = hu + spongy + smooth(noise, SIDE, SIDE, 8) * 4
    if plane == "axial" and rng.random() < 0.6:
        hu = _with_table(hu, labels, rng)
    seen = _halved(hu, rng.uniform(0.5, 1.0))
    grain = noise.normal(0, 1, seen.shape).astype(np.float32)
    speckle = blurred(grain, rng.choice((0.4, 0.7, 1.0)))
    seen = seen + speckle * rng.uniform(4, 14) * (1 if window == "brain" else 3)
    if rng.random() < 0.15:
        seen = seen + _streaks(seen.shape[0], rng, noise) * (seen > -300)
    middle, span = WINDOWS[window]
    centre, width = middle * rng.uniform(0.85, 1.15), span * rng.uniform(0.75, 1.4)
    light = (seen - (centre - width / 2)) / width
    return np.asarray(np.clip(light, 0, 1), dtype=np.float32)


def _with_table(hu: Field, labels: Labels, rng: random.Random) -> Field:
    """A thin bright curve under the body."""
    lowest = int(np.max(np.nonzero(labels.any(axis=1))[0], initial=0))
    image = Image.new("L", (SIDE, SIDE), 0)
    draw, y = ImageDraw.Draw(image), lowest + rng.randint(2, 40)
    sag, width = rng.randint(30, 120), rng.randint(2, 6)
    for drop in (0, rng.choice((0, 40, 70))):
        draw.arc((-60, y - 2 * sag + drop, SIDE + 60, y + drop), 15, 165, fill=255, width=width)
    there = (np.asarray(image) > 0) & (labels == Tissue.OUTSIDE)
    return np.where(there, np.float32(rng.uniform(-100, 300)), hu)


def _streaks(side: int, rng: random.Random, noise: np.random.Generator) -> Field:
    """Rays of too much and too little, from something dense."""
    x0, y0 = rng.uniform(0.3, 0.7) * side, rng.uniform(0.3, 0.8) * side
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    angle, far = np.arctan2(y - y0, x - x0), np.hypot(y - y0, x - x0)
    rays = noise.normal(0, 1, 181).astype(np.float32)
    ray = np.interp(angle, np.linspace(-math.pi, math.pi, 181), rays)
    return np.asarray(ray * rng.uniform(8, 35) * np.exp(-far / (0.4 * side)), dtype=np.float32)


def as_mr(labels: Labels, organ: str, rng: random.Random, noise: np.random.Generator) -> Field:
    """The slice as MR shows it, `(384, 384)` in 0..1."""
    weighting = rng.choice(_WEIGHTINGS_OF[organ])
    values = dict(zip(Tissue, weighting, strict=True))
    for tissue in Tissue:
        values[tissue] *= rng.uniform(0.85, 1.15)
    if weighting is _T1 and rng.random() < 0.35:  # gadolinium
        values[Tissue.BLOOD], values[Tissue.LESION] = rng.uniform(0.7, 1.0), rng.uniform(0.6, 1.0)
        values[Tissue.CORTEX] *= 1.6
    elif rng.random() < 0.3:
        values[Tissue.BLOOD] = rng.uniform(0.3, 0.9)
    spongy = 1 + smooth(noise, SIDE, SIDE, 70) * 0.07 + smooth(noise, SIDE, SIDE, 14) * 0.06
    signal = _halved(_table(values)[labels] * spongy, rng.uniform(0.4, 1.1))
    side = signal.shape[0]
    signal = signal * _coil(side, rng, noise, organ)
    signal = _echoes(signal, rng)
    level = rng.choice((0.008, 0.02, 0.035)) * rng.uniform(0.7, 1.5)
    signal = np.hypot(signal + noise.normal(0, level, signal.shape), noise.normal(0, level, signal.shape))
    bright = float(np.percentile(signal, 99.5)) * rng.uniform(0.7, 1.1)
    return np.asarray(np.clip(signal / max(bright, 0.05), 0, 1), dtype=np.float32)


def _coil(side: int, rng: random.Random, noise: np.random.Generator, organ: str) -> Field:
    """Brighter towards the coil, darker away from it."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j].astype(np.float32)
    fall = rng.uniform(0.05, 0.45)
    if organ == "spine":  # the coil lies behind the back
        gain = np.exp(-fall * 2.2 * np.hypot(x - np.float32(rng.uniform(0.2, 0.9)), y * 0.5))
    elif rng.random() < 0.5:
        gain = 1 - fall + 2 * fall * np.hypot(x, y) ** 2 / 1.5
    else:
        angle = rng.uniform(0, 2 * math.pi)
        gain = np.exp(fall * 1.5 * (x * math.cos(angle) + y * math.sin(angle)))
    return np.asarray(np.clip(gain, 0.1, 4) * (1 + 0.08 * smooth(noise, side, side, 3)), dtype=np.float32)


def _echoes(signal: Field, rng: random.Random) -> Field:
    """Ghosts of motion and ringing at edges, at times."""
    axis = rng.choice((0, 1))
    if rng.random() < 0.2:
        shift, strength = rng.randint(20, 90), rng.uniform(0.03, 0.12)
        ghost = np.roll(signal, shift, axis) + np.roll(signal, -shift, axis)
        signal = signal + np.float32(strength) * ghost
    if rng.random() < 0.25:
        spectrum = np.fft.fft(signal, axis=axis)
        kept = np.abs(np.fft.fftfreq(signal.shape[axis])) < rng.uniform(0.18, 0.35)
        spectrum *= kept[:, None] if axis == 0 else kept[None, :]
        signal = np.abs(np.fft.ifft(spectrum, axis=axis)).astype(np.float32)
    return signal
