"""Views of a training image: crops, colours and damage, with the facts that remain true of each.

Every function takes its own random generator; the same seed gives the same view.
"""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from imaging.types import Pixels
from pocket.facts import Facts
from pocket.scenes import Scene
from pocket.trunk import squash

Box = tuple[int, int, int, int]
_WORKING_SIDE = 640
_FLUOROPHORES = ((0.15, 0.35, 1.0), (0.1, 0.1, 1.0), (0.2, 1.0, 0.25), (1.0, 0.2, 0.15), (0.1, 0.9, 0.9))
_LABELS = ("R", "L", "AP", "PORTABLE", "120 mm", "Se: 3 Im: 14", "ERECT", "A", "W:350 L:40", "LEFT", "1.5T", "(a)", "B")


def view(pixels: Pixels, scene: Scene | None, facts: Facts, rng: random.Random) -> tuple[Pixels, Facts]:
    """A random view at 224 x 224 and what is true of it. `scene` gives the boxes of a smear."""
    image = Image.fromarray(pixels)
    image.thumbnail((_WORKING_SIDE, _WORKING_SIDE), Image.Resampling.BICUBIC)
    maker: Callable[[Image.Image, Scene | None, Facts, random.Random], tuple[Image.Image, Facts]] = {
        "smear": _smear, "fluorescence": _fluorescence, "tissue": _tissue, "brightfield": _brightfield,
        "ct": _radiology, "mr": _radiology, "xray": _radiology, "unknown": _unrelated,
    }[facts.kind]  # fmt: skip
    shown, true = maker(image, scene, facts, rng)
    return squash(np.asarray(damage(shown, rng))), true


def _crop_box(image: Image.Image, side: float, rng: random.Random) -> Box:
    """A box of about `side` of each length, its aspect ratio stretched by up to a quarter."""
    stretch = rng.uniform(0.8, 1.25) ** 0.5
    width = min(image.width, max(16, round(image.width * side * stretch)))
    height = min(image.height, max(16, round(image.height * side / stretch)))
    left, top = rng.randint(0, image.width - width), rng.randint(0, image.height - height)
    return left, top, left + width, top + height


def _turn(image: Image.Image, rng: random.Random) -> Image.Image:
    turns = (None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM, Image.Transpose.ROTATE_90,
             Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270)  # fmt: skip
    turn = rng.choice(turns)
    return image if turn is None else image.transpose(turn)


def _visible(boxes: list[Box], box: Box, share: float) -> int:
    return sum(_overlap(b, box) >= share for b in boxes)


def _overlap(inner: Box, outer: Box) -> float:
    width = min(inner[2], outer[2]) - max(inner[0], outer[0])
    height = min(inner[3], outer[3]) - max(inner[1], outer[1])
    area = max(1, (inner[2] - inner[0]) * (inner[3] - inner[1]))
    return max(0, width) * max(0, height) / area


def _smear(image: Image.Image, scene: Scene | None, facts: Facts, rng: random.Random) -> tuple[Image.Image, Facts]:
    whole = scene is None or rng.random() < 0.35
    if not whole and scene is not None:
        box = _crop_box(image, rng.uniform(0.3, 0.95), rng)
        cells: dict[str, list[Box]] = {"WBC": [], "RBC": []}
        for name, *corners in scene.boxes:
            if name in cells:
                cells[name].append((corners[0], corners[1], corners[2], corners[3]))
        sure, perhaps = _visible(cells["WBC"], box, 0.45), _visible(cells["WBC"], box, 0.08)
        facts = replace(facts, red=_visible(cells["RBC"], box, 0.5), white=sure if sure == perhaps else None)
        image = image.crop(box)
    return recolour(_turn(image, rng), rng, hue=0.045, saturation=(0.35, 1.5), tint=0.12), facts


def _fluorescence(image: Image.Image, _: Scene | None, facts: Facts, rng: random.Random) -> tuple[Image.Image, Facts]:
    side = 1.0 if rng.random() < 0.5 else rng.uniform(0.45, 1.0)
    if side < 1.0:
        box = _crop_box(image, side, rng)
        share = (box[2] - box[0]) * (box[3] - box[1]) / (image.width * image.height)
        image = image.crop(box)
        count = None if facts.nuclei is None or share < 0.7 else round(facts.nuclei * share)
        facts = replace(facts, nuclei=count)
    image = _turn(image, rng)
    grey = np.asarray(image.convert("L"), dtype=np.float32)
    if rng.random() < 0.5:
        grey = grey * 255.0 / max(8.0, float(np.percentile(grey, 99.7))) * rng.uniform(0.6, 1.1)
    grey = 255.0 * np.clip(grey / 255.0, 0, 1) ** rng.uniform(0.6, 1.3)
    colour = (1.0, 1.0, 1.0) if rng.random() < 0.45 else rng.choice(_FLUOROPHORES)
    pixels = np.clip(grey[..., None] * np.array(colour, dtype=np.float32), 0, 255).astype(np.uint8)
    return Image.fromarray(pixels), facts


def _tissue(image: Image.Image, _: Scene | None, facts: Facts, rng: random.Random) -> tuple[Image.Image, Facts]:
    if rng.random() < 0.7:
        image = image.crop(_crop_box(image, rng.uniform(0.4, 0.95), rng))
    wild = rng.random() < 0.35 and facts.stain is None
    hue = 0.14 if wild else 0.03
    return recolour(_turn(image, rng), rng, hue=hue, saturation=(0.5, 1.6), tint=0.1), facts


def _brightfield(image: Image.Image, _: Scene | None, facts: Facts, rng: random.Random) -> tuple[Image.Image, Facts]:
    if rng.random() < 0.7:
        image, facts = image.crop(_crop_box(image, rng.uniform(0.4, 0.95), rng)), replace(facts, nuclei=None)
    return recolour(_turn(image, rng), rng, hue=0.0, saturation=(1.0, 1.0), tint=0.1), facts


def _radiology(image: Image.Image, _: Scene | None, facts: Facts, rng: random.Random) -> tuple[Image.Image, Facts]:
    image = image.convert("L")
    choice = rng.random()
    if choice < 0.18:
        image = image.crop(_crop_box(image, rng.uniform(0.22, 0.5), rng))
        facts = replace(facts, organ=None, plane=None)
        image = _turn(image, rng)
    elif choice < 0.7:
        image = image.crop(_crop_box(image, rng.uniform(0.75, 1.0), rng))
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
    return image, facts


def _unrelated(image: Image.Image, _: Scene | None, facts: Facts, rng: random.Random) -> tuple[Image.Image, Facts]:
    if rng.random() < 0.85:
        image = image.crop(_crop_box(image, rng.uniform(0.2, 1.0), rng))
    image = _turn(image, rng) if rng.random() < 0.5 else image
    if rng.random() < 0.2:
        image = image.convert("L").convert("RGB")
    return recolour(image, rng, hue=0.5 if rng.random() < 0.3 else 0.05, saturation=(0.3, 1.5), tint=0.15), facts


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
