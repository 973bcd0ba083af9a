"""Runs a batch in processes of its own and kills them: at points that are named, then whenever it likes.

    python killed_child.py IMAGES OUT

What is imported is imported once; a process of a run is a fork, so that many are killed in little time. Prints how
many were killed and, last, how many had to be begun.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fakes
import filelock  # noqa: F401 - the runs' own imports, made once
import pyarrow.parquet  # noqa: F401

import batch.ledger
import batch.runner
import batch.shards
import batch.writer
from batch.inputs import open_input
from batch.workers.here import Here

os.environ[fakes.DELAY] = "0.004"
AT_RANDOM = 8


def work(given: str, out: str, block: int = 8) -> None:
    batch.runner.open_pipeline = fakes.told_pipeline  # type: ignore[assignment]
    job = batch.runner.Job(open_input(given), fakes.SETTINGS, Path(out), block)
    batch.runner.run_batch(job, lambda pipeline, _: Here(pipeline))


def dies(room: Any, name: str, call: int, *, after: bool) -> Callable[[], None]:
    """Lets the n-th call of a function be this process's last."""

    def arm() -> None:
        real, calls = getattr(room, name), iter(range(1, 10_000))

        def wrapped(*args: Any, **named: Any) -> Any:
            last = next(calls) == call
            if last and not after:
                os.kill(os.getpid(), signal.SIGKILL)
            done = real(*args, **named)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        setattr(room, name, wrapped)

    return arm


POINTS = [
    dies(batch.runner, "keep", 1, after=True),
    dies(batch.runner, "put", 1, after=True),  # run.json is there, the plan is not
    dies(batch.runner, "Ledger", 1, after=True),
    dies(batch.shards, "put", 2, after=False),
    dies(Path, "replace", 6, after=False),
    dies(batch.writer, "write_shard", 2, after=True),
    dies(batch.ledger.Ledger, "_mark", 2, after=True),  # in the middle of a transaction
    dies(batch.ledger.Ledger, "commit", 1, after=True),
    dies(batch.ledger.Ledger, "note", 1, after=False),
]


def begin(given: str, out: str, arm: Callable[[], None] = lambda: None) -> int:
    child = os.fork()
    if child == 0:
        arm()
        work(given, out)
        os._exit(0)
    return child


def main(given: str, out: str) -> None:
    fakes.told_pipeline(fakes.SETTINGS, [])  # what it and pyarrow import when they are first used
    batch.shards.table_bytes(batch.shards.table_of(batch.shards.Result, []))
    killed = 0
    for point in POINTS:
        _, status = os.waitpid(begin(given, out, point), 0)
        if not os.WIFSIGNALED(status):
            sys.exit(f"point {POINTS.index(point)} was not met")
        killed += 1
    chance = random.Random()
    while True:
        child = begin(given, out)
        if killed < len(POINTS) + AT_RANDOM:
            time.sleep(chance.uniform(0.0, 0.5))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed += 1
            continue
        print(killed)
        sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(*sys.argv[1:])
