"""How much `batch` costs beside the work itself, and how it stands beside what people write first.

    python benchmarks/batch.py --work .scratch/scale --images 2000 --rounds 3

One run on the same images (drawings of `scale_images.py`, unless `--folder` has others) and pocket:

- `over_cpu`: the real command over all images with evidence from `--index`: seconds by the clock over (seconds of CPU
  of all its processes / cores), whole, and from the first line of `--progress json` that tells of a described image on
  ("settled"; what the processes had used by then is read from the system).
- `images_per_s`: in each of `--rounds` rounds, one after the other, over the first `--peer-images`: `batch` (the
  command, into an empty folder, with evidence), the quick-start loop, transformers' pipeline, a plain Ray Data script
  (all three: `peers/captions.py`, no evidence, the model loaded before their clock starts, as many new tokens as the
  batch's records have). `batch` is told settled and, against peers that have loaded already, whole. Ratios are medians
  over the rounds.
- `with_server`: the command with `--model server` over a stand-in (`batch_server.py`) of 8 places and 1 s an answer,
  over the time of a bare client that sends the very same requests, each place always full. "generating" is from the
  first request at the server to its last answer; "whole" is the command, imports and all.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from batch_server import Server, fastest, kept
from batch_steps import Command, Ended, batch, lines_of, said
from machine import ROOT, save
from scale_images import DRAWINGS, _drawn, _variant

from batch.run_folder import read_run
from vlm import load_model_config

PEERS = ("loop", "pipeline", "ray")
PLACES, ANSWER_S = 8, 1.0
"""8 answers a second, as a GPU gives with a small model: two cores, which also embed and search, can feed it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--folder", type=Path, help="of images; else they are drawn in WORK")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--peer-images", type=int, default=256, help="of each round (default: 256)")
    parser.add_argument("--server-images", type=int, default=480, help="described by a server (default: 480)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--index", default="starter", help="as the command's own (default: starter)")
    parser.add_argument("--skip", action="append", default=[], choices=("cpu", "peers", "server"))
    args = parser.parse_args()
    work = (args.work / "batch").resolve()
    work.mkdir(parents=True, exist_ok=True)
    images = sorted((args.folder or drawn(args.work, args.images)).resolve().iterdir())[: args.images]
    index = ("--index", args.index)
    result: dict[str, Any] = {"images": len(images), "index": args.index, "load_average_before": os.getloadavg()[0]}
    if "cpu" not in args.skip:
        result["over_cpu"] = over_cpu(linked(images, work / "all"), work, index)
        print(json.dumps(result), flush=True)
    if "peers" not in args.skip:
        result |= beside_peers(images[: args.peer_images], work, index, args.rounds)
        print(json.dumps(result), flush=True)
    if "server" not in args.skip:
        result["with_server"] = with_server(images[: args.server_images], work, index, args.rounds)
    result["load_average_after"] = os.getloadavg()[0]
    print(json.dumps(result, indent=1))
    print(save("batch" if args.images >= 2000 else f"batch_{args.images}", result))


def drawn(work: Path, count: int) -> Path:
    """A folder of so many drawings, each in a crop and a light of its own; drawn where it is not there yet."""
    folder, drawings = work / f"images-{count}", work / "drawings"
    drawings.mkdir(parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)
    for number in range(min(count, DRAWINGS)):
        if not (drawings / f"{number:04d}.png").exists():
            _drawn(number, drawings)
    for number in range(count):
        if not (file := folder / f"{number:06d}.jpg").exists():
            file.write_bytes(_variant(drawings, number))
    return folder


def linked(images: list[Path], folder: Path) -> Path:
    """A folder of these and no others."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for image in images:
        os.link(image, folder / image.name)
    return folder


@dataclass(frozen=True)
class Measured:
    """A run of the command: its end; when it had described so many first, and the CPU that was used by then."""

    ended: Ended
    first_s: float
    first_cpu_s: float
    first_done: int
    done: int

    @property
    def over_cpu(self) -> float:
        return self.ended.wall_s / (self.ended.cpu_s / cores())

    @property
    def settled_over_cpu(self) -> float:
        return (self.ended.wall_s - self.first_s) / ((self.ended.cpu_s - self.first_cpu_s) / cores())

    @property
    def per_s(self) -> float:
        return self.done / self.ended.wall_s

    @property
    def settled_per_s(self) -> float:
        return (self.done - self.first_done) / (self.ended.wall_s - self.first_s)


def measured(given: Path, work: Path, out: Path, *options: str) -> Measured:
    """Runs the command into an empty folder."""
    shutil.rmtree(out, ignore_errors=True)
    err = work / f"{out.name}.err"
    command = Command(batch(given, out, "--progress", "json", *options), err.with_suffix(".out"), err)
    first: dict[str, Any] | None = None
    first_s = first_cpu_s = 0.0
    while command.poll() is None:
        if first is None and (first := next((line for line in lines_of(err) if line["described"]), None)):
            first_s, first_cpu_s = command.seconds, cpu_of(command.pid)
        time.sleep(0.05)
    ended, lines = command.end(), lines_of(err)
    if ended.code or first is None or lines[-1]["left"]:
        raise SystemExit(f"{out.name} ended with {ended.code}: {said(err)[-3:]}")
    return Measured(ended, first_s, first_cpu_s, first["described"], lines[-1]["described"])


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process and those below it have used by now."""
    seconds = 0.0
    with suppress(psutil.Error):
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            with suppress(psutil.Error):
                times = process.cpu_times()
                seconds += times.user + times.system
    return seconds


def cores() -> int:
    return len(os.sched_getaffinity(0))


def over_cpu(given: Path, work: Path, index: tuple[str, ...]) -> dict[str, Any]:
    found = measured(given, work, work / "out-all", *index)
    return {
        "wall_s": round(found.ended.wall_s, 2), "cpu_s": round(found.ended.cpu_s, 2), "cores": cores(),
        "whole": round(found.over_cpu, 3), "settled": round(found.settled_over_cpu, 3),
        "settled_after_s": round(found.first_s, 2),
        "images_per_s": {"whole": round(found.per_s, 2), "settled": round(found.settled_per_s, 2)},
    }  # fmt: skip


def beside_peers(images: list[Path], work: Path, index: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """Rates of each way in each round, and how many times as fast `batch` is."""
    given, listed = linked(images, work / "few"), work / "wanted.json"
    rates: dict[str, list[float]] = {}
    tokens: dict[str, int] = {}
    missing: dict[str, str] = {}
    for _ in range(rounds):
        ours = measured(given, work, work / "out-few", *index)
        wanted = [(row.image, json.loads(row.record)["tokens"]["new"])
                  for row in read_run(work / "out-few").descriptions()]  # fmt: skip
        tokens["batch"] = sum(count for _, count in wanted)
        listed.write_text(json.dumps([(str(given / Path(image).name), count) for image, count in wanted]))
        rates.setdefault("batch, settled", []).append(ours.settled_per_s)
        rates.setdefault("batch, whole", []).append(ours.per_s)
        for way in PEERS:
            if way in missing:
                continue
            told = peer(way, listed)
            if isinstance(told, str):
                missing[way] = told
                continue
            tokens[way] = told["new_tokens"]
            rates.setdefault(way, []).append(len(wanted) / told["seconds"])
            rates.setdefault(f"{way}, with its start", []).append(len(wanted) / told["with_start_s"])
    return {
        "peer_images": len(images), "rounds": rounds, "new_tokens": tokens, "not_measured": missing,
        "images_per_s": {way: [round(rate, 2) for rate in several] for way, several in rates.items()},
        "times_as_fast": {
            way: {ours: ratio(rates[ours], rates[way]) for ours in rates if ours.startswith("batch")}
            for way in rates if not way.startswith("batch")
        },
    }  # fmt: skip


def peer(way: str, listed: Path) -> dict[str, Any] | str:
    """What one of `peers/captions.py` told, or why there is nothing."""
    folder = str((ROOT / str(load_model_config("pocket").path)).resolve())
    words = [sys.executable, str(ROOT / "benchmarks" / "peers" / "captions.py"), way, folder, str(listed)]
    done = subprocess.run(words, cwd=listed.parent, capture_output=True, text=True)
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:300]
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def ratio(faster: list[float], slower: list[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(faster, slower, strict=True)), 3)


def with_server(images: list[Path], work: Path, index: tuple[str, ...], rounds: int) -> dict[str, Any]:
    """Seconds of the command beside the bare client's, on the requests that the command itself sent."""
    given, requests = linked(images, work / "asked"), work / "requests.bin"
    requests.unlink(missing_ok=True)
    with Server(PLACES, ANSWER_S, keep=requests) as server:
        measured(given, work, work / "out-server", *index, *asks(server))
    bodies = kept(requests)
    alone, whole, generating = [], [], []
    with Server(PLACES, ANSWER_S) as server:
        for _ in range(rounds):
            alone.append(fastest(server.port, bodies, PLACES))
            server.seen()
            whole.append(measured(given, work, work / "out-server", *index, *asks(server)).ended.wall_s)
            seen = server.seen()
            generating.append(seen["last"] - seen["first"])
    requests.unlink()
    return {
        "images": len(images), "requests": len(bodies), "places": PLACES, "answer_s": ANSWER_S,
        "mib_sent": round(sum(map(len, bodies)) / 2**20, 1),
        "seconds": {
            name: [round(s, 2) for s in several]
            for name, several in (("alone", alone), ("whole", whole), ("generating", generating))
        },
        "whole_over_alone": ratio(whole, alone), "generating_over_alone": ratio(generating, alone),
    }  # fmt: skip


def asks(server: Server) -> tuple[str, ...]:
    return "--model", "server", "--set", f"model.url={server.url}"


if __name__ == "__main__":
    main()
