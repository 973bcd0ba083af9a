"""`batch` killed with SIGKILL at random moments and begun again, beside the same run never killed.

    python benchmarks/batch_kills.py --work .scratch/kills --folder IMAGES --images 2000 --kills 20

Pocket in fp32 (`model.dtype`, `model.vision_dtype`) with evidence from `--index`. First the run that is never killed;
then the same command into another folder, killed at a moment drawn between its start and somewhat over a twentieth of
the run's length after its start-up: in turn all its processes at once, and the first process alone. Should it get to
its end before all kills are done, the next begins in a folder of its own. At the end every folder must have the ids of
the run never killed, each once and in its order, and records equal to the last digit; only `timings_s` is set aside.

`batch` runs by `python benchmarks/batch_kills.py noted ...`, which notes in a file each id that a worker has a
description of (the function that yields them is wrapped, in the workers too), so that what was made twice is counted.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from batch_steps import Command, batch, lines_of, said
from machine import save

from batch.run_folder import read_run
from batch.workers import work as workers_work

NOTED = "LUMENSCRIBE_BENCH_NOTED"
FP32 = ("--set", "model.dtype=fp32", "--set", "model.vision_dtype=model")
SLACK = 1.25
"""Kills come so much closer together than they would need to, so that most of them meet the first run."""


def note_what_is_described(file: str) -> None:
    """Has this process append each id that is described to a file, a line each."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    described: Callable[..., Iterator[Any]] = workers_work._described

    def noted(*given: Any) -> Iterator[Any]:
        for outcome in described(*given):
            os.write(handle, f"{outcome.id}\n".encode())
            yield outcome

    workers_work._described = noted


if NOTED in os.environ:  # also where a worker's process imports this file as the first process's script
    note_what_is_described(os.environ[NOTED])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True, help="of images")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--index", default="starter", help="as the command's own (default: starter)")
    parser.add_argument("--option", action="append", default=[], help="another option of the command; repeat it")
    args = parser.parse_args()
    work = (args.work / "kills").resolve()
    shutil.rmtree(work, ignore_errors=True)
    given = work / "images"
    given.mkdir(parents=True)
    for image in sorted(args.folder.resolve().iterdir())[: args.images]:
        os.link(image, given / image.name)
    runs = Runs(given, work, ("--index", args.index, "--progress", "json", *FP32, *args.option))
    result = {"images": len(list(given.iterdir())), "index": args.index, "options": args.option, "seed": args.seed}
    result |= runs.killed(args.kills, random.Random(f"batch_kills/{args.seed}"))
    print(json.dumps(result, indent=1))
    print(save("batch_kills" if args.images >= 2000 else f"batch_kills_{args.images}", result))


class Runs:
    """The command over one input by one set of options."""

    def __init__(self, given: Path, work: Path, options: tuple[str, ...]) -> None:
        self._given, self._work, self._options = given, work, options

    def start(self, name: str) -> tuple[Command, Path]:
        """The command, into the folder `name`; and the file of what it says."""
        err = self._work / f"{name}-{len(list(self._work.glob(f'{name}-*.err'))):02d}.err"
        words = batch(self._given, self._work / name, *self._options)
        words[1:2] = [__file__, "noted"]
        return Command(words, err.with_suffix(".out"), err, {NOTED: str(self._work / f"{name}.noted")}), err

    def to_the_end(self, name: str) -> tuple[float, Path]:
        """Seconds of the command, let alone."""
        command, err = self.start(name)
        ended = command.end()
        if ended.code or lines_of(err)[-1]["left"]:
            raise SystemExit(f"{name} ended with {ended.code}: {said(err)[-3:]}")
        return ended.wall_s, err

    def killed(self, kills: int, rng: random.Random) -> dict[str, Any]:
        whole_s, err = self.to_the_end("whole")
        first = next(line["seconds"] for line in lines_of(err) if line["described"])
        start_s = first + whole_s - lines_of(err)[-1]["seconds"]
        longest_s = start_s + 2 * (whole_s - start_s) / (SLACK * kills)
        moments, folders = [], ["killed-1"]
        while len(moments) < kills:
            name, all_of_it = folders[-1], len(moments) % 2 == 0
            command, err = self.start(name)
            after_s = rng.uniform(0, longest_s)
            ended = command.wait(after_s)
            if ended is not None:
                if ended.code:
                    raise SystemExit(f"{name} ended with {ended.code}: {said(err)[-3:]}")
                folders.append(f"killed-{len(folders) + 1}")
                continue
            command.tell(signal.SIGKILL, all_of_it=all_of_it)
            command.end()
            done = max((line["described"] for line in lines_of(err)), default=None)
            moments.append({"after_s": round(after_s, 2), "all_processes": all_of_it, "described_when_killed": done})
            print(name, moments[-1], flush=True)
        if (self._work / folders[-1]).exists():
            self.to_the_end(folders[-1])
        else:
            folders.pop()
        said_of_damage = [line for name in folders for file in sorted(self._work.glob(f"{name}-*.err"))
                          for line in said(file) if "damaged" in line]  # fmt: skip
        return {
            "never_killed_s": round(whole_s, 1), "start_up_s": round(start_s, 1), "kills": moments,
            "shards_found_damaged": len(said_of_damage),
            "folders": {name: self.compared(name) for name in folders},
        }  # fmt: skip

    def compared(self, name: str) -> dict[str, Any]:
        """A folder beside the run never killed, and what was made twice on its way."""
        right, found = contents(self._work / "whole"), contents(self._work / name)
        texts = dict(right)
        noted = Counter((self._work / f"{name}.noted").read_text().split("\n")[:-1])
        return {
            "ids": len(found), "same ids, once each, in order": [id_ for id_, _ in found] == [id_ for id_, _ in right],
            "records equal": sum(texts.get(id_) == record for id_, record in found),
            "records that differ": [id_ for id_, record in found if texts.get(id_) != record][:5],
            "descriptions made": noted.total(), "of them made again": noted.total() - len(noted),
        }  # fmt: skip


def contents(folder: Path) -> list[tuple[str, str]]:
    """Ids and records of a folder's one run, in order, without the seconds."""
    (run,) = {file.parent for file in folder.glob("*/run.json")}
    found = []
    for row in read_run(run).descriptions():
        record = json.loads(row.record)
        del record["timings_s"]
        found.append((row.id, json.dumps(record, sort_keys=True)))
    return found


def noted() -> None:
    """The command line, with this script's wrapping."""
    from cli import program

    del sys.argv[1]
    sys.argv[0] = "cli.py"
    program()


if __name__ == "__main__":
    noted() if sys.argv[1:2] == ["noted"] else main()
