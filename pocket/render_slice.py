"""Grey slices of the body as CT or MR show them, drawn from one anatomy with two rules of contrast."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np

from pocket import render_slice_abdomen as abdomen
from pocket import render_slice_chest as chest
from pocket import render_slice_head as head
from pocket import render_slice_limb as limb
from pocket import render_slice_pelvis as pelvis
from pocket.facts import Facts
from pocket.render_frame import Drawing, smooth
from pocket.render_slice_contrast import as_ct, as_mr
from pocket.render_slice_paint import SIDE, Labels, Painter

SLICES: dict[tuple[str, str], Callable[[Painter], None]] = {
    ("head", "axial"): head.axial,
    ("head", "coronal"): head.coronal,
    ("head", "sagittal"): head.sagittal,
    ("chest", "axial"): chest.axial,
    ("chest", "coronal"): chest.coronal,
    ("abdomen", "axial"): abdomen.axial,
    ("abdomen", "coronal"): abdomen.coronal,
    ("abdomen", "sagittal"): abdomen.sagittal,
    ("pelvis", "axial"): pelvis.axial,
    ("pelvis", "coronal"): pelvis.coronal,
    ("spine", "sagittal"): limb.spine_sagittal,
    ("spine", "axial"): limb.spine_axial,
    ("knee", "sagittal"): limb.knee_sagittal,
    ("knee", "coronal"): limb.knee_coronal,
    ("knee", "axial"): limb.knee_axial,
}
"""What is drawn for each body part and plane."""


def draw_slice(rng: random.Random, noise: np.random.Generator) -> Drawing:
    """A slice `(384, 384, 3)`: any body part and plane, and either modality, each as often."""
    organ, plane = rng.choice(tuple(SLICES))
    painter = Painter(rng)
    SLICES[organ, plane](painter)
    labels = _bent(painter.labels, noise, rng.uniform(2, 11))
    if rng.random() < 0.5:
        light = as_ct(labels, organ, plane, rng, noise)
        facts = Facts("ct", organ=organ, plane=plane)
    else:
        light = as_mr(labels, organ, rng, noise)
        facts = Facts("mr", organ=organ, plane=plane)
    return Drawing(np.repeat(_framed(light, rng)[..., None], 3, axis=2), facts)


def _bent(labels: Labels, noise: np.random.Generator, pixels: float) -> Labels:
    """The map with its borders shifted by smooth noise, so that no shape stays a plain curve."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    across = smooth(noise, SIDE, SIDE, 9) * pixels + smooth(noise, SIDE, SIDE, 45) * pixels * 0.35
    down = smooth(noise, SIDE, SIDE, 9) * pixels + smooth(noise, SIDE, SIDE, 45) * pixels * 0.35
    rows = np.clip(y + down.astype(np.int32), 0, SIDE - 1)
    columns = np.clip(x + across.astype(np.int32), 0, SIDE - 1)
    return np.asarray(labels[rows, columns])


def _framed(light: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
            rng: random.Random) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:  # fmt: skip
    """Black margins or a round field of view, at times."""
    side = light.shape[0]
    if rng.random() < 0.12:
        y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        light = np.where(np.hypot(x, y) < rng.uniform(0.96, 1.15), light, np.float32(0))
    if rng.random() < 0.15:
        edge = rng.randint(10, 60)
        light = light.copy()
        if rng.random() < 0.5:
            light[:, :edge], light[:, -edge:] = 0, 0
        else:
            light[:edge], light[-edge:] = 0, 0
    return np.asarray(light, dtype=np.float32)
