"""Pictures that show nothing biomedical: photographs and textures that scikit-image carries, and drawn ones."""

from __future__ import annotations

import random

import numpy as np
import skimage
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from imaging.types import Pixels

TRAIN_PHOTOS = (
    "astronaut.png", "brick.png", "camera.png", "chelsea.png", "chessboard_GRAY.png", "clock_motion.png", "coins.png",
    "gravel.png", "horse.png", "hubble_deep_field.jpg", "logo.png", "motorcycle_left.png", "page.png", "color.png",
)  # fmt: skip
DEV_PHOTOS = ("coffee.png", "grass.png", "rocket.jpg", "text.png", "chessboard_RGB.png", "moon.png")
SIDE = 320


def photo(name: str) -> Pixels:
    """An image of scikit-image's data folder by its file name."""
    from pathlib import Path

    with Image.open(Path(skimage.__file__).parent / "data" / name) as image:
        return np.asarray(image.convert("RGB"))


def drawn(seed: int) -> Pixels:
    """A drawn picture of nothing biomedical: blank, noise, gradient, clouds, stripes, shapes, text, plot or blocks."""
    rng = random.Random(seed)
    maker = rng.choice((_blank, _noise, _gradient, _clouds, _clouds, _stripes, _shapes, _shapes, _text, _plot, _blocks))
    return maker(rng, np.random.default_rng(seed))


def _colour(rng: random.Random) -> tuple[int, int, int]:
    if rng.random() < 0.3:
        grey = rng.randrange(256)
        return grey, grey, grey
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def _eight_bit(field: NDArray[np.floating]) -> Pixels:
    return np.asarray(np.clip(field, 0, 255).astype(np.uint8))


def _blank(rng: random.Random, noise: np.random.Generator) -> Pixels:
    colour = rng.choice((_colour(rng), (0, 0, 0), (255, 255, 255)))
    field = np.full((SIDE, SIDE, 3), colour, dtype=np.float32) + noise.normal(
        0, rng.choice((0, 0, 2, 5)), (SIDE, SIDE, 1)
    )
    return np.clip(field, 0, 255).astype(np.uint8)


def _noise(rng: random.Random, noise: np.random.Generator) -> Pixels:
    channels = rng.choice((1, 3))
    coarse = rng.choice((1, 1, 2, 4, 8))
    field = noise.normal(rng.uniform(60, 190), rng.uniform(15, 90), (SIDE // coarse, SIDE // coarse, channels))
    if rng.random() < 0.3:
        field = noise.uniform(0, 255, field.shape)
    grown = np.kron(field, np.ones((coarse, coarse, 1)))
    return np.clip(np.broadcast_to(grown, (*grown.shape[:2], 3)), 0, 255).astype(np.uint8)


def _gradient(rng: random.Random, _: np.random.Generator) -> Pixels:
    first, second = np.array(_colour(rng)), np.array(_colour(rng))
    y, x = np.mgrid[0 : 1 : SIDE * 1j, 0 : 1 : SIDE * 1j]
    ramp = rng.choice((x, y, (x + y) / 2, np.hypot(x - 0.5, y - 0.5)))[..., None]
    return _eight_bit(first * (1 - ramp) + second * ramp)


def _clouds(rng: random.Random, noise: np.random.Generator) -> Pixels:
    total = np.zeros((SIDE, SIDE), dtype=np.float32)
    for octave in range(rng.randint(2, 6)):
        cells = 2 ** (octave + 1)
        layer = Image.fromarray(noise.random((cells, cells)).astype(np.float32))
        total += np.asarray(layer.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) * rng.uniform(0.4, 0.8) ** octave
    total = (total - total.min()) / (np.ptp(total) + 1e-6)
    first, second = np.array(_colour(rng)), np.array(_colour(rng))
    return _eight_bit(first * (1 - total[..., None]) + second * total[..., None])


def _stripes(rng: random.Random, noise: np.random.Generator) -> Pixels:
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    angle, period = rng.uniform(0, np.pi), rng.uniform(6, 60)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / period)
    if rng.random() < 0.4:
        wave = wave * np.sin((y * np.cos(angle) - x * np.sin(angle)) * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = np.sign(wave)
    mix = (wave[..., None] + 1) / 2 + noise.normal(0, 0.05, (SIDE, SIDE, 1))
    return _eight_bit(np.array(_colour(rng)) * (1 - mix) + np.array(_colour(rng)) * mix)


def _shapes(rng: random.Random, _: np.random.Generator) -> Pixels:
    image = Image.new("RGB", (SIDE, SIDE), _colour(rng))
    draw = ImageDraw.Draw(image)
    for _n in range(rng.randint(2, 25)):
        x, y, w, h = rng.randrange(SIDE), rng.randrange(SIDE), rng.randint(10, 160), rng.randint(10, 160)
        kind = rng.randrange(4)
        if kind == 0:
            draw.rectangle((x, y, x + w, y + h), fill=_colour(rng))
        elif kind == 1:
            draw.polygon([(rng.randrange(SIDE), rng.randrange(SIDE)) for _p in range(3)], fill=_colour(rng))
        elif kind == 2:
            draw.line((x, y, rng.randrange(SIDE), rng.randrange(SIDE)), fill=_colour(rng), width=rng.randint(1, 14))
        else:
            draw.ellipse((x, y, x + w, y + h), fill=_colour(rng))
    return np.asarray(image.filter(ImageFilter.GaussianBlur(rng.choice((0, 0, 0.7, 2)))))


def _text(rng: random.Random, _: np.random.Generator) -> Pixels:
    dark = rng.random() < 0.25
    image = Image.new("RGB", (SIDE, SIDE), (20, 20, 24) if dark else (250, 250, 246))
    draw = ImageDraw.Draw(image)
    size = rng.randint(8, 30)
    letters = "abcdefghijklmnopqrstuvwxyz     ,.0123456789"
    for y in range(6, SIDE, round(size * 1.5)):
        line = "".join(rng.choice(letters) for _n in range(SIDE // max(4, size // 2)))
        draw.text((8, y), line, fill=(230, 230, 230) if dark else (25, 25, 25), font_size=size)
    return np.asarray(image)


def _plot(rng: random.Random, noise: np.random.Generator) -> Pixels:
    image = Image.new("RGB", (SIDE, SIDE), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.line((30, 10, 30, SIDE - 30, SIDE - 10, SIDE - 30), fill=(0, 0, 0), width=2)
    for _n in range(rng.randint(1, 4)):
        heights = np.cumsum(noise.normal(0, 12, 40)) + rng.uniform(80, 220)
        points = [(30 + i * 7, float(h)) for i, h in enumerate(heights)]
        if rng.random() < 0.5:
            draw.line(points, fill=_colour(rng), width=rng.randint(1, 4))
        else:
            for x, y in points[::3]:
                draw.rectangle((x, min(y, SIDE - 31), x + 10, SIDE - 30), fill=_colour(rng))
    return np.asarray(image)


def _blocks(rng: random.Random, noise: np.random.Generator) -> Pixels:
    cells = rng.choice((4, 8, 12, 16))
    field = noise.integers(0, 256, (cells, cells, 3)).astype(np.uint8)
    if rng.random() < 0.4:
        field = np.where((np.indices((cells, cells)).sum(0) % 2)[..., None], _colour(rng), _colour(rng)).astype(
            np.uint8
        )
    return np.asarray(
        Image.fromarray(field).resize((SIDE, SIDE), rng.choice((Image.Resampling.NEAREST, Image.Resampling.BICUBIC)))
    )
