"""Whether photographs from elsewhere are refused: such as no weights learned from and no table's figure is measured on.

    python benchmarks/pocket_strangers.py --photos FOLDER --work WORK --name committed
    python benchmarks/pocket_strangers.py --photos FOLDER --work WORK --stage "seed 1=.scratch/a"

Of every picture in the folder: the whole; two parts of a third to two thirds of each side, in colour and in grey; and
three soft grey parts, as the vision stage's grey photographs are made. Shown is the share that the weights' captions
say they cannot describe, without evidence and with the starter set's, with 95 % intervals by picture. `--stage`, a
name and a folder with `trunk.pt` and `heads.pt`, shows instead for which share the vision stage's own heads find
"unknown" likeliest, and the same of the photographs and crops of the table of `pocket.py`. Results of the same
pictures are kept beside each other. The result holds the pictures' digests: ours came with packages named in
`pocket/README.md`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machine import save, saved  # isort: skip - it puts the root on the path

import numpy as np
import torch
from PIL import Image

from benchmarks import pocket_stage as stage
from benchmarks.pocket_bench import Bench, requests
from benchmarks.pocket_conduct import starter_index
from benchmarks.pocket_house import WEIGHTS, House, weights
from benchmarks.pocket_sets import part, unrelated
from evaluation.statistics.intervals import estimate
from imaging import ImageError, load
from imaging.types import Pixels
from pocket import negatives
from pocket.facts import KINDS
from pocket.trunk import load_trunk

RESULT = "pocket_strangers"
PARTS, SOFT, SIDE = 2, 3, 900


@dataclass(frozen=True, eq=False)
class Shown:
    """A view of a picture: what is done to it, and its pixels."""

    picture: str
    how: str
    pixels: Pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of pictures")
    parser.add_argument("--work", type=Path, required=True, help="keep views and the starter set's index here")
    parser.add_argument("--weights", type=weights, default=WEIGHTS, help="folder with clip and vlm")
    parser.add_argument("--name", default="committed", help="what the weights are called in the result")
    parser.add_argument("--stage", action="append", default=[], metavar="NAME=FOLDER", help="trunk.pt and heads.pt")
    args = parser.parse_args()
    stages = stage.named(args.stage)
    if missing := stage.missing(stages):
        parser.error(f"{missing[0]}: no such file")
    if not args.photos.is_dir() or not (files := sorted(path for path in args.photos.iterdir() if path.is_file())):
        parser.error(f"{args.photos}: no folder of pictures")
    try:
        shown = [view for file in files for view in views(file)]
    except ImageError as problem:
        parser.error(str(problem))
    told = by_stages(stages, shown, args.work) if stages else {args.name: by_captions(shown, args.weights, args.work)}
    digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    before = saved(RESULT)
    held = before["refused"] if before.get("pictures") == digests else {}
    print(json.dumps(told, indent=1))
    print(save(RESULT, {"pictures": digests, "refused": {**held, **told}}), file=sys.stderr)


def by_stages(stages: Mapping[str, Path], shown: Sequence[Shown], work: Path) -> dict[str, Any]:
    """What each stage's heads refuse: of the pictures given, and of the table's."""
    trunk, mine = load_trunk(), {"heads": shown, "heads, the table's photographs and crops": held_out(work)}
    hidden = {what: stage.below(trunk, [one.pixels for one in several]) for what, several in mine.items()}
    return {
        name: {what: figures(mine[what], heads_refuse(stage.read(trunk, folder, hidden[what]))) for what in mine}
        for name, folder in stages.items()
    }


def views(file: Path) -> list[Shown]:
    """All views of a picture."""
    rgb = Image.fromarray(load(file).pixels)
    rgb.thumbnail((SIDE, SIDE))
    pixels = np.asarray(rgb)
    made = [Shown(file.name, "whole", pixels)]
    for number in range(PARTS):
        cut = part(pixels, f"{file.name}/{number}")
        dull = np.asarray(Image.fromarray(cut).convert("L").convert("RGB"))
        made += [Shown(file.name, "part", cut), Shown(file.name, "grey part", dull)]
    soft = (negatives.grey(pixels, f"{file.name}/soft/{number}") for number in range(SOFT))
    return made + [Shown(file.name, "soft grey part", each) for each in soft]


def by_captions(shown: Sequence[Shown], weights: Path, work: Path) -> dict[str, Any]:
    """What captions say, without evidence and with the starter set's."""
    paths = []
    for number, one in enumerate(shown):
        paths.append(work / "strangers" / f"{number}.png")
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(one.pixels).save(paths[-1])
    bench = Bench(House(weights, work, None), Path(), None, ())
    made: dict[str, Any] = {"models": bench.house.models}
    for name, evidence in (("without", None), ("with", starter_index(bench))):
        said = bench.house.describe(evidence, requests(paths))
        made[name] = figures(shown, [d.abstained for d in said])
        wrong = Counter(d.text.split(".")[0] for d in said if not d.abstained)
        made[name]["said instead"] = dict(wrong.most_common())
    return made


def heads_refuse(read: Iterator[tuple[torch.Tensor, list[torch.Tensor]]]) -> list[bool]:
    """Where the heads of a vision stage find "unknown" likeliest."""
    return [KINDS[kind] == "unknown" for _, (kinds, *_) in read for kind in kinds.argmax(1).tolist()]


def held_out(work: Path) -> list[Shown]:
    """The table's own photographs and their crops; "the moon" apart from the others."""
    made = []
    for how in ("photographs and textures", "their crops"):
        for name, path in unrelated(work / "unrelated")[how]:
            made.append(Shown(name, "the moon" if name == "moon.png" else "the others", load(path).pixels))
    return made


def figures(shown: Sequence[Shown], refused: Sequence[bool]) -> dict[str, Any]:
    """The share refused, of all views and of each kind of them."""
    made = {}
    for how in ("all", *dict.fromkeys(one.how for one in shown)):
        mine = [n for n, one in enumerate(shown) if how in ("all", one.how)]
        told = estimate([float(refused[n]) for n in mine], [shown[n].picture for n in mine])
        made[how] = {
            "n": len(mine),
            **{name: round(value, 3) for name, value in asdict(told).items() if value is not None},
        }
    return made


if __name__ == "__main__":
    main()
