"""What evidence adds, on many images: the figures of `medpix` in `pocket.py`, on its train split instead of dev.

    python benchmarks/pocket_many.py --data ../shared/data --work .scratch/bench

The embedded models never saw `medpix`, so its 1,653 train images of 535 cases can be described too, with the other
cases' images as evidence (the leak guard leaves out the query's own case). Eight times the images of dev tell
differences that 197 cannot. Not untouched: how captions are weighed and which names are said of several
(`named_alike.py`) were chosen on this split; dev had no part in it. The votes beside it have the query's own case left
out as well, and one vote an image. Differences are paired, cases drawn whole, p one-sided. "Chances": of tests with so
many cases, the first as many as dev has, how many would find the difference above 0, and with p < 0.05.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from machine import save  # isort: skip - it puts the root on the path

import numpy as np

from benchmarks import pocket_words as words
from benchmarks.chances import chances
from benchmarks.pocket_bench import Bench, Part
from benchmarks.pocket_house import House, arguments
from benchmarks.pocket_radiology import CLASSES, above_shuffled, caption_words, medpix_index
from evaluation.statistics.intervals import estimate

_DEEP = 40
VOTES = {"kind": (5,), "plane": (5,), "location_category": (3,)}
TIMES = (1, 2, 4, 8, 16)
"""How many times the cases of dev the tests have whose chances are shown."""


def main() -> None:
    args = arguments(__doc__ or "", "keep indexes, vectors and texts here, for a quick second run")
    bench = Bench(House(args.weights, args.work, None), args.data, None, ())
    part, dev = bench.parts("medpix")
    sizes = [times * len(set(dev["case"])) for times in TIMES]
    bare = bench.index("medpix-captions", folder="medpix", fields={"article": "case", "caption": "caption"})
    said = {
        "without": bench.said(part.images, None),
        "with": bench.said(part.images, medpix_index(bench), articles=part["case"]),
        "captions alone": bench.said(part.images, bare, articles=part["case"]),
    }
    near = neighbours(part)
    nearest = [part["caption"][row[0]] for row in near]
    gained = above_shuffled(part, {"with": said["with"], "nearest": nearest})
    results: dict[str, Any] = {
        "images": len(part),
        "cases": len(set(part["case"])),
        "models": bench.house.models,
        "classes": {key: classes(key, part, said, near, sizes) for key in CLASSES},
        "words": gains(part, said, nearest),
        "chances of the words": chances(gained["with"] - gained["nearest"], part["case"], None, sizes),
    }
    print(json.dumps(results, indent=1))
    print(save("pocket_many", results), file=sys.stderr)


def neighbours(part: Part) -> list[list[int]]:
    """For each image the nearest images of other cases, as many as any vote needs."""
    cases = np.asarray(part["case"])
    likeness = part.vectors @ part.vectors.T
    likeness[cases[:, None] == cases[None, :]] = -1
    return [[int(n) for n in row[:_DEEP]] for row in np.argsort(-likeness, axis=1, kind="stable")]


def classes(
    key: str, part: Part, said: dict[str, list[str]], near: Sequence[Sequence[int]], sizes: Sequence[int]
) -> dict[str, Any]:
    """How often a field is said rightly, mean over classes, beside the neighbours' votes."""
    _, lists, _ = CLASSES[key]
    truth, cases = part[key], part["case"]
    mine = [n for n, value in enumerate(truth) if value in lists]
    groups, values = [cases[n] for n in mine], [truth[n] for n in mine]
    right = {
        name: np.asarray([float(words.said(texts[n], lists) == truth[n]) for n in mine]) for name, texts in said.items()
    }
    for k in VOTES[key]:
        chosen = [Counter([truth[m] for m in near[n] if truth[m] in lists][:k]) for n in mine]
        right[f"{k}-NN"] = np.asarray([float(c.most_common(1)[0][0] == t) for c, t in zip(chosen, values, strict=True)])
    foil = right[f"{VOTES[key][0]}-NN"]
    return {
        "n": len(mine),
        **{name: asdict(estimate(r, groups, values)) for name, r in right.items()},
        "with, minus the vote": asdict(estimate(right["with"] - foil, groups, values, test=True)),
        "chances": chances(right["with"] - foil, groups, values, sizes),
    }


def gains(part: Part, said: dict[str, list[str]], nearest: Sequence[str]) -> dict[str, Any]:
    """ROUGE-1 of own minus shuffled texts, and the paired differences: the rows of `caption_words`, by name."""
    rows = [
        row
        for name, shown in (("with", ""), ("captions alone", "; evidence: captions alone"))
        for row in caption_words(part, {"without": said["without"], "with": said[name]}, nearest, shown)
    ]
    return {
        row.figure: {
            name: asdict(value)
            for name, value in {"without": row.without, "with": row.with_, **row.foils}.items()
            if value is not None
        }
        for row in rows
    }


if __name__ == "__main__":
    main()
