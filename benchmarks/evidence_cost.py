"""What the leak guard and the checks add to the time of a batch, with the embedded model.

    python cli.py index build configs/indexes/medpix.yaml
    python benchmarks/evidence_cost.py --data ../shared/data

All dev images of `medpix` go through the one path in batches of 16, with retrieval over the train split, by turns with
all that makes evidence safe and without any of it: the guard, the search for texts that speak to the model, the checks
of what was written (citations, conflicts, copies), the neighbours' votes, the confidence, and what the evidence names
alike. Once what was read of texts is forgotten between rounds, so that each is the beginning of a batch; once it is
kept, as it is the more the longer a batch gets, whose images have captions in common. Told is by how much a round with
it is longer than the one beside it, by the clock and by the processor's time; and of the rounds with it the
milliseconds in each part (the guard's hold the search for the nearest images, which retrieval would make else). Two
cores, one process.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np
from machine import save

from rag import Pipeline, distrust, open_pipeline, record, untrusted
from rag.check import reading
from rag.check.checker import Checker
from rag.confidence import Reliance
from rag.config import resolve
from rag.content import Content
from rag.guard import Guard
from rag.neighbourhood import Electorate
from rag.opening import Shared
from rag.retrieve import Retriever
from rag.types import Checks, Description, Request

BATCH = 16
_TIMES = ("clock", "processor")
WATCHED: tuple[tuple[Any, str, str], ...] = (
    (Guard, "leave_out", "guard"),
    (distrust, "order_in", "instructions"),
    (Checker, "check", "checks"),
    (Reliance, "confidence", "confidence"),
    (Electorate, "votes", "votes"),
    (record, "sentence_of", "named alike"),
)
LEFT_OUT: tuple[tuple[Any, str, Any], ...] = (
    (distrust, "order_in", lambda _: None),
    (Checker, "check", lambda *_: Checks()),
    (Reliance, "confidence", lambda *_: None),
    (Electorate, "votes", lambda *_: None),
)
"""What stands in for each part in the rounds without; the guard and what is named alike are off by their settings."""


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
    results = {
        "texts new in each round": measure(args, requests, new=True),
        "texts read before": measure(args, requests, new=False),
    }
    print(json.dumps(results, indent=1))
    print(save("evidence_cost", {"index": args.index, "batch": BATCH, **results}), file=sys.stderr)


def measure(args: argparse.Namespace, requests: Sequence[Request], new: bool) -> dict[str, Any]:
    """Rounds with and without, the texts of the evidence `new` in each round or read before."""
    shared = Shared()
    safe = open_pipeline(resolve(retrieval__index=args.index), requests, shared=shared)
    bare = resolve(retrieval__index=args.index, retrieval__guard__enabled=False, check__named_alike=False)
    unsafe = open_pipeline(bare, requests, shared=shared)
    seconds: dict[str, float] = defaultdict(float)
    rounds = []
    for number in range(args.rounds + 1):
        with ExitStack() as stack:
            for owner, name, part in WATCHED:
                watch(stack, seconds, owner, name, part)
            whole = timed(safe, requests, new)
        with ExitStack() as stack:
            for owner, name, result in LEFT_OUT:
                stack.enter_context(patch.object(owner, name, result))
            without = timed(unsafe, requests, new)
        if number:  # the first warms up
            rounds.append({"with": whole, "without": without, "parts": dict(seconds)})
        seconds.clear()
    return told(rounds, len(requests))


def timed(pipeline: Pipeline, requests: Sequence[Request], new: bool) -> tuple[float, float]:
    """Seconds by the clock and of the processor for all of them; with `new`, nothing is known of texts."""
    if new:
        reading.read.cache_clear()
        untrusted.instruction_in.cache_clear()
        forget_neighbours(pipeline)
    clock, processor = perf_counter(), process_time()
    for start in range(0, len(requests), BATCH):
        for outcome in pipeline.run(requests[start : start + BATCH]):
            if not isinstance(outcome, Description):
                sys.exit(f"{outcome.request.id}: {outcome.reason}")
    return perf_counter() - clock, process_time() - processor


def forget_neighbours(pipeline: Pipeline) -> None:
    """Lets captions of neighbours be read anew."""
    if not isinstance(pipeline.retriever, Retriever):
        sys.exit("the evidence is to come from an index")
    pipeline.retriever.electorate = Electorate(Content.of_all(pipeline.settings.check.content))


def watch(stack: ExitStack, seconds: dict[str, float], owner: Any, name: str, part: str) -> None:
    """Adds the time in a function to `seconds[part]`."""
    real: Callable[..., Any] = getattr(owner, name)

    def measured(*args: Any, **kwargs: Any) -> Any:
        started = perf_counter()
        try:
            return real(*args, **kwargs)
        finally:
            seconds[part] += perf_counter() - started

    stack.enter_context(patch.object(owner, name, measured))


def told(rounds: list[dict[str, Any]], images: int) -> dict[str, Any]:
    """Medians over the rounds, and what each round adds."""
    shares = [
        [one["with"][kind] / one["without"][kind] - 1 for one in rounds] for kind in range(2)
    ]  # by the clock, of the processor
    return {
        "images": images,
        "rounds": len(rounds),
        "ms_an_image": {
            which: {name: _ms([one[which][kind] for one in rounds], images) for kind, name in enumerate(_TIMES)}
            for which in ("with", "without")
        },
        "ms_an_image_in": {
            part: _ms([one["parts"].get(part, 0.0) for one in rounds], images) for _, _, part in WATCHED
        },
        "added_share": {
            name: round(float(np.median(several)), 4) for name, several in zip(_TIMES, shares, strict=True)
        },
        "added_share_of_each_round": {
            name: [round(share, 4) for share in several] for name, several in zip(_TIMES, shares, strict=True)
        },
        "bar": 0.10,
    }


def _ms(values: list[float], images: int) -> float:
    return round(1000 * float(np.median(values)) / images, 2)


if __name__ == "__main__":
    main()
