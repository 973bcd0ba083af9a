"""Pictures that show nothing biomedical: photographs that installed packages carry, and drawn ones."""

from __future__ import annotations

import random
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from imaging.types import Pixels
from pocket.render_graphic import GRAPHICS
from pocket.render_texture import TEXTURES

Split = Literal["train", "held_out"]
_FRAMES = ((320, 320), (320, 320), (288, 384), (240, 360), (384, 384), (360, 270))
"""Height and width of drawn pictures."""
_GREY_SIZE = (400, 400)


@dataclass(frozen=True)
class Photo:
    """A picture by its file name, the distribution it comes with, its folder there and the split it belongs to."""

    name: str
    package: str
    folder: str
    split: Split = "train"


DEV_PHOTOS = ("coffee.png", "grass.png", "rocket.jpg", "text.png", "chessboard_RGB.png", "moon.png")
"""Of scikit-image; held out, never trained on."""
TRAIN_PHOTOS = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "chessboard_GRAY.png", "clock_motion.png", "coins.png",
    "gravel.png", "horse.png", "hubble_deep_field.jpg", "logo.png", "motorcycle_left.png", "page.png", "color.png",
)  # fmt: skip
"""Of scikit-image."""
PHOTOS: tuple[Photo, ...] = (
    *(Photo(name, "scikit-image", "skimage/data") for name in TRAIN_PHOTOS),
    *(Photo(name, "scikit-image", "skimage/data", "held_out") for name in DEV_PHOTOS),
    Photo("china.jpg", "scikit-learn", "sklearn/datasets/images"),
    Photo("flower.jpg", "scikit-learn", "sklearn/datasets/images"),
    Photo("grace_hopper.jpg", "matplotlib", "matplotlib/mpl-data/sample_data"),
    Photo("Minduka_Present_Blue_Pack.png", "matplotlib", "matplotlib/mpl-data/sample_data"),
    Photo("logo2.png", "matplotlib", "matplotlib/mpl-data/sample_data"),
    Photo("jacksboro_fault_dem.npz", "matplotlib", "matplotlib/mpl-data/sample_data"),
    Photo("topobathy.npz", "matplotlib", "matplotlib/mpl-data/sample_data"),
    Photo("ascent.npz", "PyWavelets", "pywt/data"),
    Photo("aero.npz", "PyWavelets", "pywt/data"),
)
_ARRAYS = {"jacksboro_fault_dem.npz": "elevation", "topobathy.npz": "topo", "ascent.npz": "data", "aero.npz": "data"}
"""The picture's key in each archive."""


def photos(split: Split) -> tuple[str, ...]:
    """Names of the pictures to train on, or of those held out; no name is in both."""
    return tuple(photo.name for photo in PHOTOS if photo.split == split)


def photo(name: str) -> Pixels:
    """The picture of a name in `PHOTOS`, RGB; transparent parts are white, a relief is grey by its height.

    Raises KeyError for another name, FileNotFoundError where its package does not hold it.
    """
    path = _path({entry.name: entry for entry in PHOTOS}[name])
    if name in _ARRAYS:
        with np.load(path) as archive:
            values = np.asarray(archive[_ARRAYS[name]], dtype=np.float32)
        low, high = np.percentile(values, (0.5, 99.5))
        grey = np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    with Image.open(path) as image:
        if image.mode == "RGBA":
            white = Image.new("RGBA", image.size, (255, 255, 255, 255))
            return np.asarray(Image.alpha_composite(white, image).convert("RGB"))
        return np.asarray(image.convert("RGB"))


def grey(pixels: Pixels, seed: str) -> Pixels:
    """A part of a photograph, uint8 RGB without colour, softened, its tones moved; the same by seed."""
    rng = random.Random(seed)
    image = Image.fromarray(pixels).convert("L")
    width, height = (round(side * rng.uniform(0.35, 1.0)) for side in image.size)
    left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    image = image.crop((left, top, left + width, top + height)).resize(_GREY_SIZE, Image.Resampling.BICUBIC)
    if rng.random() < 0.6:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 6)))
    values = np.asarray(image, np.float32)
    low, high = np.percentile(values, (1, 99))
    tones = np.clip((values - low) / max(high - low, 1.0), 0, 1) ** rng.uniform(0.6, 1.6)
    dark = rng.uniform(0, 90)
    field = dark + tones * (rng.uniform(max(dark + 60, 130), 255) - dark)
    return np.repeat(field.astype(np.uint8)[..., None], 3, axis=2)


def _path(entry: Photo) -> Path:
    package, _, inner = entry.folder.partition("/")
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"{entry.name} comes with {entry.package}, which is not installed")
    return Path(found.submodule_search_locations[0]) / inner / entry.name


def drawn(seed: int) -> Pixels:
    """A drawn picture of nothing biomedical, uint8 RGB: a texture, or a thing that people draw; the same by seed."""
    rng, noise = random.Random(seed), np.random.default_rng(seed)
    size = rng.choice(_FRAMES)
    maker = rng.choice((*TEXTURES, *GRAPHICS))
    field = np.clip(maker(rng, noise, size), 0, 255).astype(np.uint8)
    return _worn(Image.fromarray(field), rng, noise)


def _worn(image: Image.Image, rng: random.Random, noise: np.random.Generator) -> Pixels:
    """At times grey, inverted, blurred, dark at the corners or grainy."""
    if rng.random() < 0.2:
        image = image.convert("L").convert("RGB")
    if rng.random() < 0.15:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 3)))
    field = np.asarray(image, dtype=np.float64)
    if rng.random() < 0.1:
        field = 255 - field
    if rng.random() < 0.15:
        y, x = np.mgrid[-1 : 1 : image.height * 1j, -1 : 1 : image.width * 1j]
        field = field * (1 - rng.uniform(0.1, 0.45) * (x * x + y * y) / 2)[..., None]
    if rng.random() < 0.15:
        field = field + noise.normal(0, rng.uniform(2, 15), (image.height, image.width, 1))
    return np.clip(field, 0, 255).astype(np.uint8)
