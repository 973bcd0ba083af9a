"""How well trunks of the recipe's vision stage see platelets, before any language: by the stage's own heads.

    python benchmarks/pocket_platelets.py --data ../shared/data "seed 1=.scratch/a" "seed 2=.scratch/b"
    python benchmarks/pocket_platelets.py ... --table "committed=.scratch/bench/pocket.json"

Each argument is a name and a folder with the stage's `trunk.pt` and `heads.pt`. The heads count platelets in `bccd`
dev, which no weights learned from: in the 87 whole fields, and in six views of each, cropped, turned and coloured as
the training views are, which say a little more than 87 fields do. Shown are the area under the ROC curve of "there are
platelets" and its accuracy, mean over the two classes, where the heads expect more than ln 2 of them (as likely as not,
by Poisson); white cells likewise, and red cells' mean absolute error. `bccd` test has no part in it, so
that a trunk may be chosen by this. `--table` puts beside it what the captions of whole weights say of platelets there,
from a table of `pocket.py --only bccd --split dev`.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from machine import save  # isort: skip - it puts the root on the path

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks import pocket_stage as stage
from benchmarks.pocket_recipe import figures as table_figures
from evaluation.statistics.intervals import estimate
from pocket import scenes
from pocket.facts import Facts
from pocket.features import scene_jobs
from pocket.trunk import load_trunk
from pocket.vision import CELLS

VIEWS, SEED = 6, 77
_FEWEST = 10
_AS_LIKELY_AS_NOT = math.log(2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with bccd")
    parser.add_argument("trunks", nargs="+", metavar="NAME=FOLDER", help="folder with trunk.pt and heads.pt")
    parser.add_argument("--table", action="append", default=[], metavar="NAME=FILE", help="a pocket.json of bccd dev")
    args = parser.parse_args()
    trunks, tables = stage.named(args.trunks), stage.named(args.table)
    if missing := [*stage.missing(trunks), *(path for path in tables.values() if not path.is_file())]:
        parser.error(f"{missing[0]}: no such file")
    trunk, fields = load_trunk(), scenes.smears(args.data, "dev")
    shown = [draw() for _, draw in scene_jobs(fields, VIEWS, SEED)]
    seen = {
        "whole fields": (
            stage.below(trunk, [scene.pixels() for scene in fields]),
            [scene.facts for scene in fields],
            [scene.group for scene in fields],
        ),
        "views": (
            stage.below(trunk, [one.pixels for one in shown]),
            [one.facts for one in shown],
            [scene.group for scene in fields for _ in range(VIEWS)],
        ),
    }
    read: dict[str, Any] = {}
    for name, folder in trunks.items():
        read[name] = {
            what: figures(_counts(stage.read(trunk, folder, below)), facts, groups)
            for what, (below, facts, groups) in seen.items()
        }
        print(name, json.dumps(read[name], indent=1), flush=True)
    results = {"heads": read, "texts, without and with evidence": {name: _said(path) for name, path in tables.items()}}
    print(save("pocket_platelets", results), file=sys.stderr)


def _said(table: Path) -> dict[str, list[float | None]]:
    return {figure: told for figure, told in table_figures(table).items() if "platelets" in figure}


def _counts(read: Iterator[tuple[torch.Tensor, list[torch.Tensor]]]) -> NDArray[np.float32]:
    """How many of each of `CELLS` the heads expect: `(n, 4)`."""
    return np.concatenate([cells.sum(1).numpy() for cells, _ in read])


def figures(counts: NDArray[np.float32], facts: Sequence[Facts], groups: Sequence[str]) -> dict[str, Any]:
    """Platelets told, white cells told, red cells counted; facts that are not known are left out, and what
    nearly all images have or lack (one whole field of 87 has no white cell)."""
    names = list(CELLS.values())
    made: dict[str, Any] = {}
    for fact in ("platelets", "white"):
        known = [n for n, one in enumerate(facts) if getattr(one, fact) is not None]
        rate = counts[known, names.index(fact)]
        truth = np.array([getattr(facts[n], fact) > 0 for n in known])
        if min(truth.sum(), (~truth).sum()) < _FEWEST:
            continue
        right = ((rate > _AS_LIKELY_AS_NOT) == truth).astype(float)
        told = estimate(list(right), [groups[n] for n in known], list(truth))
        made[fact] = {"n": len(known), "area": round(float(roc_auc_score(truth, rate)), 3), "accuracy": asdict(told)}
    known = [n for n, one in enumerate(facts) if one.red is not None]
    off = counts[known, names.index("red")] - np.array([facts[n].red for n in known], np.float32)
    made["red"] = {"n": len(known), "mean absolute error": round(float(np.abs(off).mean()), 2)}
    return made


if __name__ == "__main__":
    main()
