"""Which views the models are trained on: how many of each source, rendered images and negatives among them."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from imaging.types import Pixels
from pocket import negatives, scenes
from pocket.augment import Shown, damage, view
from pocket.facts import Facts
from pocket.features import Cache, Job, View, scene_jobs
from pocket.render import RenderKind, render
from pocket.trunk import FIELD_SIZE, squash

COPIES = {
    "radiology": 14,
    "smear": 16,
    "fluorescence": 4,
    "tissue": 14,
    "brightfield": 14,
    "photo": 40,
    "grey photo": 24,
}
DRAWN = 1_500
RENDERED: dict[RenderKind, int] = {
    "smear": 1_400,
    "closeup": 700,
    "fluorescence": 700,
    "tissue": 700,
    "radiograph": 300,
    "slice": 1_400,
    "blank": 80,
    "noise": 120,
}
"""Images rendered for training, seeds from 0 on."""
FIRST_FREE_SEED = 100_000
"""Seeds from here on are never trained on: starter set, demo, measurements and tests draw from them."""


SOURCES = ("smears", "radiology", "nuclei", "negatives", "grey-negatives", *(f"rendered-{kind}" for kind in RENDERED))
PART = 256
"""Views in a part of a source. Sources are of unlike length, the smears alone a sixth of all the work; in parts,
every core is done at about the same time."""


@dataclass(frozen=True)
class Part:
    """Up to `PART` views of one source."""

    source: str
    number: int

    @property
    def name(self) -> str:
        """The name of its cache."""
        return f"{self.source}-{self.number:02}"

    def jobs(self, data: Path, seed: int) -> list[Job]:
        """How each of its views is made."""
        return training_jobs(self.source, data, seed)[self.number * PART : (self.number + 1) * PART]


def parts(data: Path, seed: int) -> list[Part]:
    """All training views, source by source."""
    return [
        Part(source, number)
        for source in SOURCES
        for number in range(math.ceil(len(training_jobs(source, data, seed)) / PART))
    ]


def training_jobs(source: str, data: Path, seed: int) -> list[Job]:
    """The jobs of a source. Raises KeyError for a name that is none."""
    if source == "smears":
        return list(scene_jobs(scenes.smears(data, "train"), COPIES["smear"], seed))
    if source == "radiology":
        return list(scene_jobs(scenes.radiology(data, "train"), COPIES["radiology"], seed))
    if source == "nuclei":
        found = scenes.nuclei(data, "train")
        return [job for scene in found for job in scene_jobs([scene], COPIES[scene.facts.kind], seed)]
    if source == "negatives":
        return list(_unrelated())
    if source == "grey-negatives":
        return list(_grey())
    kinds: dict[str, RenderKind] = {f"rendered-{kind}": kind for kind in RENDERED}
    kind = kinds[source]
    return [job for number in range(RENDERED[kind]) for job in rendered_jobs(kind, number)]


def all_views(caches: Sequence[Cache]) -> list[View]:
    """The views of all caches, in order."""
    return [made for cache in caches for made in cache.views]


def rendered_jobs(kind: RenderKind, seed: int) -> Iterator[Job]:
    """One view of a rendered image, whole or cropped."""

    def draw() -> Shown:
        made = render(kind, seed)
        return view(made.pixels, made.boxes, made.facts, random.Random(f"{kind}/{seed}/view"))

    yield View(f"rendered/{kind}/{seed}", Facts("unknown")), draw


def _unrelated() -> Iterator[Job]:
    unknown = Facts("unknown")
    for name in negatives.photos("train"):
        for copy in range(COPIES["photo"]):
            yield View(f"photo/{name}", unknown), _shown(lambda n=name: negatives.photo(n), f"{name}{copy}")  # type: ignore[misc]
    for number in range(DRAWN):
        yield View(f"drawn/{number}", unknown), _shown(lambda n=number: negatives.drawn(n), number)  # type: ignore[misc]


def _grey() -> Iterator[Job]:
    """Photographs as soft and grey as an X-ray: what tells them from one is what they show, not that they are grey.

    Stars out of focus are left out: they cannot be told from fluorescence.
    """
    for name in sorted({*negatives.photos("train")} - {"hubble_deep_field.jpg"}):
        for copy in range(COPIES["grey photo"]):
            yield View(f"photo/{name}", Facts("unknown")), partial(_softened, name, f"{name}/grey/{copy}")


def _softened(name: str, seed: str) -> Shown:
    worn = damage(Image.fromarray(negatives.grey(negatives.photo(name), seed)), random.Random(seed))
    return Shown(squash(np.asarray(worn), FIELD_SIZE), Facts("unknown"))


def _shown(load: Callable[[], Pixels], seed: str | int) -> Callable[[], Shown]:
    return lambda: view(load(), (), Facts("unknown"), random.Random(seed))
