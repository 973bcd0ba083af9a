"""What limits planes and body parts named with evidence: the vote of the captions shown, and how it is followed.

    python benchmarks/pocket_votes.py --data ../shared/data --work .scratch/bench
    python benchmarks/pocket_votes.py --data ../shared/data --work .scratch/other --weights OUT --name other

Images of `medpix` dev, evidence from its train split, as in the table of `pocket.py`: captions whose first sentence
tells modality, plane and body part. `vote` is what those sentences say, read by the table's word lists, the nth caption
by 1/n: who only ever follows it is right so often. `caption` is what the model says, `followed` how often that is the
vote; the foils of the table's bar are beside them. Means over classes, 95 % bootstrap by case. `--name` puts the result
of other weights beside what the file holds already.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from machine import save, saved  # isort: skip - it puts the root on the path

import numpy as np

from benchmarks import foils
from benchmarks import pocket_words as words
from benchmarks.pocket_bench import Bench, Part, requests
from benchmarks.pocket_house import House, options
from benchmarks.pocket_radiology import CLASSES, medpix_index
from evaluation.statistics.intervals import Estimate, estimate
from rag.types import Description

FIELDS = ("plane", "location_category")
RESULT = "pocket_votes"


def main() -> None:
    parser = options(__doc__ or "", "keep indexes and vectors here")
    parser.add_argument("--name", default="committed", help="what the weights are called in the result")
    args = parser.parse_args()
    bench = Bench(House(args.weights, args.work, None), args.data, None, ())
    train, dev = bench.parts("medpix")
    described = bench.house.describe(medpix_index(bench), requests(dev.images, articles=dev["case"]))
    found = {"models": bench.house.models, **{field: judged(field, train, dev, described) for field in FIELDS}}
    print(json.dumps(found, indent=1))
    held = saved(RESULT).get("weights", {})
    print(save(RESULT, {"weights": {**held, args.name: found}}), file=sys.stderr)


def judged(field: str, train: Part, dev: Part, described: Sequence[Description]) -> dict[str, Any]:
    """How often caption, vote and foils are right of a field, and the paired differences between them."""
    _, lists, ks = CLASSES[field]
    mine = [n for n, value in enumerate(dev[field]) if value in lists]
    known, asked = train.where(field, lists), dev.at(mine)
    truth, cases = asked[field], asked["case"]
    votes = [vote([e.text for e in described[n].evidence], lists) for n in mine]
    said = [words.said(described[n].text, lists) for n in mine]
    near = foils.class_foils(known.vectors, known[field], known["case"], asked.vectors, ks)
    rival = f"{ks[0]}-NN"
    answers = {"caption": said, "vote": votes, rival: near[rival], "probe": near["probe"]}
    right = {
        name: np.asarray([float(a == t) for a, t in zip(each, truth, strict=True)]) for name, each in answers.items()
    }

    def mean(values: Any) -> dict[str, Any]:
        made: Estimate = estimate(values, cases, truth)
        return asdict(made)

    return {
        "n": len(mine),
        **{name: mean(values) for name, values in right.items()},
        "followed": asdict(estimate([float(a == b) for a, b in zip(said, votes, strict=True)], cases)),
        "caption minus vote": mean(right["caption"] - right["vote"]),
        f"vote minus {rival}": mean(right["vote"] - right[rival]),
    }


def vote(captions: Sequence[str], lists: Mapping[str, Any]) -> str | None:
    """What the captions' first sentences say most, the nth by 1/n; None where none says it."""
    tally: dict[str, float] = {}
    for place, caption in enumerate(captions, start=1):
        if told := words.said(caption.split(". ")[0], lists):
            tally[told] = tally.get(told, 0.0) + 1 / place
    return max(tally, key=lambda name: tally[name]) if tally else None


if __name__ == "__main__":
    main()
