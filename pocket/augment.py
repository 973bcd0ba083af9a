"""Views of a training image: crops, colours and damage, with the facts that remain true of each.

Every function takes its own random generator; the same seed gives the same view.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from imaging.types import Pixels
from pocket.facts import Facts
from pocket.trunk import FIELD_SIZE, squash

Box = tuple[str, float, float, float, float]
"""Name, left, top, right, bottom, in pixels of the image at hand."""
Region = tuple[int, int, int, int]
Drawn = tuple[Image.Image, Facts, list[Box]]
WORKING_SIDE = 640
_COUNTED = {"RBC": "red", "WBC": "white", "Platelets": "platelets", "nucleus": "nuclei"}
_SHOWN = 0.5
"""From this share of its box on, a cell counts as shown."""
_SIDES = (130, 380)
"""Sides in pixels of crops at a smear's own scale, about one to three cells across."""
_FLUOROPHORES = ((0.15, 0.35, 1.0), (0.1, 0.1, 1.0), (0.2, 1.0, 0.25), (1.0, 0.2, 0.15), (0.1, 0.9, 0.9))
_LABELS = ("R", "L", "AP", "PORTABLE", "120 mm", "Se: 3 Im: 14", "ERECT", "A", "W:350 L:40", "LEFT", "1.5T", "(a)", "B")


@dataclass(frozen=True, eq=False)
class Shown:
    """One view: uint8 `(384, 384, 3)`, what is true of it, and the cells that count, in shares of its sides."""

    pixels: Pixels
    facts: Facts
    boxes: tuple[Box, ...] = ()


def view(pixels: Pixels, boxes: Sequence[Box], facts: Facts, rng: random.Random) -> Shown:
    """A random view and what is true of it. `boxes` are the cells of a smear, or nuclei, where they are known."""
    image = Image.fromarray(pixels)
    scale = min(1.0, WORKING_SIDE / max(image.size))
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    maker: Callable[[Image.Image, list[Box], Facts, random.Random], Drawn] = {
        "smear": _smear, "fluorescence": _fluorescence, "tissue": _tissue, "brightfield": _brightfield,
        "ct": _radiology, "mr": _radiology, "xray": _radiology, "unknown": _unrelated,
    }[facts.kind]  # fmt: skip
    scaled = [(name, *(side * scale for side in corners)) for name, *corners in boxes]
    shown, true, found = maker(image, scaled, facts, rng)  # type: ignore[arg-type]
    width, height = shown.size
    shares = tuple((n, left / width, top / height, r / width, b / height) for n, left, top, r, b in found)
    return Shown(squash(np.asarray(damage(shown, rng)), FIELD_SIZE), true, shares)


def _region(image: Image.Image, side: float, rng: random.Random) -> Region:
    """A region of about `side` of each length, its aspect ratio stretched by up to a quarter."""
    stretch = rng.uniform(0.8, 1.25) ** 0.5
    width = min(image.width, max(16, round(image.width * side * stretch)))
    height = min(image.height, max(16, round(image.height * side / stretch)))
    left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    return left, top, left + width, top + height


def _square(image: Image.Image, side: float, x: float, y: float) -> Region:
    """A square of `side` pixels around a point, moved to lie inside the image."""
    width, height = min(round(side), image.width), min(round(side), image.height)
    left = round(min(max(0, x - width / 2), image.width - width))
    top = round(min(max(0, y - height / 2), image.height - height))
    return left, top, left + width, top + height


def _turned(image: Image.Image, boxes: list[Box], rng: random.Random) -> tuple[Image.Image, list[Box]]:
    """Flipped at random, and by a quarter turn or not, the boxes with it."""
    width, height = image.size
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
        boxes = [(n, width - r, t, width - left, b) for n, left, t, r, b in boxes]
    if rng.random() < 0.5:
        image = ImageOps.flip(image)
        boxes = [(n, left, height - b, r, height - t) for n, left, t, r, b in boxes]
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.TRANSPOSE)
        boxes = [(n, t, left, b, r) for n, left, t, r, b in boxes]
    return image, boxes


def _share_inside(box: Box, region: Region) -> float:
    _, left, top, right, bottom = box
    width = min(right, region[2]) - max(left, region[0])
    height = min(bottom, region[3]) - max(top, region[1])
    return max(0.0, width) * max(0.0, height) / max(1.0, (right - left) * (bottom - top))


def _cut(image: Image.Image, boxes: list[Box], facts: Facts, region: Region) -> Drawn:
    """A region with the cells that show in it, counted anew; white cells half in and half out leave theirs unknown."""
    left, top, right, bottom = region
    shown = [box for box in boxes if _share_inside(box, region) >= _SHOWN]
    counts: dict[str, int | None] = {
        field: sum(box[0] == name for box in shown)
        for name, field in _COUNTED.items()
        if getattr(facts, field) is not None
    }
    if any(box[0] == "WBC" and 0.08 < _share_inside(box, region) < _SHOWN for box in boxes):
        counts["white"] = None
    moved: list[Box] = [
        (n, max(0, x - left), max(0, y - top), min(right, r) - left, min(bottom, b) - top) for n, x, y, r, b in shown
    ]
    return image.crop(region), replace(facts, **counts), moved  # type: ignore[arg-type]


def _smear(image: Image.Image, boxes: list[Box], facts: Facts, rng: random.Random) -> Drawn:
    draw = rng.random()
    if boxes and draw < 0.65:
        region = _smear_region(image, boxes, draw / 0.65, rng)
        image, facts, boxes = _cut(image, boxes, facts, region)
    image, boxes = _turned(image, boxes, rng)
    return recolour(image, rng, hue=0.045, saturation=(0.35, 1.5), tint=0.12), facts, boxes


def _smear_region(image: Image.Image, boxes: list[Box], draw: float, rng: random.Random) -> Region:
    """Around a white cell, away from all of them, or anywhere."""
    whites = [box for box in boxes if box[0] == "WBC"]
    if draw < 0.35 and whites:
        _, left, top, right, bottom = rng.choice(whites)
        side = max(rng.uniform(*_SIDES), 0.8 * max(right - left, bottom - top))
        x, y = (left + right) / 2 + rng.gauss(0, side / 5), (top + bottom) / 2 + rng.gauss(0, side / 5)
        return _square(image, side, x, y)
    for _ in range(20 if draw < 0.75 else 0):
        region = _square(image, rng.uniform(*_SIDES), rng.uniform(0, image.width), rng.uniform(0, image.height))
        if all(_share_inside(box, region) < 0.01 for box in whites):
            return region
    return _region(image, rng.uniform(0.3, 0.95), rng)


def _fluorescence(image: Image.Image, boxes: list[Box], facts: Facts, rng: random.Random) -> Drawn:
    if rng.random() < 0.5:
        region = _region(image, rng.uniform(0.45, 1.0), rng)
        image, facts, boxes = _cut(image, boxes, facts, region) if boxes else _counted(image, facts, region)
    image, boxes = _turned(image, boxes, rng)
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    if rng.random() < 0.5:
        grey = grey * 255.0 / max(8.0, float(np.percentile(grey, 99.7))) * rng.uniform(0.6, 1.1)
    grey = 255.0 * np.clip(grey / 255.0, 0, 1) ** rng.uniform(0.6, 1.3)
    colour = (1.0, 1.0, 1.0) if rng.random() < 0.45 else rng.choice(_FLUOROPHORES)
    pixels = np.clip(grey[..., None] * np.array(colour, dtype=np.float32), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), facts, boxes


def _counted(image: Image.Image, facts: Facts, region: Region) -> Drawn:
    """A region of an image whose nuclei are counted but not placed: of most of it, the count in proportion."""
    share = (region[2] - region[0]) * (region[3] - region[1]) / (image.width * image.height)
    count = None if facts.nuclei is None or share < 0.7 else round(facts.nuclei * share)
    return image.crop(region), replace(facts, nuclei=count), []


def _tissue(image: Image.Image, boxes: list[Box], facts: Facts, rng: random.Random) -> Drawn:
    if rng.random() < 0.6:
        image, facts, boxes = _counted(image, facts, _region(image, rng.uniform(0.4, 1.0), rng))
    image, boxes = _turned(image, boxes, rng)
    wild = rng.random() < 0.35 and facts.stain is None
    hue = 0.14 if wild else 0.03
    return recolour(image, rng, hue=hue, saturation=(0.5, 1.6), tint=0.1), facts, boxes


def _brightfield(image: Image.Image, boxes: list[Box], facts: Facts, rng: random.Random) -> Drawn:
    if rng.random() < 0.6:
        image, facts, boxes = _counted(image, facts, _region(image, rng.uniform(0.4, 1.0), rng))
    image, boxes = _turned(image, boxes, rng)
    return recolour(image, rng, hue=0.0, saturation=(1.0, 1.0), tint=0.1), facts, boxes


def _radiology(image: Image.Image, _: list[Box], facts: Facts, rng: random.Random) -> Drawn:
    image = image.convert("L")
    choice = rng.random()
    if choice < 0.15:
        image = image.crop(_region(image, rng.uniform(0.25, 0.5), rng))
        facts = replace(facts, organ=None, plane=None)
        image, _ = _turned(image, [], rng)
    elif choice < 0.7:
        image = image.crop(_region(image, rng.uniform(0.75, 1.0), rng))
    if rng.random() < 0.5:
        image = ImageOps.mirror(image)
    if rng.random() < 0.5:
        image = image.rotate(rng.uniform(-12, 12), resample=Image.Resampling.BILINEAR, fillcolor=0)
    if rng.random() < 0.25:
        image = _padded(image, rng)
    image = _tones(image, rng)
    if facts.kind == "xray" and rng.random() < 0.06:
        image = ImageOps.invert(image)
    image = image.convert("RGB")
    if rng.random() < 0.4:
        _burn_in(image, rng)
    if rng.random() < 0.12:
        image = recolour(image, rng, hue=0.0, saturation=(1.0, 1.0), tint=0.12)
    return image, facts, []


def _unrelated(image: Image.Image, _: list[Box], facts: Facts, rng: random.Random) -> Drawn:
    if rng.random() < 0.85:
        image = image.crop(_region(image, rng.uniform(0.2, 1.0), rng))
    if rng.random() < 0.5:
        image, _ = _turned(image, [], rng)
    if rng.random() < 0.3:
        image = image.convert("L").convert("RGB")
    hue = 0.5 if rng.random() < 0.3 else 0.05
    return recolour(image, rng, hue=hue, saturation=(0.3, 1.5), tint=0.15), facts, []


def recolour(
    image: Image.Image, rng: random.Random, hue: float, saturation: tuple[float, float], tint: float
) -> Image.Image:
    """Turns the hue by up to `hue` of the circle, scales saturation and brightness, and tints each channel."""
    image = image.convert("RGB")
    if hue:
        h, s, v = image.convert("HSV").split()
        shift = round(rng.uniform(-hue, hue) * 255)
        h = h.point([(value + shift) % 256 for value in range(256)])
        image = Image.merge("HSV", (h, s, v)).convert("RGB")
    image = ImageEnhance.Color(image).enhance(rng.uniform(*saturation))
    image = ImageEnhance.Brightness(image).enhance(rng.uniform(0.7, 1.2))
    image = ImageEnhance.Contrast(image).enhance(rng.uniform(0.7, 1.3))
    if rng.random() < 0.6:
        gains = [rng.uniform(1 - tint, 1 + tint / 2) for _ in range(3)]
        image = Image.merge("RGB", [c.point([min(255, round(v * g)) for v in range(256)])
                                    for c, g in zip(image.split(), gains, strict=True)])  # fmt: skip
    return image


def _tones(image: Image.Image, rng: random.Random) -> Image.Image:
    gamma, low, high = rng.uniform(0.6, 1.6), rng.uniform(0, 25), rng.uniform(200, 255)
    table = [round(min(255.0, low + (high - low) * (value / 255) ** gamma)) for value in range(256)]
    return image.point(table)


def _padded(image: Image.Image, rng: random.Random) -> Image.Image:
    edge = tuple(round(rng.uniform(0, 0.18) * image.width) for _ in range(4))
    return ImageOps.expand(image, border=edge, fill=rng.choice((0, 0, 0, 255, 40)))


def _burn_in(image: Image.Image, rng: random.Random) -> None:
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(1, 4)):
        at = (rng.choice((0.02, 0.05, 0.75, 0.85)) * image.width, rng.uniform(0.02, 0.92) * image.height)
        ink = rng.choice(((255, 255, 255), (255, 255, 255), (255, 255, 0)))
        draw.text(at, rng.choice(_LABELS), fill=ink, font_size=rng.randint(9, 30))
    if rng.random() < 0.2:
        x, y = rng.uniform(0.3, 0.7) * image.width, rng.uniform(0.3, 0.7) * image.height
        draw.line((x - 40, y - 30, x, y), fill=(255, 255, 255), width=rng.randint(2, 5))


def damage(image: Image.Image, rng: random.Random) -> Image.Image:
    """What cameras and files do: a smaller size, blur, noise, JPEG."""
    if rng.random() < 0.25:
        scale = rng.uniform(0.3, 0.8)
        image = image.resize((max(24, round(image.width * scale)), max(24, round(image.height * scale))))
    if rng.random() < 0.2:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.8)))
    if rng.random() < 0.2:
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 12), (image.height, image.width, 1))
        image = Image.fromarray(np.clip(np.asarray(image, dtype=np.float32) + noise, 0, 255).astype(np.uint8))
    if rng.random() < 0.3:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=rng.randint(25, 90))
        image = Image.open(buffer).convert("RGB")
    return image
