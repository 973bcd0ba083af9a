"""What the leak guard and the checks add to the time of a batch, with the embedded model.

    python cli.py index build configs/indexes/medpix.yaml
    python benchmarks/evidence_cost.py --data ../shared/data

All dev images of `medpix` go through the one path in batches of 16, with retrieval over the train split, `--rounds`
times; what was read of texts is forgotten between rounds, so that each is as the first. Seconds in the guard (looking
for copies, counting what is left out), in the search for texts that speak to the model, in the checks of what was
written (citations, conflicts, copies), in the neighbours' votes and in the confidence are taken inside that very run,
and told as shares of the rest of it. Two cores, one process.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from machine import save

from rag import Pipeline, distrust, open_pipeline, untrusted
from rag.check import reading
from rag.check.checker import Checker
from rag.confidence import Reliance
from rag.config import resolve
from rag.content import Content
from rag.guard import Guard
from rag.neighbourhood import Electorate
from rag.retrieve import Retriever
from rag.types import Description, Request

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--index", default="data/indexes/medpix")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    folder = args.data / "medpix"
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    requests = [
        Request(record["id"], (str(folder / record["image"]),), article=record["case"])
        for record in records
        if record["split"] == "dev"
    ]
    pipeline = open_pipeline(resolve(retrieval__index=args.index), requests)
    pipeline.load()
    seconds: dict[str, float] = defaultdict(float)
    watch(seconds, Guard, "leave_out", "guard")
    watch(seconds, distrust, "order_in", "instructions")
    watch(seconds, Checker, "check", "checks")
    watch(seconds, Reliance, "confidence", "confidence")
    watch(seconds, Electorate, "votes", "votes")
    list(pipeline.run(requests[:BATCH]))  # warm
    rounds = []
    for _ in range(args.rounds):
        reading.read.cache_clear()
        untrusted.instruction_in.cache_clear()
        forget_neighbours(pipeline)
        seconds.clear()
        started = perf_counter()
        outcomes = [
            outcome
            for start in range(0, len(requests), BATCH)
            for outcome in pipeline.run(requests[start : start + BATCH])
        ]
        whole = perf_counter() - started
        if not all(isinstance(outcome, Description) for outcome in outcomes):
            sys.exit("some images could not be described")
        rounds.append({"whole": whole, **seconds})
    results = told(rounds, len(requests))
    print(json.dumps(results, indent=1))
    print(save("evidence_cost", {"index": args.index, "batch": BATCH, **results}), file=sys.stderr)


def forget_neighbours(pipeline: Pipeline) -> None:
    """Lets captions of neighbours be read anew."""
    if not isinstance(pipeline.retriever, Retriever):
        sys.exit("the evidence is to come from an index")
    pipeline.retriever.electorate = Electorate(Content.of_all(pipeline.settings.check.content))


def watch(seconds: dict[str, float], owner: Any, name: str, part: str) -> None:
    """Adds the time in a function to `seconds[part]`."""
    real: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        started = perf_counter()
        try:
            return real(*args, **kwargs)
        finally:
            seconds[part] += perf_counter() - started

    setattr(owner, name, timed)


def told(rounds: list[dict[str, float]], images: int) -> dict[str, Any]:
    """Medians over the rounds: milliseconds an image, and shares of what is left of a batch without each part."""
    parts = ("guard", "instructions", "checks", "votes", "confidence")
    spent = [sum(one.get(part, 0.0) for part in parts) for one in rounds]
    shares = [used / (one["whole"] - used) for used, one in zip(spent, rounds, strict=True)]
    return {
        "images": images,
        "rounds": len(rounds),
        "ms_an_image": {part: _ms([one.get(part, 0.0) for one in rounds], images) for part in ("whole", *parts)},
        "added_share": round(float(np.median(shares)), 4),
        "added_share_of_each_round": [round(share, 4) for share in shares],
        "bar": 0.10,
    }


def _ms(values: list[float], images: int) -> float:
    return round(1000 * float(np.median(values)) / images, 2)


if __name__ == "__main__":
    main()
