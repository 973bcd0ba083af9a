"""How much of the error of red cells is the labels': fields full of red cells of which `bccd` marks none.

    python benchmarks/pocket_red_labels.py --data ../shared/data

A field without a box for a red cell is not one without red cells: all fifteen were looked at and are full. Told is how
many there are, what the embedded model's captions and the median are off by on all fields and on those with a box,
and what the fields without one add to the error of somebody who counts there as many as the median and makes no mistake
anywhere else. Beside it the counter of `pocket_red_cells.py` (whole fields at 384 x 384, three seeds) learned from all
train fields, as the recipe learns, and from those with a box alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from machine import ROOT, save
from numpy.typing import NDArray

from benchmarks.pocket_red_cells import SEEDS, SIZES, Looks
from benchmarks.pocket_words import RED_CELLS, number_said
from pocket import scenes
from pocket.speak import Speaker

Numbers = NDArray[np.float32]
SPLITS = ("dev", "test")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    speaker = Speaker.load(ROOT / "pocket" / "weights" / "vlm")
    true = {split: counts(scenes.smears(args.data, split)) for split in ("train", *SPLITS)}
    median = statistics.median(true["train"].tolist())
    looks = Looks(args.data, SIZES["384 x 384"])
    results: dict[str, Any] = {
        "fields without a box for a red cell": {
            split: f"{int((red == 0).sum())} of {len(red)}" for split, red in true.items()
        }
    }
    for split in SPLITS:
        red = true[split]
        captions = speaker.say([field.pixels() for field in scenes.smears(args.data, split)])
        said = [number_said(text, RED_CELLS) for text in captions]
        told = np.array([median if count is None else count for count in said], np.float32)
        results[split] = {
            "captions": errors(told, red),
            "median of train": errors(np.full(len(red), median, np.float32), red),
            "right but where none is marked": round(float(median * (red == 0).mean()), 3),
        }
    for name, marked_alone in {"all train fields": False, "train fields with a box": True}.items():
        learned = [looks.counts(seed, marked_alone=marked_alone) for seed in range(SEEDS)]
        for split in SPLITS:
            several = [errors(counted[split], true[split]) for counted in learned]
            results[split][f"counter, {name}"] = {
                fields: round(statistics.mean(one[fields] for one in several), 3) for fields in several[0]
            }
    print(json.dumps(results, indent=1))
    print(save("pocket_red_labels", results), file=sys.stderr)


def counts(fields: Sequence[scenes.Scene]) -> Numbers:
    return np.array([field.facts.red for field in fields], np.float32)


def errors(said: Numbers, red: Numbers) -> dict[str, float]:
    """Mean absolute error on all fields, and on those with a box for a red cell."""
    off = np.abs(said - red)
    return {"all fields": round(float(off.mean()), 3), "fields with a box": round(float(off[red > 0].mean()), 3)}


if __name__ == "__main__":
    main()
