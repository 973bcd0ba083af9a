"""Radiograph-like drawings: chests, long bones with a joint, hands. What stops rays adds up, and bone is bright."""

from __future__ import annotations

import math
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from pocket.facts import Facts
from pocket.render_tissue import SIDE, smooth_noise

Field = NDArray[np.float32]
Point = tuple[float, float]
Pens = tuple[ImageDraw.ImageDraw, ImageDraw.ImageDraw, ImageDraw.ImageDraw]
"""For flesh, bone and marrow."""


def draw_radiograph(rng: random.Random, noise: np.random.Generator) -> tuple[Field, Facts]:
    """A grey field `(384, 384, 3)` in 0..1 and its facts: a frontal chest, or of a limb or hand the kind alone."""
    part = rng.choice(("chest", "limb", "limb", "hand"))
    thick = {"chest": _chest, "limb": _limb, "hand": _hand}[part](rng)
    thick = thick * (1 + 0.05 * smooth_noise(noise, SIDE, 30)) + 0.03 * smooth_noise(noise, SIDE, 5)
    light = rng.uniform(0.02, 0.2) + rng.uniform(0.75, 1.0) * np.clip(thick, 0, 1.1) ** rng.uniform(0.7, 1.3)
    facts = Facts("xray", organ="chest", plane="frontal") if part == "chest" else Facts("xray")
    return np.repeat(np.clip(light, 0, 1)[..., None], 3, axis=2).astype(np.float32), facts


def _layer() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("L", (SIDE, SIDE), 0)
    return image, ImageDraw.Draw(image)


def _read(image: Image.Image, blur: float) -> Field:
    return np.asarray(image.filter(ImageFilter.GaussianBlur(blur)), dtype=np.float32) / np.float32(255)


def _ellipse(x: float, y: float, w: float, h: float, blur: float) -> Field:
    image, draw = _layer()
    draw.ellipse((x - w, y - h, x + w, y + h), fill=255)
    return _read(image, blur)


def _chest(rng: random.Random) -> Field:
    """Lungs dark beside a bright middle, ribs across them, diaphragm below, collar bones above."""
    s = float(SIDE)
    x, y = s / 2 + rng.uniform(-15, 15), s * rng.uniform(0.4, 0.48)
    body = _ellipse(x, s * 0.62, s * rng.uniform(0.46, 0.6), s * 0.75, 8) * rng.uniform(0.6, 0.75)
    wide, tall, apart = s * rng.uniform(0.13, 0.17), s * rng.uniform(0.28, 0.36), s * rng.uniform(0.17, 0.21)
    lungs = np.maximum(_ellipse(x - apart, y, wide, tall, 7), _ellipse(x + apart, y, wide * 0.95, tall, 7))
    heart = _ellipse(x + s * 0.06, y + tall * 0.62, s * rng.uniform(0.12, 0.17), s * 0.14, 8)
    dome = np.maximum(_ellipse(x - apart, y + tall * 1.15, wide * 1.4, tall * 0.5, 5),
                      _ellipse(x + apart, y + tall * 1.22, wide * 1.4, tall * 0.5, 5))  # fmt: skip
    image, draw = _layer()
    for n in range(9):
        top = y - tall * 0.95 + n * tall * 0.21
        for side in (-1, 1):
            near, far = x + side * s * 0.03, x + side * (apart + wide * 1.25)
            box = (min(near, far), top - 14, max(near, far), top + 46 + 3 * n)
            draw.arc(box, 180, 360, fill=120, width=rng.randint(4, 7))
    draw.line((x - s * 0.03, y - tall * 0.95, x - s * 0.36, y - tall * 1.15), fill=150, width=9)
    draw.line((x + s * 0.03, y - tall * 0.95, x + s * 0.36, y - tall * 1.15), fill=150, width=9)
    ribs = _read(image, 1.5)
    spine, pen = _layer()
    pen.rectangle((x - 15, 0, x + 15, SIDE), fill=200)
    middle = _read(spine, 5)
    thick = body - lungs * rng.uniform(0.4, 0.55) * (1 - np.maximum(heart, dome * 0.9))
    return np.asarray(np.clip(thick + 0.25 * ribs + 0.22 * middle + 0.12 * heart, 0, 1), dtype=np.float32)


def _bone(pens: Pens, a: Point, b: Point, width: float) -> None:
    """One long bone from `a` to `b`, flared at its ends, hollow along the middle, flesh around it."""
    flesh, bone, marrow = pens
    flesh.line((*a, *b), fill=255, width=round(width * 3.4))
    bone.line((*a, *b), fill=255, width=round(width))
    for x, y in (a, b):
        flesh.ellipse((x - width * 1.7, y - width * 1.7, x + width * 1.7, y + width * 1.7), fill=255)
        bone.ellipse((x - width * 0.8, y - width * 0.8, x + width * 0.8, y + width * 0.8), fill=255)
    marrow.line((*a, *b), fill=255, width=max(1, round(width * 0.5)))


def _compose(parts: list[tuple[Point, Point, float]], rng: random.Random) -> Field:
    flesh, bone, marrow = (Image.new("L", (SIDE, SIDE), 0) for _ in range(3))
    pens = ImageDraw.Draw(flesh), ImageDraw.Draw(bone), ImageDraw.Draw(marrow)
    for a, b, width in parts:
        _bone(pens, a, b, width)
    soft = _read(flesh, 6) * rng.uniform(0.2, 0.4)
    lit = soft + _read(bone, 1.5) * rng.uniform(0.4, 0.55) - _read(marrow, 3) * rng.uniform(0.1, 0.2)
    return np.asarray(lit, dtype=np.float32)


def _limb(rng: random.Random) -> Field:
    """Two long bones that meet in a joint, a thinner one beside the lower now and then."""
    s, width = float(SIDE), rng.uniform(26, 60)
    joint = (s / 2 + rng.uniform(-30, 30), s * rng.uniform(0.35, 0.65))
    lean, bend = rng.uniform(-0.3, 0.3), rng.uniform(-0.5, 0.5)
    gap = width * 0.75
    top = (joint[0] - 1.2 * s * math.sin(lean), joint[1] - 1.2 * s * math.cos(lean))
    low = (joint[0] + 1.2 * s * math.sin(bend), joint[1] + 1.2 * s * math.cos(bend))
    parts = [(top, (joint[0], joint[1] - gap), width), ((joint[0], joint[1] + gap), low, width * 0.9)]
    if rng.random() < 0.5:
        aside = width * rng.choice((-1.3, 1.3))
        parts.append(((joint[0] + aside, joint[1] + gap * 1.6), (low[0] + aside, low[1]), width * 0.45))
    return _compose(parts, rng)


def _hand(rng: random.Random) -> Field:
    """Five fingers of three bones each, and the bones of the palm, fanned out from the wrist."""
    s = float(SIDE)
    wrist = (s / 2 + rng.uniform(-20, 20), s * 0.92)
    parts = []
    for finger in range(5):
        angle = math.radians(-34 + 17 * finger + rng.uniform(-3, 3))
        reach, width = s * (0.22, 0.3, 0.32, 0.3, 0.26)[finger], rng.uniform(9, 13)
        start = s * 0.18
        for length in (reach * 0.75, reach * 0.5, reach * 0.34, reach * 0.24):
            a = (wrist[0] + start * math.sin(angle), wrist[1] - start * math.cos(angle))
            start += length
            b = (wrist[0] + start * math.sin(angle), wrist[1] - start * math.cos(angle))
            parts.append((a, b, width))
            start += width * 1.1
            width *= 0.88
    parts += [((wrist[0] + d, wrist[1] - 30), (wrist[0] + d, s + 40), 26.0) for d in (-20, 22)]
    return _compose(parts, rng)
