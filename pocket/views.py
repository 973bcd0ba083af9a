"""Which views the models are trained on: how many of each source, rendered images and negatives among them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from imaging.types import Pixels
from pocket import negatives, scenes
from pocket.augment import view
from pocket.facts import Facts
from pocket.features import Cache, Job, View, scene_jobs
from pocket.render import RenderKind, render

COPIES = {"radiology": 14, "smear": 8, "fluorescence": 3, "tissue": 14, "brightfield": 14, "photo": 60}
DRAWN = 600
RENDERED: dict[RenderKind, int] = {
    "smear": 1_000,
    "fluorescence": 500,
    "tissue": 1_000,
    "radiograph": 400,
    "blank": 40,
    "noise": 60,
}
"""Images rendered for training, seeds from 0 on."""
CLOSEUPS = 500
"""White cells close up, rendered for the second pass over the generator."""
FIRST_FREE_SEED = 100_000
"""Seeds from here on are never trained on: starter set, demo, measurements and tests draw from them."""


def training_jobs(data: Path, seed: int) -> Iterator[tuple[str, list[Job]]]:
    """Name and jobs of each cache."""
    yield "radiology", list(scene_jobs(scenes.radiology(data, "train"), COPIES["radiology"], seed))
    yield "negatives", list(_unrelated())
    yield "smears", list(scene_jobs(scenes.smears(data, "train"), COPIES["smear"], seed))
    found = scenes.nuclei(data, "train")
    yield "nuclei", [job for scene in found for job in scene_jobs([scene], COPIES[scene.facts.kind], seed)]
    for kind, count in RENDERED.items():
        yield f"rendered-{kind}", [job for number in range(count) for job in rendered_jobs(kind, number)]


def closeup_jobs() -> list[Job]:
    """Jobs of the cache that the second pass adds."""
    return [job for number in range(CLOSEUPS) for job in rendered_jobs("closeup", number)]


def all_views(caches: Sequence[Cache]) -> list[View]:
    """The views of all caches, in order."""
    return [made for cache in caches for made in cache.views]


def rendered_jobs(kind: RenderKind, seed: int) -> Iterator[Job]:
    """One view of a rendered image, whole or cropped."""

    def draw() -> tuple[Pixels, Facts]:
        made = render(kind, seed)
        return view(made.pixels, None, made.facts, random.Random(f"{kind}/{seed}/view"))

    yield View(f"rendered/{kind}/{seed}", Facts("unknown")), draw


def _unrelated() -> Iterator[Job]:
    unknown = Facts("unknown")
    for name in negatives.TRAIN_PHOTOS:
        for copy in range(COPIES["photo"]):
            yield View(f"photo/{name}", unknown), _shown(lambda n=name: negatives.photo(n), f"{name}{copy}")  # type: ignore[misc]
    for number in range(DRAWN):
        yield View(f"drawn/{number}", unknown), _shown(lambda n=number: negatives.drawn(n), number)  # type: ignore[misc]


def _shown(load: Callable[[], Pixels], seed: str | int) -> Callable[[], tuple[Pixels, Facts]]:
    return lambda: view(load(), None, Facts("unknown"), random.Random(seed))
