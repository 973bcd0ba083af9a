"""What limits the count of red cells: a counter learned from 25 to 205 annotated fields, and how wrong it is.

    python benchmarks/pocket_red_cells.py --data ../shared/data --work .scratch/pocket

The counter is the best simple thing on what the recipe's frozen blocks give (stage `features` of `pocket.train`,
whose work folder `--work` is): three small convolutions at stride 16, cells per token by Poisson deviance, boxes as
targets. It is learned from the real fields alone, from views of 25, 50, 100 or all of `bccd` train, and, with all of
them, from rendered smears as well. Three seeds each: other fields, other draws. The error is on whole fields of
`bccd` dev and test.
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
from typing import Any

from machine import save  # isort: skip - it puts the root on the path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pocket import features, scenes
from pocket.features import View
from pocket.trunk import FIELD_SIZE, LOWER_WIDTH, load_trunk, lower, normalise, squash
from pocket.vision import density

STEPS, BATCH, RATE, SEEDS = 500, 32, 2e-3, 3
FIELDS = (25, 50, 100, 205)
RED = 0
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
    counter = nn.Sequential(
        nn.BatchNorm2d(LOWER_WIDTH), nn.Conv2d(LOWER_WIDTH, 64, 3, padding=1), nn.ReLU(),
        nn.Conv2d(64, 64, 3, padding=1, stride=2), nn.ReLU(), nn.Conv2d(64, 1, 1), nn.Flatten(),
    )  # fmt: skip
    optimiser = torch.optim.AdamW(counter.parameters(), lr=RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        drawn = [(part, rng.choice(rows)) for part, rows in rng.choices(parts, k=BATCH)]
        fields = torch.from_numpy(np.stack([part.lower[row] for part, row in drawn]).astype(np.float32))
        true = torch.from_numpy(np.stack([part.red[row] for part, row in drawn]))
        rate = rates(counter, fields)
        loss = _deviance(rate, true) + _deviance(rate.sum(1, keepdim=True), true.sum(1, keepdim=True))
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return counter.eval()


def rates(counter: nn.Module, fields: torch.Tensor) -> torch.Tensor:
    """Red cells a token, `(n, 144)`."""
    found: torch.Tensor = nn.functional.softplus(counter(fields) - 2)
    return found


def _deviance(rate: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    return nn.functional.poisson_nll_loss(rate, true, log_input=False, reduction="none").sum(1).mean()


def errors(counter: nn.Module, held_out: dict[str, tuple[Numbers, Numbers]]) -> dict[str, float]:
    """Mean absolute error of the counts of each split."""
    found: dict[str, Any] = {}
    with torch.inference_mode():
        for split, (fields, true) in held_out.items():
            said = rates(counter, torch.from_numpy(fields)).sum(1).numpy()
            found[split] = float(np.abs(said - true).mean())
    return found


if __name__ == "__main__":
    main()
