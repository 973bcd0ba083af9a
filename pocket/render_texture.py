"""Textures of things that are not biomedical: stones, bricks, wood, cloth, fur, sky, water, leaves, noise.

Each function returns a field `(height, width, 3)` in 0..255.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pocket.render_frame import Field, smooth

Size = tuple[int, int]
Maker = Callable[[random.Random, np.random.Generator, Size], NDArray[Any]]
_EARTH = ((90, 70, 50), (140, 120, 95), (170, 160, 150), (60, 60, 62), (120, 60, 40), (200, 180, 140), (96, 100, 90))
_GREENS = ((40, 90, 30), (80, 130, 50), (110, 150, 60), (30, 60, 25), (150, 160, 70), (130, 110, 60), (60, 110, 70))


def any_colour(rng: random.Random) -> tuple[int, int, int]:
    """Any colour; grey three times in ten."""
    if rng.random() < 0.3:
        grey = rng.randrange(256)
        return grey, grey, grey
    return rng.randrange(256), rng.randrange(256), rng.randrange(256)


def fractal(noise: np.random.Generator, size: Size, cells: int, octaves: int = 5) -> Field:
    """Noise of several scales, 0..1."""
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        total += smooth(noise, *size, min(cells * 2**octave, size[1])) * np.float32(0.55**octave)
    return np.asarray((total - total.min()) / (np.ptp(total) + 1e-6), dtype=np.float32)


def ramp(rng: random.Random, share: Field, colours: tuple[tuple[int, int, int], ...] = ()) -> Field:
    """Colours by a share of 0..1, from two to four colours of a palette, or any."""
    count = rng.randint(2, 4)
    stops = [rng.choice(colours) if colours else any_colour(rng) for _ in range(count)]
    at = np.linspace(0, 1, count)
    channels = [np.interp(share, at, [stop[c] for stop in stops]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.float32)


def _grid(size: Size, turn: float = 0.0) -> tuple[Field, Field]:
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    c, s = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    return x * c + y * s, y * c - x * s


def grass(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """Blades or straws in every direction, or mostly upright."""
    palette = rng.choice((_GREENS, _GREENS, _EARTH))
    image = Image.new("RGB", (size[1], size[0]), rng.choice(palette))
    draw, upright, length = ImageDraw.Draw(image), rng.random() < 0.5, rng.uniform(15, 70)
    for _n in range(rng.randint(700, 2500)):
        x, y = rng.uniform(-20, size[1] + 20), rng.uniform(-20, size[0] + 40)
        angle = rng.gauss(-1.57, 0.35) if upright else rng.uniform(0, 6.3)
        far, bend = length * rng.uniform(0.4, 1.2), rng.uniform(-0.5, 0.5)
        shade = rng.uniform(0.4, 1.35)
        colour = tuple(min(255, int(c * shade)) for c in rng.choice(palette))
        middle = (x + far / 2 * math.cos(angle), y + far / 2 * math.sin(angle))
        end = (middle[0] + far / 2 * math.cos(angle + bend), middle[1] + far / 2 * math.sin(angle + bend))
        draw.line((x, y, *middle, *end), fill=colour, width=rng.randint(1, 4))
    return np.asarray(image)


def stones(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Gravel, pebbles, a wall of rubble or cracked mud: cells around random points, shaded, with dark gaps."""
    count = round(math.exp(rng.uniform(math.log(15), math.log(450))))
    half = (size[0] + 1) // 2, (size[1] + 1) // 2
    points = noise.random((count, 2)).astype(np.float32) * np.array(half, np.float32)
    y, x = np.mgrid[0 : half[0], 0 : half[1]].astype(np.float32)
    y, x = y + smooth(noise, *half, 12) * 3, x + smooth(noise, *half, 12) * 3
    nearest, second = np.full(half, 1e9, np.float32), np.full(half, 1e9, np.float32)
    owner = np.zeros(half, np.int32)
    for n, (row, column) in enumerate(points):
        far = (y - row) ** 2 + (x - column) ** 2
        closer = far < nearest
        second = np.where(closer, nearest, np.minimum(second, far))
        nearest, owner = np.where(closer, far, nearest), np.where(closer, n, owner)
    gap = np.sqrt(second) - np.sqrt(nearest)
    dome = np.clip(gap / (rng.uniform(0.15, 0.9) * math.sqrt(half[0] * half[1] / count)), 0, 1)
    hues = _EARTH if rng.random() < 0.75 else tuple(any_colour(rng) for _ in range(4))
    palette = np.array([rng.choice(hues) for _ in range(count)], np.float32)
    palette *= noise.uniform(0.6, 1.4, (count, 1)).astype(np.float32)
    field = palette[owner] * (0.2 + 0.8 * dome[..., None]) * (0.75 + 0.5 * fractal(noise, half, 20)[..., None])
    return np.repeat(np.repeat(field, 2, 0), 2, 1)[: size[0], : size[1]]


def bricks(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """A wall of bricks or tiles: rows, at times shifted, with mortar and uneven colour."""
    x, y = _grid(size, rng.choice((0.0, 0.0, rng.uniform(-0.4, 0.4))))
    tall = rng.uniform(12, 70)
    wide, shift = tall * rng.choice((1.0, 2.0, 3.0, 0.5)), rng.choice((0.0, 0.5, 0.5))
    row = np.floor(y / tall)
    across = x / wide + shift * (row % 2)
    column, joint = np.floor(across), rng.uniform(1.0, 0.18 * tall)
    near = np.minimum(
        np.minimum(across - column, column + 1 - across) * wide, np.minimum(y / tall - row, row + 1 - y / tall) * tall
    )
    code = ((row * 73 + column * 151) % 97).astype(np.int32)
    shades = noise.uniform(0.65, 1.25, 97).astype(np.float32)[code]
    base = np.array(rng.choice(((170, 80, 60), (190, 190, 185), (120, 100, 90), any_colour(rng))), np.float32)
    body = base * shades[..., None] * (0.8 + 0.4 * fractal(noise, size, 25)[..., None])
    mortar = np.array(rng.choice(((200, 195, 185), (60, 58, 55), (240, 240, 240))), np.float32)
    cover = np.clip(near - joint / 2, 0, 1)[..., None]
    return np.asarray(body * cover + mortar * (1 - cover) * (0.85 + 0.3 * fractal(noise, size, 60)[..., None]))


def wood(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Grain along one direction, or rings, at times as planks."""
    x, y = _grid(size, rng.choice((0.0, math.pi / 2, rng.uniform(0, 3))))
    bend = fractal(noise, size, 3, 3) * rng.uniform(20, 120)
    rings = np.hypot(x - size[1] / 2, y - size[0] / 2) if rng.random() < 0.25 else y + 0.04 * x
    grain = 0.5 + 0.5 * np.sin((rings + bend) * rng.uniform(0.1, 0.6))
    fibre = smooth(noise, size[0], size[1], 150)
    share = np.clip(0.7 * grain + 0.15 * fibre + 0.15, 0, 1)
    field = ramp(
        rng, share.astype(np.float32), ((120, 75, 40), (170, 115, 65), (205, 160, 105), (80, 50, 30), (225, 195, 150))
    )
    if rng.random() < 0.4:
        field[(y % rng.uniform(40, 110)) < 2.5] *= 0.35
    return field


def weave(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Cloth: threads over and under, knit, corduroy or a tartan."""
    x, y = _grid(size, rng.uniform(0, 1.6))
    period = rng.uniform(4, 26)
    over = (np.floor(x / period) + np.floor(y / period) * rng.choice((1, 1, 2))) % 2 < 1
    first, second = np.array(any_colour(rng), np.float32), np.array(any_colour(rng), np.float32)
    shade_x = np.sin(x / period * math.pi) ** 2
    shade_y = np.sin(y / period * math.pi) ** 2
    field = np.where(
        over[..., None], first * (0.45 + 0.55 * shade_x[..., None]), second * (0.45 + 0.55 * shade_y[..., None])
    )
    if rng.random() < 0.35:  # tartan
        stripes = ((x % (period * 8)) < period * rng.uniform(1, 4)).astype(np.float32)
        stripes += ((y % (period * 8)) < period * rng.uniform(1, 4)).astype(np.float32)
        field = field * (1 - 0.25 * stripes[..., None]) + 0.25 * stripes[..., None] * np.array(
            any_colour(rng), np.float32
        )
    return np.asarray(field * (0.85 + 0.3 * fractal(noise, size, 8)[..., None]))


def fur(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Hair or brushed metal: noise drawn out along a bending direction."""
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.float32)
    angle = rng.uniform(0, 6.3) + smooth(noise, *size, 3) * rng.uniform(0, 1.6)
    grain = noise.random(size).astype(np.float32)
    total, dx, dy = np.zeros(size, np.float32), np.cos(angle), np.sin(angle)
    steps = rng.randint(8, 18)
    for step in range(-steps, steps + 1):
        rows = np.clip(y + dy * step, 0, size[0] - 1).astype(np.int32)
        columns = np.clip(x + dx * step, 0, size[1] - 1).astype(np.int32)
        total += grain[rows, columns]
    share = (total - total.min()) / (np.ptp(total) + 1e-6)
    share = np.clip(0.6 * share + 0.4 * fractal(noise, size, 4, 3), 0, 1)
    return ramp(rng, share.astype(np.float32), rng.choice((_EARTH, ())))


def sky(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Clouds before blue, evening or grey."""
    top, low = rng.choice((((60, 110, 190), (190, 215, 240)), ((40, 40, 80), (240, 150, 90)),
                               ((120, 125, 135), (190, 190, 195)),
                           ((20, 60, 140), (120, 170, 230))))  # fmt: skip
    down = np.linspace(0, 1, size[0], dtype=np.float32)[:, None, None]
    field = np.array(top, np.float32) * (1 - down) + np.array(low, np.float32) * down + np.zeros((*size, 3), np.float32)
    cover = np.clip((fractal(noise, size, rng.randint(2, 6), 6) - rng.uniform(0.3, 0.65)) * rng.uniform(2, 6), 0, 1)[
        ..., None
    ]
    return np.asarray(field * (1 - cover) + np.float32(rng.uniform(190, 255)) * cover)


def water(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Ripples, dunes or marble: waves bent by noise."""
    x, y = _grid(size, rng.uniform(0, 3.1))
    bend = fractal(noise, size, rng.randint(2, 8), rng.randint(2, 6)) * rng.uniform(1, 14)
    waves = np.sin(x * rng.uniform(0.02, 0.3) + bend) + 0.5 * np.sin(y * rng.uniform(0.02, 0.2) + 1.7 * bend)
    share = np.asarray((waves + 1.5) / 3, dtype=np.float32)
    if rng.random() < 0.4:
        share = np.abs(share * 2 - 1) ** np.float32(rng.uniform(0.3, 1))
    palettes = (((20, 60, 90), (60, 120, 140), (180, 210, 215), (10, 30, 50)),
                    ((210, 180, 130), (180, 140, 90), (235, 215, 170)),
                ((240, 240, 238), (200, 200, 200), (90, 90, 95)), ())  # fmt: skip
    return ramp(rng, np.clip(share, 0, 1).astype(np.float32), rng.choice(palettes))


def leaves(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """Foliage, petals or feathers lying over each other."""
    palette = rng.choice(
        (_GREENS, _GREENS, ((190, 90, 30), (210, 150, 40), (150, 50, 30)), ((230, 160, 190), (250, 220, 230)))
    )
    image = Image.new("RGB", (size[1], size[0]), (15, 25, 12))
    draw, length = ImageDraw.Draw(image), rng.uniform(12, 70)
    for n in range(rng.randint(150, 700)):
        x, y, angle = rng.uniform(0, size[1]), rng.uniform(0, size[0]), rng.uniform(0, 6.3)
        far, slim = length * rng.uniform(0.5, 1.3), rng.uniform(0.15, 0.4)
        shade = rng.uniform(0.35, 0.8) + 0.5 * n / 700
        colour = tuple(min(255, int(c * shade)) for c in rng.choice(palette))
        edge = [(k / 6, slim * math.sin(k * math.pi / 6)) for k in range(7)]
        edge += [(k, -v) for k, v in edge[::-1]]
        c, s = far * math.cos(angle), far * math.sin(angle)
        draw.polygon([(x + k * c - v * s, y + k * s + v * c) for k, v in edge], fill=colour)
        draw.line((x, y, x + c, y + s), fill=tuple(int(v * 0.7) for v in colour), width=1)
    return np.asarray(image)


def plaster(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Rough ground: sand, concrete, rust, snow, lit from one side."""
    height = fractal(noise, size, rng.choice((4, 12, 40)), 6)
    lit = np.gradient(height, axis=rng.choice((0, 1))) * rng.uniform(4, 25)
    field = ramp(rng, fractal(noise, size, 3, 6), rng.choice((_EARTH, _EARTH, ((235, 235, 240), (200, 205, 215)), ())))
    return np.asarray(field * np.clip(1 + lit, 0.2, 2)[..., None] + noise.normal(0, rng.uniform(0, 14), (*size, 1)))


def clouds(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Soft noise in any colours, at times cut into bands."""
    share = fractal(noise, size, rng.randint(2, 12), rng.randint(1, 6))
    if rng.random() < 0.3:
        share = np.asarray(np.round(share * rng.randint(3, 8)) / 8, dtype=np.float32)
    return ramp(rng, share)


def static(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Noise: Gaussian, uniform, salt and pepper, by line, by channel, in blocks."""
    coarse, channels = rng.choice((1, 1, 2, 4, 8)), rng.choice((1, 3))
    shape = (math.ceil(size[0] / coarse), math.ceil(size[1] / coarse), channels)
    kind = rng.choice(("normal", "uniform", "pepper", "rows", "columns"))
    base = np.array(any_colour(rng), np.float32)
    if kind == "pepper":
        field = np.where(noise.random(shape) < rng.uniform(0.02, 0.4), 255.0 * (noise.random(shape) < 0.5), base)
    elif kind in ("rows", "columns"):
        line = (shape[0], 1, channels) if kind == "rows" else (1, shape[1], channels)
        field = base + noise.normal(0, rng.uniform(10, 90), line) + noise.normal(0, rng.uniform(0, 20), shape)
    elif kind == "uniform":
        field = noise.uniform(0, 255, shape)
    else:
        field = rng.uniform(50, 200) + noise.normal(0, rng.uniform(10, 90), shape)
    field = np.broadcast_to(field, (*shape[:2], 3))
    return np.repeat(np.repeat(field, coarse, 0), coarse, 1)[: size[0], : size[1]]


def stripes(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Waves, bars or a grid of them, soft or sharp."""
    x, y = _grid(size, rng.uniform(0, math.pi))
    period = rng.uniform(5, 70)
    wave = np.sin(x * 2 * np.pi / period)
    if rng.random() < 0.4:
        wave = wave * np.sin(y * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = np.sign(wave)
    mix = np.clip((wave[..., None] + 1) / 2 + noise.normal(0, 0.04, (*size, 1)), 0, 1)
    return np.asarray(np.array(any_colour(rng)) * (1 - mix) + np.array(any_colour(rng)) * mix)


def gradient(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """One colour fading to others, straight, round or around a point."""
    x, y = _grid(size, rng.uniform(0, 6.3))
    far = np.hypot(x - rng.uniform(0, 1) * size[1], y - rng.uniform(0, 1) * size[0])
    share = rng.choice((x, far, np.arctan2(y - y.mean(), x - x.mean())))
    share = (share - share.min()) / (np.ptp(share) + 1e-6)
    return ramp(rng, share.astype(np.float32)) + noise.normal(0, rng.choice((0, 1, 3)), (*size, 1))


def plain(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Nearly one colour, with darker corners and grain."""
    colour = rng.choice((any_colour(rng), any_colour(rng), (0, 0, 0), (255, 255, 255)))
    y, x = np.mgrid[-1 : 1 : size[0] * 1j, -1 : 1 : size[1] * 1j]
    light = 1 - rng.choice((0.0, 0.15, 0.5)) * (x * x + y * y) / 2
    return np.asarray(np.array(colour) * light[..., None] + noise.normal(0, rng.choice((0, 1, 4)), (*size, 1)))


TEXTURES: tuple[Maker, ...] = (
    grass, stones, bricks, wood, weave, fur, sky, water, leaves, plaster, clouds, static, stripes, gradient, plain,
)  # fmt: skip
