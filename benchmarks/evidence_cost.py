"""What the leak guard and the checks add to the time of a batch, with the embedded model.

    python cli.py index build configs/indexes/medpix.yaml
    python benchmarks/evidence_cost.py --data ../shared/data

By turns with all that makes evidence safe and without any of it: the guard, the search for texts that speak to the
model, the checks of what was written (citations, conflicts, copies), the neighbours' votes, the confidence, and what
the evidence names alike.

`batch` is what the command of this name does, all images of `medpix` with its train index, a process a core, each with
its share of the threads: seconds from the first block that is committed to the last. `one of its processes` is that
process alone, `one process with all cores` what describes many images without `batch`; both for the dev images in
batches of 32, once with all that was read of texts and of the index's pictures forgotten before each round, so that
each is the beginning of a batch, and once with it kept, as it is the more the longer a batch gets, whose images have
captions in common. Told is by how much a round with it is longer than the one beside it, by the clock and by the
processor's time; and of the rounds with it the milliseconds in each part (the guard's hold the search for the nearest
images, which retrieval would make else).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

import numpy as np
from machine import save

from batch.inputs import InputOptions, open_input
from batch.progress import Tally
from batch.runner import BLOCK, Job, run_batch
from batch.types import Workers
from batch.workers.choose import threads_each
from batch.workers.processes import Processes
from batch.workers.work import Opener
from imaging import likeness
from rag import Pipeline, distrust, open_pipeline, record, untrusted
from rag.check import reading, support
from rag.check.checker import Checker
from rag.confidence import Reliance
from rag.config import Settings, resolve
from rag.content import Content
from rag.guard import Guard
from rag.neighbourhood import Electorate
from rag.opening import Shared
from rag.retrieve import Retriever
from rag.types import Checks, Description, Request

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
    parser.add_argument("--batches", type=int, default=3)
    args = parser.parse_args()
    folder = args.data / "medpix"
    records = [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    requests = [
        Request(record["id"], (str(folder / record["image"]),), article=record["case"])
        for record in records
        if record["split"] == "dev"
    ]
    results: dict[str, Any] = {"batch": batches(args, folder / "records.jsonl")}
    for name, threads in {
        "one of its processes": threads_each(_cores()),
        "one process with all cores": _cores(),
    }.items():
        _set_threads(threads)
        for new in (True, False):
            texts = "texts new in each round" if new else "texts read before"
            results[f"{name}, {texts}"] = measure(args, requests, new)
    print(json.dumps(results, indent=1))
    print(save("evidence_cost", {"index": args.index, "block": BLOCK, **results}), file=sys.stderr)


def _set_threads(count: int) -> None:
    import torch  # not above: a batch's processes import this file, and torch only once they know their share

    torch.set_num_threads(count)


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def batches(args: argparse.Namespace, records: Path) -> dict[str, Any]:
    """Seconds of whole batches, by turns with and without."""
    taken: dict[str, list[float]] = {"with": [], "without": []}
    images = 0
    for number in range(args.batches):
        for which, (settings, opener) in {
            "with": (safe(args.index), open_pipeline),
            "without": (bare(args.index), open_unchecked),
        }.items():
            with tempfile.TemporaryDirectory() as out:
                given = open_input(str(records), InputOptions(fields=("article=case",)))
                clock = _Clock()
                made = run_batch(Job(given, settings, Path(out)), partial(_processes, opener), progress=clock)
            if made.tally.failed or made.tally.left:
                sys.exit(f"{made.tally.failed} records failed, {made.tally.left} were left")
            images = clock.images
            taken[which].append(clock.seconds)
            print(number, which, f"{clock.seconds:.1f} s", file=sys.stderr, flush=True)
    shares = [own / other - 1 for own, other in zip(taken["with"], taken["without"], strict=True)]
    return {
        "images": images,
        "processes": _cores(),
        "ms_an_image": {which: _ms(seconds, images) for which, seconds in taken.items()},
        "seconds": {which: [round(one, 1) for one in seconds] for which, seconds in taken.items()},
        "added_share": round(float(np.median(shares)), 4),
        "added_share_of_each_turn": [round(share, 4) for share in shares],
        "bar": 0.10,
    }


def safe(index: str) -> Settings:
    return resolve(retrieval__index=index)


def bare(index: str) -> Settings:
    return resolve(retrieval__index=index, retrieval__guard__enabled=False, check__named_alike=False)


def open_unchecked(settings: Settings, requests: Sequence[Request]) -> Pipeline:
    """Opens a pipeline in a process that from now on checks nothing."""
    for owner, name, result in LEFT_OUT:
        setattr(owner, name, result)
    return open_pipeline(settings, requests)


def _processes(opener: Opener, pipeline: Pipeline, examples: Sequence[Request]) -> Workers:
    """As `batch` takes them for the embedded model on a CPU."""
    return Processes(pipeline.settings, examples, _cores(), threads_each(_cores()), opener)


class _Clock:
    """Seconds from the first block that is committed to the last, and the images in between."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None
        self.seconds, self.images = 0.0, 0

    def show(self, tally: Tally, *, last: bool = False) -> None:
        now = perf_counter()
        if self._first is None and tally.done:
            self._first = now, tally.done
        elif self._first is not None and not last:
            self.seconds, self.images = now - self._first[0], tally.done - self._first[1]


def measure(args: argparse.Namespace, requests: Sequence[Request], new: bool) -> dict[str, Any]:
    """Rounds with and without, the texts of the evidence `new` in each round or read before."""
    shared = Shared()
    guarded = open_pipeline(safe(args.index), requests, shared=shared)
    unguarded = open_pipeline(bare(args.index), requests, shared=shared)
    seconds: dict[str, float] = defaultdict(float)
    rounds = []
    for number in range(args.rounds + 1):
        with ExitStack() as stack:
            for owner, name, part in WATCHED:
                watch(stack, seconds, owner, name, part)
            whole = timed(guarded, requests, new)
        with ExitStack() as stack:
            for owner, name, result in LEFT_OUT:
                stack.enter_context(patch.object(owner, name, result))
            without = timed(unguarded, requests, new)
        if number:  # the first warms up
            rounds.append({"with": whole, "without": without, "parts": dict(seconds)})
        seconds.clear()
    return told(rounds, len(requests))


def timed(pipeline: Pipeline, requests: Sequence[Request], new: bool) -> tuple[float, float]:
    """Seconds by the clock and of the processor for all of them; with `new`, nothing is known of texts and pictures."""
    if new:
        for kept in (reading.read, support._words, untrusted.instruction_in, likeness._small):
            kept.cache_clear()
        forget_neighbours(pipeline)
    clock, processor = perf_counter(), process_time()
    for start in range(0, len(requests), BLOCK):
        for outcome in pipeline.run(requests[start : start + BLOCK]):
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
