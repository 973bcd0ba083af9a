"""Draws biomedical-looking images whose contents are known exactly, from a seed.

The one door to the drawings: picks the drawing of a kind, photographs it and words its caption. Nothing here
knows of models, data folders or prompts.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from imaging.types import Pixels
from pocket.facts import Facts, caption
from pocket.render_fluorescence import draw_fluorescence
from pocket.render_frame import Box, Drawing, Field
from pocket.render_radiograph import draw_radiograph
from pocket.render_slice import draw_slice
from pocket.render_smear import draw_closeup, draw_smear
from pocket.render_tissue import draw_tissue

RenderKind = Literal["smear", "fluorescence", "tissue", "radiograph", "blank", "noise", "closeup", "slice"]
RENDER_KINDS: tuple[RenderKind, ...] = (
    "smear", "fluorescence", "tissue", "radiograph", "blank", "noise", "closeup", "slice",
)  # fmt: skip
SIDE = 384


@dataclass(frozen=True, eq=False)
class Rendered:
    """uint8 RGB pixels, the caption true of them, the exact facts, and the boxes of what is counted.

    Boxes are named "RBC", "WBC", "Platelets" or "nucleus". A cell has a box and counts if its centre shows. Tissue
    has a count of nuclei and no boxes.
    """

    pixels: Pixels
    caption: str
    facts: Facts
    boxes: tuple[Box, ...] = ()


def render(kind: RenderKind, seed: int) -> Rendered:
    """The image of `kind` that belongs to `seed`; the same seed gives the same pixels."""
    rng = random.Random(f"{kind}/{seed}")
    noise = np.random.default_rng([RENDER_KINDS.index(kind), seed])
    maker: dict[RenderKind, Callable[[random.Random, np.random.Generator], Drawing]] = {
        "smear": draw_smear,
        "fluorescence": draw_fluorescence,
        "tissue": lambda rng, noise: Drawing(*draw_tissue(rng, noise)),
        "radiograph": lambda rng, noise: Drawing(*draw_radiograph(rng, noise)),
        "blank": _blank,
        "noise": _static,
        "closeup": draw_closeup,
        "slice": draw_slice,
    }
    made = maker[kind](rng, noise)
    pixels = _photograph(made.field, made.facts.kind, rng, noise)
    return Rendered(pixels, caption(made.facts), made.facts, made.boxes)


def _photograph(field: Field, kind: str, rng: random.Random, noise: np.random.Generator) -> Pixels:
    """The camera: uneven light, blur, few pixels, grain. `field` is `(h, w, 3)` in 0..1."""
    height, width = field.shape[:2]
    if kind in ("smear", "tissue"):
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        fall = rng.uniform(0, 0.12)
        field = field * (1 - fall * ((x - rng.uniform(-0.5, 0.5)) ** 2 + (y - rng.uniform(-0.5, 0.5)) ** 2))[..., None]
    image = Image.fromarray((np.clip(field, 0, 1) * 255).astype(np.uint8))
    if kind != "unknown":
        image = image.filter(
            ImageFilter.GaussianBlur(rng.choice((0.4, 0.6, 0.8) if kind in ("ct", "mr") else (0.4, 0.6, 0.8, 1.2, 1.8)))
        )
    if kind == "smear" and rng.random() < 0.15:  # taken with few pixels and enlarged
        few = rng.uniform(0.3, 0.6)
        image = image.resize((round(width * few), round(height * few)), Image.Resampling.BOX)
        image = image.resize((width, height), Image.Resampling.BICUBIC)
    grain = noise.normal(0, rng.uniform(0.5, 4.0), (height, width, 1))
    return np.clip(np.asarray(image, dtype=np.float32) + grain, 0, 255).astype(np.uint8)


def _blank(rng: random.Random, _: np.random.Generator) -> Drawing:
    colour = np.array([rng.random() for _n in range(3)], np.float32)
    if rng.random() < 0.5:
        colour[:] = rng.choice((0.0, 1.0, colour[0]))
    return Drawing(np.ones((SIDE, SIDE, 3), np.float32) * colour, Facts("unknown"))


def _static(rng: random.Random, noise: np.random.Generator) -> Drawing:
    channels, coarse = rng.choice((1, 3)), rng.choice((1, 2, 4, 8))
    field = noise.normal(0.5, rng.uniform(0.1, 0.4), (SIDE // coarse, SIDE // coarse, channels))
    grown = np.kron(field, np.ones((coarse, coarse, 1)))
    return Drawing(np.broadcast_to(grown, (*grown.shape[:2], 3)).astype(np.float32), Facts("unknown"))
