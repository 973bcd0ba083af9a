"""Nuclei that shine on a dark ground, as fluorescence microscopy shows them, each with its box."""

from __future__ import annotations

import math
import random

import numpy as np

from pocket.facts import Facts
from pocket.render_frame import Drawing, patch, places, rim, smooth

SIDE = 384
_COLOURS = ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.2, 0.4, 1.0), (0.1, 0.15, 1.0), (0.2, 1.0, 0.3), (1.0, 0.25, 0.2),
            (0.15, 0.9, 0.9))  # fmt: skip


def draw_fluorescence(rng: random.Random, noise: np.random.Generator) -> Drawing:
    """A field of nuclei, apart or in clumps, bright or dim, in one colour."""
    radius = rng.choice((6, 8, 11, 15, 20, 28, 40)) * rng.uniform(0.85, 1.2)
    height, width = rng.choice(((SIDE, SIDE), (SIDE, SIDE), (384, 480)))
    room = height * width / (math.pi * radius * radius)
    wanted = max(1, round(min(220.0, room * 10 ** rng.uniform(-2.0, -0.35))))
    spots = places(wanted, (height, width), radius * rng.uniform(1.3, 2.2), rng, rng.uniform(0, 0.6))
    light = np.full((height, width), rng.uniform(0.0, 0.06), np.float32)
    light += rng.uniform(0, 0.05) * (smooth(noise, height, width, 4) + 1) / 2
    grainy = smooth(noise, height, width, 60)
    strength, spread = rng.uniform(0.3, 0.85), rng.uniform(0.05, 0.35)
    boxes = []
    for x, y in spots:
        outline = rim(radius * rng.uniform(0.8, 1.2), rng.choice((0.04, 0.1)), rng.uniform(1.0, 1.7), rng)
        found = patch(light.shape, x, y, radius * 3)
        if found is None:
            continue
        where, dx, dy = found
        inside = np.hypot(dx, dy) / outline(np.arctan2(dy, dx))
        cover = np.clip((1 - inside) * radius / rng.uniform(1.5, 4.0) + 0.5, 0, 1)
        bright = strength * rng.uniform(1 - spread, 1 + spread)
        light[where] += bright * cover * (1 - 0.3 * np.clip(inside, 0, 1) ** 2) * (1 + 0.25 * grainy[where])
        light[where] += 0.06 * bright * np.exp(-np.clip(inside - 1, 0, None) * 1.5)  # glow around it
        boxes.append(outline.box("nucleus", x, y, width, height))
    colour = np.array(rng.choice(_COLOURS), np.float32)
    return Drawing(light[..., None] * colour, Facts("fluorescence", nuclei=len(boxes)), tuple(boxes))
