"""Land seen from above in slanting light: hills, dunes, rubble, craters. Grey and soft as a radiograph, and none."""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from imaging.types import Pixels
from pocket.render_frame import Field
from pocket.render_texture import Size, any_colour, fractal

_FRAMES = ((320, 320), (288, 384), (384, 384), (360, 270))


def relief(seed: int) -> Pixels:
    """A picture of land, uint8 RGB; the same by seed."""
    rng, noise = random.Random(f"relief/{seed}"), np.random.default_rng(seed)
    size = rng.choice(_FRAMES)
    ground = fractal(noise, size, rng.randint(2, 9), rng.randint(3, 6)) * rng.uniform(15, 90)
    if rng.random() < 0.25:
        ground += _dunes(rng, ground)
    if rng.random() < 0.6:
        ground += _craters(rng, size)
    lit = _light(rng, ground)
    low, high = np.percentile(lit, (1, 99))
    tones = np.clip((lit - low) / max(float(high - low), 1e-3), 0, 1) ** rng.uniform(0.6, 1.7)
    tones *= 1 - rng.uniform(0, 0.5) * fractal(noise, size, 3, 3)
    dark = rng.uniform(0, 110)
    grey = dark + tones * (rng.uniform(max(dark + 50, 120), 255) - dark)
    hue = np.ones(3) if rng.random() < 0.75 else 0.5 + 0.5 * np.asarray(any_colour(rng)) / 255
    field = np.clip(grey[..., None] * hue + noise.normal(0, rng.choice((0, 0, 2, 6)), (*size, 1)), 0, 255)
    image = Image.fromarray(field.astype(np.uint8))
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4)))
    return np.asarray(image)


def _light(rng: random.Random, ground: Field) -> NDArray[np.float64]:
    """How bright each place is, by its slope to the light."""
    down, across = np.gradient(ground.astype(np.float64))
    turn, height = rng.uniform(0, 2 * math.pi), math.tan(rng.uniform(0.2, 1.2))
    facing = height - across * math.cos(turn) - down * math.sin(turn)
    return np.asarray(np.maximum(facing, 0) / np.sqrt(1 + across**2 + down**2))


def _dunes(rng: random.Random, ground: Field) -> Field:
    """Waves of sand, bent by the ground below."""
    rows, columns = np.mgrid[0 : ground.shape[0], 0 : ground.shape[1]]
    turn, length = rng.uniform(0, math.pi), rng.uniform(8, 60)
    phase = (rows * math.sin(turn) + columns * math.cos(turn) + ground * rng.uniform(0.3, 2)) / length
    return np.asarray(length * 0.15 * np.abs(np.sin(math.pi * phase)), np.float32)


def _craters(rng: random.Random, size: Size) -> Field:
    """Bowls with raised rims, many small ones and few large ones."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]]
    ground = np.zeros(size, np.float32)
    for _ in range(rng.randint(4, 120)):
        radius = min(4 * (1 - rng.random()) ** -0.7, 0.4 * size[0])
        row, column = rng.uniform(0, size[0]), rng.uniform(0, size[1])
        far = np.sqrt((rows - row) ** 2 + (columns - column) ** 2) / radius
        bowl = np.where(far < 1, far**2 - 1, 0) + 0.25 * np.exp(-((far - 1) ** 2) / 0.05)
        ground += (radius * rng.uniform(0.1, 0.5) * bowl).astype(np.float32)
    return ground
