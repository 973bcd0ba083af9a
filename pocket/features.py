"""What the trunk's frozen blocks give of every training view, computed once and kept on disk."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pocket.augment import Box, Shown, view
from pocket.facts import Facts
from pocket.scenes import Scene
from pocket.trunk import LOWER_GRID, LOWER_WIDTH, lower, normalise

_BATCH = 16


@dataclass(frozen=True)
class View:
    """One view: the group it came from, what is true of it, people's questions about it, and its cells in shares
    of the view's sides (empty where they are not placed)."""

    group: str
    facts: Facts
    qa: tuple[tuple[str, str, str], ...] = ()
    boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, eq=False)
class Cache:
    """Views, and what the frozen blocks give of them: float16 `(n, 112, 24, 24)`, memory-mapped."""

    views: list[View]
    lower: NDArray[np.float16]


Job = tuple[View, Callable[[], Shown]]


def scene_jobs(scenes: Sequence[Scene], copies: int, seed: int) -> Iterator[Job]:
    """`copies` views of each scene, all different."""
    for scene in scenes:
        for copy in range(copies):
            rng = random.Random(f"{seed}/{scene.group}/{copy}")
            yield View(scene.group, scene.facts, scene.qa), _drawer(scene, rng)


def _drawer(scene: Scene, rng: random.Random) -> Callable[[], Shown]:
    return lambda: view(scene.pixels(), scene.boxes, scene.facts, rng)


def build(folder: Path, name: str, jobs: Iterable[Job], trunk: nn.Module) -> None:
    """Writes `name.lower.npy` and `name.jsonl`; does nothing where they are complete."""
    done = folder / f"{name}.jsonl"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    todo = list(jobs)
    shape = (len(todo), LOWER_WIDTH, LOWER_GRID, LOWER_GRID)
    fields = np.lib.format.open_memmap(folder / f"{name}.lower.npy", mode="w+", dtype=np.float16, shape=shape)
    rows: list[str] = []
    for start in range(0, len(todo), _BATCH):
        part = todo[start : start + _BATCH]
        shown = [draw() for _, draw in part]
        end = start + len(part)
        fields[start:end] = _features(trunk, shown)
        for (made, _), seen in zip(part, shown, strict=True):
            row = {"group": made.group, "facts": asdict(seen.facts), "qa": made.qa, "boxes": seen.boxes}
            rows.append(json.dumps(row))
    fields.flush()
    done.write_text("\n".join(rows) + "\n", encoding="utf-8")


@torch.inference_mode()
def _features(trunk: nn.Module, shown: Sequence[Shown]) -> NDArray[np.float16]:
    return lower(trunk, normalise([seen.pixels for seen in shown])).to(torch.float16).numpy()


def load(folder: Path, names: Sequence[str]) -> list[Cache]:
    """The caches by name. Raises FileNotFoundError where one was not built."""
    caches = []
    for name in names:
        views = []
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            qa, boxes = (tuple(tuple(item) for item in row[key]) for key in ("qa", "boxes"))
            views.append(View(row["group"], Facts(**row["facts"]), qa, boxes))
        caches.append(Cache(views, np.load(folder / f"{name}.lower.npy", mmap_mode="r")))
    return caches
