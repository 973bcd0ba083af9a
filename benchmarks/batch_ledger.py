"""What the writer of `batch` can do, whatever describes: records a second, bytes a record, time to find nothing left.

    python cli.py batch IMAGES --out .scratch/batch/real --index data/indexes/medpix
    python benchmarks/batch_ledger.py --input .scratch/scale/rocov2-79789 --real .scratch/batch/real --work .scratch

The input is all of ROCOv2 in number and layout, of drawn images (`scale_images.py --draw-only`). Workers that cost
nothing answer for each record with one of the real records of `--real`, under its id. Then the command itself, in a
process of its own, is run three times on what is done: it reads the input, the ledger and every shard's bytes, and
describes nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Iterable
from itertools import cycle
from pathlib import Path
from typing import Any

import machine

from batch.inputs import open_input
from batch.run_folder import LEDGER, PLAN, SHARDS, read_run
from batch.runner import Job, run_batch
from batch.types import Block, BlockResult, Described
from rag.config import resolve

INDEX = "data/indexes/medpix"


class Costless:
    """Obeys `Workers`: answers with records that were made before."""

    def __init__(self, real: Path) -> None:
        self._records = cycle([json.loads(found.record) for found in read_run(real).descriptions()])

    def describe(self, blocks: Iterable[Block]) -> Generator[BlockResult, None, None]:
        for block in blocks:
            outcomes = tuple(Described(request.id, self._record(request.id)) for request in block.requests)
            yield BlockResult(block.number, outcomes, 0.0)

    def _record(self, id_: str) -> dict[str, Any]:
        record = dict(next(self._records))
        record["images"] = [{**image, "sha256": f"{abs(hash(id_)):064x}"} for image in record["images"]]
        return record | {"id": id_}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, required=True)
    parser.add_argument("--real", type=Path, required=True, help="folder of a batch with some hundred real records")
    parser.add_argument("--work", type=Path, required=True)
    args = parser.parse_args()
    out = args.work / "ledger"
    shutil.rmtree(out, ignore_errors=True)
    job = Job(open_input(str(args.input)), resolve(None, (), retrieval__index=INDEX), out)
    costless = Costless(args.real)
    started = time.perf_counter()
    summary = run_batch(job, lambda *_: costless)
    seconds = time.perf_counter() - started
    run = read_run(out).folder
    records = summary.tally.described
    shards = sum(file.stat().st_size for file in (run / SHARDS).iterdir())
    results = {
        "records": records,
        "seconds_with_reading_the_input": round(seconds, 2),
        "records_per_s": round(records / summary.sessions[-1].wall_s, 1),
        "bytes_a_record": {
            "shards": round(shards / records),
            "ledger": round((run / LEDGER).stat().st_size / records),
            "plan": round((run / PLAN).stat().st_size / records),
        },
        "seconds_to_find_nothing_left": [nothing_left(args.input, out) for _ in range(3)],
    }
    print(json.dumps(results, indent=1))
    print(machine.save("batch_ledger", results))


def nothing_left(given: Path, out: Path) -> float:
    """Seconds of the whole command."""
    command = [sys.executable, "cli.py", "batch", str(given), "--out", str(out), "--index", INDEX, "--progress", "none"]
    started = time.perf_counter()
    subprocess.run(command, cwd=machine.ROOT, check=True, capture_output=True)
    return round(time.perf_counter() - started, 2)


if __name__ == "__main__":
    main()
