"""Things people draw or photograph that are not biomedical: charts, text, screens, signs, scenes, plain objects.

Each function returns uint8 or float RGB `(height, width, 3)` in 0..255.
"""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pocket.render_frame import smooth
from pocket.render_texture import Maker, Size, any_colour, fractal, ramp

_LETTERS = "abcdefghijklmnopqrstuvwxyz     ,.0123456789ABCDEFGH-:"


def _sheet(size: Size, colour: tuple[int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (size[1], size[0]), colour)
    return image, ImageDraw.Draw(image)


def _paper(rng: random.Random) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Ground and ink."""
    return rng.choice((((255, 255, 255), (10, 10, 10)), ((250, 248, 238), (40, 30, 30)),
                       ((24, 24, 30), (225, 225, 225)),
                       ((0, 0, 0), (240, 240, 240)), (any_colour(rng), (0, 0, 0))))  # fmt: skip


def _words(rng: random.Random, count: int) -> str:
    return "".join(rng.choice(_LETTERS) for _ in range(count))


def page(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """Lines of text, a heading, columns, or a table."""
    ground, ink = _paper(rng)
    image, draw = _sheet(size, ground)
    high = rng.randint(7, 30)
    columns = rng.choice((1, 1, 2, 3, 5))
    for y in range(8, size[0], round(high * rng.uniform(1.3, 2.0))):
        for n in range(columns):
            x = 8 + n * size[1] // columns
            draw.text(
                (x, y),
                _words(rng, max(2, int(size[1] / columns / high * rng.uniform(0.4, 1.6)))),
                fill=ink,
                font_size=high,
            )
        if columns > 2:
            draw.line((0, y - 3, size[1], y - 3), fill=ink)
    return np.asarray(image)


def chart(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Bars, lines, points, a pie or a heat map, with axes and labels."""
    ground, ink = _paper(rng)
    image, draw = _sheet(size, ground)
    h, w, kind = size[0], size[1], rng.choice(("bar", "line", "scatter", "pie", "heat"))
    if kind == "pie":
        start, r = 0.0, min(size) * rng.uniform(0.25, 0.45)
        for _n in range(rng.randint(2, 8)):
            end = start + rng.uniform(20, 120)
            draw.pieslice(
                (w / 2 - r, h / 2 - r, w / 2 + r, h / 2 + r), start, min(end, 360), fill=any_colour(rng), outline=ink
            )
            start = min(end, 359)
        return np.asarray(image)
    if kind == "heat":
        cells = noise.random((rng.randint(4, 12), rng.randint(4, 12))).astype(np.float32)
        grown = Image.fromarray(np.clip(ramp(rng, cells), 0, 255).astype(np.uint8))
        image.paste(grown.resize((w - 60, h - 60), Image.Resampling.NEAREST), (45, 15))
    draw.line((40, 10, 40, h - 35, w - 10, h - 35), fill=ink, width=rng.randint(1, 3))
    for n in range(5):
        draw.text((6, 15 + n * (h - 60) / 5), str(rng.randint(0, 99)), fill=ink, font_size=11)
        draw.text((50 + n * (w - 60) / 5, h - 28), _words(rng, 4), fill=ink, font_size=11)
    for _n in range(rng.randint(1, 4) if kind != "heat" else 0):
        values = np.clip(np.cumsum(noise.normal(0, 0.08, 24)) + rng.uniform(0.2, 0.8), 0.02, 0.98)
        points = [(45 + i * (w - 60) / 24, h - 36 - float(v) * (h - 60)) for i, v in enumerate(values)]
        colour = any_colour(rng)
        if kind == "line":
            draw.line(points, fill=colour, width=rng.randint(1, 4))
        for x, y in points if kind != "line" else ():
            if kind == "bar":
                draw.rectangle((x, y, x + (w - 60) / 30, h - 36), fill=colour)
            else:
                y += rng.uniform(-40, 40)
                draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=colour)
    return np.asarray(image)


def screen(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """A user interface: bars, panels, buttons, lists, an icon or two."""
    ground, ink = _paper(rng)
    image, draw = _sheet(size, ground)
    h, w = size
    draw.rectangle((0, 0, w, h * rng.uniform(0.06, 0.14)), fill=any_colour(rng))
    draw.text((10, 4), _words(rng, 14), fill=(255, 255, 255), font_size=14)
    if rng.random() < 0.6:
        draw.rectangle((0, h * 0.1, w * rng.uniform(0.15, 0.3), h), fill=any_colour(rng))
    for _n in range(rng.randint(4, 12)):
        x, y = rng.uniform(0, 0.8) * w, rng.uniform(0.1, 0.9) * h
        far, high = rng.uniform(40, 180), rng.uniform(14, 80)
        draw.rounded_rectangle(
            (x, y, x + far, y + high), 6, fill=any_colour(rng) if rng.random() < 0.5 else ground, outline=ink
        )
        draw.text((x + 6, y + 4), _words(rng, rng.randint(3, 16)), fill=ink, font_size=rng.randint(8, 14))
    return np.asarray(image)


def sign(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """A logo, an icon or a traffic sign: few large shapes in flat colours, a letter or two."""
    image, draw = _sheet(size, any_colour(rng))
    h, w, r = size[0], size[1], min(size) * rng.uniform(0.2, 0.48)
    for _n in range(rng.randint(1, 4)):
        corners, turn = rng.choice((3, 4, 5, 6, 8, 40, 10)), rng.uniform(0, 6.3)
        star = rng.choice((1.0, 1.0, 0.45))
        points = [(w / 2 + r * (star if k % 2 else 1) * math.cos(turn + k * math.tau / corners),
                   h / 2 + r * (star if k % 2 else 1) * math.sin(turn + k * math.tau / corners))
                   for k in range(corners)]  # fmt: skip
        draw.polygon(points, fill=any_colour(rng), outline=any_colour(rng))
        r *= rng.uniform(0.55, 0.9)
    if rng.random() < 0.6:
        draw.text(
            (w / 2, h / 2),
            _words(rng, rng.randint(1, 4)).upper(),
            fill=any_colour(rng),
            font_size=max(12, r),
            anchor="mm",
        )
    return np.asarray(image)


def code(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Squares as in a QR code, bars, a checkerboard, colour swatches or a mosaic."""
    kind, cells = rng.choice(("qr", "bars", "checks", "swatches", "mosaic")), rng.choice((4, 8, 12, 21, 29))
    if kind == "qr":
        block = (noise.random((cells, cells)) < 0.5)[..., None] * np.array((255, 255, 255))
        for y, x in ((0, 0), (0, cells - 7), (cells - 7, 0)) if cells >= 21 else ():
            block[y : y + 7, x : x + 7] = 0
            block[y + 1 : y + 6, x + 1 : x + 6] = 255
            block[y + 2 : y + 5, x + 2 : x + 5] = 0
    elif kind == "bars":
        block = (noise.random((1, rng.randint(20, 90))) < 0.5)[..., None] * np.array((255, 255, 255))
    elif kind == "checks":
        block = np.where((np.indices((cells, cells)).sum(0) % 2)[..., None], any_colour(rng), any_colour(rng))
    else:
        rows = cells if kind == "mosaic" else rng.randint(1, 4)
        block = noise.integers(0, 256, (rows, rng.randint(2, 12), 3))
    how = Image.Resampling.BICUBIC if rng.random() < 0.15 else Image.Resampling.NEAREST
    image = Image.fromarray(block.astype(np.uint8)).resize((size[1], size[0]), how)
    return np.asarray(image.rotate(rng.choice((0, 0, rng.uniform(-30, 30))), fillcolor=(255, 255, 255)))


def land(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """A landscape of hills or a skyline, with sun, trees or lit windows."""
    h, w = size
    field = ramp(rng, np.repeat(np.linspace(0, 1, h, dtype=np.float32)[:, None], w, 1),
                 ((90, 140, 210), (200, 220, 240), (250, 190, 120), (30, 30, 70), (150, 150, 160)))  # fmt: skip
    image = Image.fromarray(field.astype(np.uint8))
    draw = ImageDraw.Draw(image)
    x, y, r = rng.uniform(0, w), rng.uniform(0, h / 3), rng.uniform(8, 40)
    draw.ellipse((x - r, y - r, x + r, y + r), fill=(255, 245, 210))
    city = rng.random() < 0.45
    for n in range(rng.randint(2, 4)):
        colour = tuple(
            int(c * (0.9 - 0.2 * n))
            for c in rng.choice(((90, 120, 90), (110, 110, 120), (70, 100, 60), (130, 110, 90)))
        )
        if city:
            at = 0.0
            while at < w:
                far, top = rng.uniform(14, 60), h * rng.uniform(0.25 + 0.12 * n, 0.75)
                draw.rectangle((at, top, at + far, h), fill=colour)
                for row in range(int(top) + 5, h, 11):
                    for k in range(int(at) + 4, int(at + far) - 4, 9):
                        if rng.random() < 0.4:
                            draw.rectangle(
                                (k, row, k + 4, row + 5), fill=(250, 230, 150) if rng.random() < 0.6 else (60, 60, 70)
                            )
                at += far
        else:
            line = h * (0.4 + 0.15 * n) + smooth(noise, 2, w, rng.randint(3, 9))[0] * h * 0.12
            draw.polygon([(0, h), *[(k, float(v)) for k, v in enumerate(line)], (w, h)], fill=colour)
            for _t in range(rng.randint(0, 25)):
                k = rng.randrange(w)
                foot, tall = float(line[k]) + rng.uniform(0, 30), rng.uniform(8, 40)
                draw.polygon(((k - tall / 4, foot), (k + tall / 4, foot), (k, foot - tall)), fill=(30, 70, 35))
    return np.asarray(image)


def sketch(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """A drawing in lines: scribbles, a maze of streets, a floor plan, a mesh."""
    ground, ink = _paper(rng)
    image, draw = _sheet(size, ground)
    kind = rng.choice(("scribble", "streets", "plan", "mesh"))
    for _n in range(rng.randint(4, 40)):
        x, y = rng.uniform(0, size[1]), rng.uniform(0, size[0])
        colour, thick = ink if rng.random() < 0.7 else any_colour(rng), rng.choice((1, 1, 2, 3, 8))
        if kind == "plan":
            draw.rectangle((x, y, x + rng.uniform(20, 150), y + rng.uniform(20, 150)), outline=ink, width=thick)
        elif kind == "mesh":
            draw.line((x, y, rng.uniform(0, size[1]), rng.uniform(0, size[0])), fill=colour, width=1)
        elif kind == "streets":
            far, turn = size[0] + size[1], rng.choice((0.0, 1.57, rng.uniform(0, 3)))
            c, s = far * math.cos(turn), far * math.sin(turn)
            draw.line((x - c, y - s, x + c, y + s), fill=colour, width=rng.choice((2, 4, 10, 16)))
        else:
            points, heading = [(x, y)], rng.uniform(0, 6.3)
            for _k in range(rng.randint(10, 60)):
                heading += rng.gauss(0, 0.5)
                points.append((points[-1][0] + 8 * math.cos(heading), points[-1][1] + 8 * math.sin(heading)))
            draw.line(points, fill=colour, width=thick)
    return np.asarray(image)


def geography(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """A map: land and sea with coast, rivers, borders, names."""
    land_share = fractal(noise, size, rng.randint(2, 6), 6)
    level = rng.uniform(0.35, 0.65)
    sea = np.array(rng.choice(((150, 190, 220), (40, 70, 120), (255, 255, 255))), np.float32)
    ground = ramp(rng, land_share, ((150, 180, 110), (230, 220, 180), (170, 140, 100), (245, 245, 240)))
    field = np.where((land_share > level)[..., None], ground, sea)
    field[np.abs(land_share - level) < 0.006] = 40
    if rng.random() < 0.5:
        field[np.abs((land_share * 14) % 1 - 0.5) < 0.03] *= 0.8
    image = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _n in range(rng.randint(0, 12)):
        draw.text(
            (rng.uniform(0, size[1]), rng.uniform(0, size[0])),
            _words(rng, 7),
            fill=(20, 20, 20),
            font_size=rng.randint(8, 15),
        )
    return np.asarray(image)


def face(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """A cartoon face or animal."""
    image, draw = _sheet(size, any_colour(rng))
    h, w = size
    x, y, r = w * rng.uniform(0.35, 0.65), h * rng.uniform(0.4, 0.6), min(size) * rng.uniform(0.22, 0.42)
    skin, ink = any_colour(rng), rng.choice(((0, 0, 0), any_colour(rng)))
    for side in (-1, 1):
        ear = x + side * r * 0.75
        if rng.random() < 0.8:
            draw.polygon(
                ((ear - r * 0.3, y - r * 0.6), (ear + r * 0.3, y - r * 0.6), (ear, y - r * 1.35)),
                fill=skin,
                outline=ink,
            )
    draw.ellipse((x - r, y - r * rng.uniform(0.85, 1.2), x + r, y + r), fill=skin, outline=ink, width=rng.randint(1, 6))
    for side in (-1, 1):
        eye, size_of = x + side * r * 0.38, r * rng.uniform(0.1, 0.24)
        draw.ellipse(
            (eye - size_of, y - r * 0.2 - size_of, eye + size_of, y - r * 0.2 + size_of),
            fill=(255, 255, 255),
            outline=ink,
        )
        draw.ellipse(
            (eye - size_of / 2, y - r * 0.2 - size_of / 2, eye + size_of / 2, y - r * 0.2 + size_of / 2),
            fill=(20, 20, 20),
        )
    draw.arc((x - r * 0.5, y, x + r * 0.5, y + r * 0.6), *rng.choice(((0, 180), (180, 360))), fill=ink, width=4)
    return np.asarray(image)


def dots(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Dots that are no cells: polka dots, confetti, lights out of focus, stars in the sky."""
    kind = rng.choice(("polka", "confetti", "bokeh", "stars"))
    h, w = size
    if kind in ("bokeh", "stars"):
        field = np.zeros((h, w, 3), np.float32) + np.array(
            rng.choice(((5, 5, 15), (20, 14, 10), (12, 25, 30))), np.float32
        )
        field += (
            fractal(noise, size, 3)[..., None] * np.array(any_colour(rng), np.float32) * np.float32(rng.uniform(0, 0.4))
        )
        y, x = np.mgrid[0:h, 0:w]
        for _n in range(rng.randint(60, 150) if kind == "stars" else rng.randint(10, 45)):
            r = abs(rng.gauss(0, 1.2)) + 0.4 if kind == "stars" else rng.uniform(8, 40)
            a, b, reach = rng.randrange(h), rng.randrange(w), int(4 * r) + 2 if kind == "stars" else int(r) + 2
            part = slice(max(0, a - reach), a + reach), slice(max(0, b - reach), b + reach)
            far = np.hypot(y[part] - a, x[part] - b)
            glow = (
                np.exp(-((far / r) ** 2)) if kind == "stars" else np.clip(r - far, 0, 1) * (0.5 + 0.3 * (far / r) ** 6)
            )
            tint = np.array((255, 240, 220) if kind == "stars" else any_colour(rng), np.float32)
            field[part] += glow[..., None] * tint * np.float32(rng.uniform(0.3, 1))
        return field
    image, draw = _sheet(size, any_colour(rng))
    colours = [any_colour(rng) for _ in range(1 if kind == "polka" else 6)]
    if kind == "polka":
        gap = rng.uniform(14, 70)
        r = gap * rng.uniform(0.15, 0.4)
        for row in range(int(h / gap) + 2):
            for column in range(int(w / gap) + 2):
                x, y = (column + 0.5 * (row % 2)) * gap, row * gap
                draw.ellipse((x - r, y - r, x + r, y + r), fill=colours[0])
        return np.asarray(image)
    for _n in range(rng.randint(40, 400)):
        x, y, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(2, 9)
        if rng.random() < 0.5:
            draw.rectangle((x, y, x + r, y + r * rng.uniform(0.5, 3)), fill=rng.choice(colours))
        else:
            draw.regular_polygon((x, y, r), rng.randint(3, 6), rng.uniform(0, 360), fill=rng.choice(colours))
    return np.asarray(image)


def shapes(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """Polygons, boxes, rings and lines at random, also grey ones on black."""
    grey = rng.random() < 0.45
    image, draw = _sheet(size, (0, 0, 0) if grey else any_colour(rng))

    def colour() -> tuple[int, int, int]:
        value = rng.randrange(256)
        return (value, value, value) if grey else any_colour(rng)

    for _n in range(rng.randint(1, 25)):
        x, y = rng.uniform(-40, size[1]), rng.uniform(-40, size[0])
        w, h = rng.uniform(10, 200), rng.uniform(10, 200)
        kind = rng.randrange(5)
        if kind == 0:
            draw.rectangle((x, y, x + w, y + h), fill=colour())
        elif kind == 1:
            draw.polygon(
                [(x + rng.uniform(0, w), y + rng.uniform(0, h)) for _p in range(rng.randint(3, 7))], fill=colour()
            )
        elif kind == 2:
            draw.line((x, y, x + w, y + rng.uniform(-h, h)), fill=colour(), width=rng.randint(1, 14))
        elif kind == 3:
            draw.ellipse((x, y, x + w, y + h), fill=colour())
        else:
            draw.arc(
                (x, y, x + w, y + h),
                rng.uniform(0, 180),
                rng.uniform(180, 360),
                fill=colour(),
                width=rng.randint(2, 14),
            )
    return np.asarray(image)


def objects(rng: random.Random, noise: np.random.Generator, size: Size) -> NDArray[Any]:
    """Shaded solids on a ground: balls, bowls, bottles and boxes, in colour or grey, before a wall or in the dark."""
    h, w = size
    field = ramp(rng, np.repeat(np.linspace(0, 1, h, dtype=np.float32)[:, None], w, 1))
    if rng.random() < 0.35:
        field[:] = rng.uniform(0, 25)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32)
    light = np.array((rng.uniform(-0.8, 0.8), -0.6, 0.6))
    light = light / np.linalg.norm(light)
    for _n in range(rng.randint(1, 5)):
        cx, cy, r = rng.uniform(0.15, 0.85) * w, rng.uniform(0.3, 0.85) * h, rng.uniform(0.08, 0.3) * h
        colour = np.array(any_colour(rng), np.float32)
        if rng.random() < 0.5:  # a ball
            dx, dy = (x - cx) / r, (y - cy) / r
            inside, nx, ny = dx**2 + dy**2 < 1, dx, dy
        else:  # turned on a lathe: its radius changes with height
            tall = r * rng.uniform(1.5, 3)
            along = np.clip((y - cy + tall / 2) / tall, 0, 1)
            knots = [rng.uniform(0.25, 1.0) for _k in range(5)]
            reach = np.interp(along, np.linspace(0, 1, 5), knots) * r
            dx = (x - cx) / reach
            inside, nx, ny = (np.abs(dx) < 1) & (np.abs(y - cy) < tall / 2), dx, np.zeros_like(dx)
        nz = np.sqrt(np.clip(1 - nx**2 - ny**2, 0, 1))
        shade = np.clip(nx * light[0] + ny * light[1] + nz * light[2], 0.05, 1)
        body = colour * shade[..., None] + 220 * (shade[..., None] ** 40) * rng.choice((0, 1))
        field = np.where(inside[..., None], body, field)
    return field + noise.normal(0, rng.uniform(0, 5), (h, w, 1))


def fractals(rng: random.Random, _: np.random.Generator, size: Size) -> NDArray[Any]:
    """A Julia set, or a spiral of rays."""
    y, x = np.mgrid[-1.3 : 1.3 : size[0] * 1j, -1.5 : 1.5 : size[1] * 1j]
    z = (x + 1j * y) * rng.uniform(0.3, 1.1)
    if rng.random() < 0.35:
        share = 0.5 + 0.5 * np.sin(rng.randint(2, 12) * np.angle(z) + rng.uniform(2, 25) * np.abs(z))
        return ramp(rng, share.astype(np.float32))
    c = 0.7885 * np.exp(1j * rng.uniform(0, 6.3))
    count = np.zeros(size, np.float32)
    for _n in range(28):
        alive = np.abs(z) < 3
        z = np.where(alive, z * z + c, z)
        count += alive
    return ramp(rng, np.asarray(count / 28, dtype=np.float32))


GRAPHICS: tuple[Maker, ...] = (
    page, chart, screen, sign, code, land, sketch, geography, face, dots, shapes, objects, fractals,
)  # fmt: skip
