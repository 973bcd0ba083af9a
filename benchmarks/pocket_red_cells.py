"""What limits the count of red cells: a counter learned from 25 to 205 annotated fields, and how wrong it is.

    python benchmarks/pocket_red_cells.py --data ../shared/data --work .scratch/pocket

The counter is the best simple thing on what the recipe's frozen blocks give (stage `features` of `pocket.train`,
whose work folder `--work` is): three small convolutions at stride 16, cells per token by Poisson deviance, boxes as
targets. It is learned from the real fields alone, from views of 25, 50, 100 or all of `bccd` train, and, with all of
them, from rendered smears as well. Three seeds each: other fields, other draws. The error is on whole fields of
`bccd` dev and test.

Whether more pixels would help is asked beside it: the same counter on fields of 384 x 384 pixels and on fields as they
are, 640 x 480, which are 2.1 times as many tokens; both learned from all train fields and their mirror images, lighter
and darker, at stride 16.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from machine import save  # isort: skip - it puts the root on the path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from imaging import Pixels
from pocket import features, scenes
from pocket.features import View
from pocket.trunk import FIELD_SIZE, LOWER_WIDTH, load_trunk, lower, normalise, squash
from pocket.vision import density

STEPS, BATCH, RATE, SEEDS = 500, 32, 2e-3, 3
FIELDS = (25, 50, 100, 205)
RED = 0
SIZES = {"384 x 384": (384, 384), "as they are, 640 x 480": (640, 480)}
"""Width and height."""
Numbers = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """Views with what the frozen blocks give of them `(n, 112, 24, 24)`, and their red cells a token `(n, 144)`."""

    views: Sequence[View]
    lower: NDArray[np.float16]
    red: Numbers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    real, drawn = (seen(args.work / "features", name) for name in ("smears", "rendered-smear"))
    held_out = {split: whole_fields(args.data, split) for split in ("dev", "test")}
    groups = sorted({view.group for view in real.views})
    runs: dict[str, list[dict[str, float]]] = {}
    for count in FIELDS:
        for seed in range(SEEDS):
            chosen = set(random.Random(seed).sample(groups, min(count, len(groups))))
            rows = [n for n, view in enumerate(real.views) if view.group in chosen]
            runs.setdefault(f"{count} fields", []).append(errors(learn([(real, rows)], seed), held_out))
    for seed in range(SEEDS):
        both = [(part, range(len(part.views))) for part in (real, drawn)]
        runs.setdefault(f"{FIELDS[-1]} fields and drawn ones", []).append(errors(learn(both, seed), held_out))
    for name, size in SIZES.items():
        looks = Looks(args.data, size)
        for seed in range(SEEDS):
            runs.setdefault(f"all fields mirrored, {name}", []).append(looks.errors(seed))
    medians = {split: float(np.abs(true - np.median(true)).mean()) for split, (_, true) in held_out.items()}
    results = {
        "mean absolute error": {
            name: {split: [round(run[split], 3) for run in several] for split in held_out}
            for name, several in runs.items()
        },
        "mean over seeds": {
            name: {split: round(statistics.mean(run[split] for run in several), 3) for split in held_out}
            for name, several in runs.items()
        },
        "median of the split itself": {split: round(value, 3) for split, value in medians.items()},
    }
    print(json.dumps(results, indent=1))
    print(save("pocket_red_cells", results), file=sys.stderr)


def seen(folder: Path, name: str) -> Seen:
    """The views of a cache whose red cells are placed, or are none."""
    (cache,) = features.load(folder, [name])
    rows = [
        n for n, view in enumerate(cache.views) if view.facts.red is not None and (view.boxes or not view.facts.red)
    ]
    red = np.stack([density(cache.views[n].boxes)[:, RED] for n in rows])
    return Seen([cache.views[n] for n in rows], cache.lower[rows], red)


def whole_fields(data: Path, split: str) -> tuple[Numbers, Numbers]:
    """What the frozen blocks give of each field of a split `(n, 112, 24, 24)`, and its red cells `(n,)`."""
    trunk, found = load_trunk(), scenes.smears(data, split)
    parts = []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for start in range(0, len(found), 16):
            images = [squash(scene.pixels(), FIELD_SIZE) for scene in found[start : start + 16]]
            parts.append(lower(trunk, normalise(images)).float().numpy())
    return np.concatenate(parts), np.array([scene.facts.red for scene in found], np.float32)


def learn(parts: Sequence[tuple[Seen, Sequence[int]]], seed: int) -> nn.Module:
    """A counter learned from rows of the parts, each part drawn from equally often."""
    torch.manual_seed(seed)
    rng = random.Random(seed)
    counter, optimiser, schedule = _new_counter()
    for _ in range(STEPS):
        drawn = [(part, rng.choice(rows)) for part, rows in rng.choices(parts, k=BATCH)]
        fields = np.stack([part.lower[row] for part, row in drawn]).astype(np.float32)
        _step(counter, optimiser, schedule, fields, np.stack([part.red[row] for part, row in drawn]))
    return counter.eval()


def _new_counter() -> tuple[nn.Module, torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    counter = nn.Sequential(
        nn.BatchNorm2d(LOWER_WIDTH), nn.Conv2d(LOWER_WIDTH, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(64, 1, 1), nn.Flatten(),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(counter.parameters(), lr=RATE, weight_decay=0.05)
    return counter, optimiser, torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)


def _step(
    counter: nn.Module,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    fields: Numbers,
    red: Numbers,
) -> None:
    true = torch.from_numpy(red)
    rate = rates(counter, torch.from_numpy(fields))
    loss = _deviance(rate, true) + _deviance(rate.sum(1, keepdim=True), true.sum(1, keepdim=True))
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    optimiser.step()
    schedule.step()


class Looks:
    """All fields at one size `(width, height)`: what the frozen blocks give of them, and their red cells a token."""

    def __init__(self, data: Path, size: tuple[int, int]) -> None:
        self._trunk, self._size = load_trunk(), size
        train = scenes.smears(data, "train")
        views = [(scene, mirror, light) for scene in train for mirror, light in _MIRRORS]
        self._lower = self._features([(scene.pixels(), mirror, light) for scene, mirror, light in views])
        self._red = np.stack([self._density(scene, mirror) for scene, mirror, _ in views])
        held_out = {split: scenes.smears(data, split) for split in ("dev", "test")}
        self._held_out = {
            split: (
                self._features([(scene.pixels(), (False, False), 1.0) for scene in found]),
                np.array([scene.facts.red for scene in found], np.float32),
            )
            for split, found in held_out.items()
        }

    def errors(self, seed: int) -> dict[str, float]:
        """Mean absolute error of each split by a counter learned with this seed."""
        said = self.counts(seed)
        return {split: float(np.abs(said[split] - true).mean()) for split, (_, true) in self._held_out.items()}

    def counts(self, seed: int, *, marked_alone: bool = False) -> dict[str, Numbers]:
        """The red cells of each field of each split, by a counter learned with this seed.

        With `marked_alone` it learns from the fields alone in which some red cell is marked.
        """
        shown = np.flatnonzero(self._red.any(axis=1)) if marked_alone else np.arange(len(self._red))
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        counter, optimiser, schedule = _new_counter()
        for _ in range(STEPS):
            rows = shown[rng.integers(len(shown), size=BATCH)]
            _step(counter, optimiser, schedule, self._lower[rows].astype(np.float32), self._red[rows])
        return {split: counted(counter.eval(), fields) for split, (fields, _) in self._held_out.items()}

    def _features(self, pictures: Sequence[tuple[Pixels, tuple[bool, bool], float]]) -> NDArray[np.float16]:
        parts = []
        for start in range(0, len(pictures), 16):
            seen = [self._seen(*picture) for picture in pictures[start : start + 16]]
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                parts.append(lower(self._trunk, normalise(seen)).to(torch.float16).numpy())
        return np.concatenate(parts)

    def _seen(self, pixels: Pixels, mirror: tuple[bool, bool], light: float) -> Pixels:
        picture = Image.fromarray(pixels).resize(self._size, Image.Resampling.BICUBIC)
        values = np.clip(np.asarray(picture, np.float32) * light, 0, 255).astype(np.uint8)
        across, down = (-1 if turned else 1 for turned in mirror)
        return np.ascontiguousarray(values[::down, ::across])

    def _density(self, scene: scenes.Scene, mirror: tuple[bool, bool]) -> Numbers:
        """Red cells a token of 32 pixels, row by row: each box spreads one evenly over the tokens that it covers."""
        height, width = scene.pixels().shape[:2]
        columns, rows = (side // 32 for side in self._size)
        field = np.zeros((rows, columns), np.float32)
        for name, left, top, right, bottom in scene.boxes:
            if name == "RBC":
                spread = np.outer(
                    _cover(top / height, bottom / height, rows), _cover(left / width, right / width, columns)
                )
                field += spread / max(float(spread.sum()), 1e-6)
        across, down = (-1 if turned else 1 for turned in mirror)
        return np.ascontiguousarray(field[::down, ::across]).reshape(-1)


_MIRRORS = (
    ((False, False), 1.0), ((True, False), 0.9), ((False, True), 1.1), ((True, True), 1.0), ((False, False), 0.85),
)  # fmt: skip


def _cover(low: float, high: float, count: int) -> Numbers:
    steps = np.arange(count)
    return np.clip(np.minimum(high * count, steps + 1) - np.maximum(low * count, steps), 0, 1).astype(np.float32)


def rates(counter: nn.Module, fields: torch.Tensor) -> torch.Tensor:
    """Red cells a token, `(n, 144)`."""
    found: torch.Tensor = nn.functional.softplus(counter(fields) - 2)
    return found


def _deviance(rate: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    return nn.functional.poisson_nll_loss(rate, true, log_input=False, reduction="none").sum(1).mean()


def counted(counter: nn.Module, fields: Numbers) -> Numbers:
    """The red cells of each field, `(n,)`."""
    with torch.inference_mode():
        said: Numbers = rates(counter, torch.from_numpy(fields.astype(np.float32))).sum(1).numpy()
    return said


def errors(counter: nn.Module, held_out: dict[str, tuple[Numbers, Numbers]]) -> dict[str, float]:
    """Mean absolute error of the counts of each split."""
    return {split: float(np.abs(counted(counter, fields) - true).mean()) for split, (fields, true) in held_out.items()}


if __name__ == "__main__":
    main()
