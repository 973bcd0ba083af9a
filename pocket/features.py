"""The frozen trunk's features of every training view, computed once and kept on disk."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from imaging.types import Pixels
from pocket.augment import view
from pocket.facts import Facts
from pocket.scenes import Scene
from pocket.trunk import TOKENS, WIDTH, token_features

_BATCH = 32


@dataclass(frozen=True)
class View:
    """One cached view: the group it came from, what is true of it, and people's questions about it."""

    group: str
    facts: Facts
    qa: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, eq=False)
class Cache:
    """Views and their features, float16 `(n, 49, 1280)`, memory-mapped."""

    views: list[View]
    tokens: NDArray[np.float16]


Job = tuple[View, Callable[[], tuple[Pixels, Facts]]]


def scene_jobs(scenes: Sequence[Scene], copies: int, seed: int) -> Iterator[Job]:
    """`copies` views of each scene, all different."""
    for scene in scenes:
        for copy in range(copies):
            rng = random.Random(f"{seed}/{scene.group}/{copy}")
            yield View(scene.group, scene.facts, scene.qa), _drawer(scene, rng)


def _drawer(scene: Scene, rng: random.Random) -> Callable[[], tuple[Pixels, Facts]]:
    return lambda: view(scene.pixels(), scene, scene.facts, rng)


def build(folder: Path, name: str, jobs: Iterable[Job], trunk: nn.Module) -> None:
    """Writes `name.npy` and `name.jsonl`; does nothing where they are complete."""
    done = folder / f"{name}.jsonl"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    todo = list(jobs)
    path = folder / f"{name}.npy"
    store = np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(len(todo), TOKENS, WIDTH))
    rows: list[str] = []
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(todo), _BATCH):
            part = todo[start : start + _BATCH]
            shown = list(pool.map(lambda job: job[1](), part))
            store[start : start + len(part)] = token_features(trunk, [pixels for pixels, _ in shown])
            for (made, _), (_, facts) in zip(part, shown, strict=True):
                rows.append(json.dumps({"group": made.group, "facts": asdict(facts), "qa": made.qa}))
    store.flush()
    done.write_text("\n".join(rows) + "\n", encoding="utf-8")


def load(folder: Path, names: Sequence[str]) -> list[Cache]:
    """The caches by name. Raises FileNotFoundError where one was not built."""
    caches = []
    for name in names:
        views = []
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            views.append(View(row["group"], Facts(**row["facts"]), tuple(tuple(qa) for qa in row["qa"])))
        caches.append(Cache(views, np.load(folder / f"{name}.npy", mmap_mode="r")))
    return caches
