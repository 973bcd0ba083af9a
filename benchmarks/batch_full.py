"""All of ROCOv2 in number and layout through `batch`, in as many parts as it takes: its rate and memory all the way.

    python benchmarks/batch_full.py --work .scratch/scale --index starter --minutes 30    # again and again until done
    python benchmarks/batch_full.py --work .scratch/scale --index starter --parts 99      # or all parts at once

The images are those of `scale_images.py`, drawn first where `--work` has none (some 20 minutes); the model is pocket,
evidence comes from `--index` (`starter` is one that anybody can build: the command does it at first use). A part is the
command with `--progress json`, sent SIGINT after `--minutes`; this script, too, may be ended at any time and run again.
Parts lie in WORK/batch-N: what each told and how it ended; the results are read from there alone. When nothing is left
the command is run three times more, which is how long it takes to find that out. Then the figures are written, and a
plot of them.

Memory is the sum over the processes of what is resident, as the lines tell it: pages that two share count twice, so it
is an upper bound. "At 5,000" is the median over the lines of a part from its 5,000th image on (`NEAR` images of them),
"at the end" the median over its last `NEAR`; parts are new processes, so that growth is told of each by itself, and of
the first part's 5,000 beside the last line of all. Seconds are those of the clock, start-ups included.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import batch_steps
from batch_steps import Command, batch, lines_of
from machine import ROOT, save
from scale_images import SPLITS, draw

ALL = sum(SPLITS.values())
SETTLED, NEAR = 5_000, 1_000
POINTS = 200
TIMES = 3
"""How often a run with nothing left to do is timed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, default=ALL, help=f"how many (default: {ALL})")
    parser.add_argument("--minutes", type=float, default=30, help="of a part (default: 30)")
    parser.add_argument("--parts", type=int, default=1, help="at most so many now (default: 1)")
    parser.add_argument("--index", default="starter", help="as the command's own option (default: starter)")
    parser.add_argument("--option", action="append", default=[], help="another option of the command; repeat it")
    args = parser.parse_args()
    images, parts = (args.work / f"{name}-{args.images}" for name in ("rocov2", "batch"))
    draw(images, args.work / "drawings", args.images)
    parts.mkdir(exist_ok=True)
    options = ("--index", args.index, "--progress", "json", *args.option)
    words = batch(images.resolve(), (parts / "out").resolve(), *options)
    for _ in range(args.parts):
        if run_part(words, parts, 60 * args.minutes):
            break
    else:
        print("not done yet: run this again")
        return
    done = figures(read_parts(parts))
    done["nothing_left_to_do_s"] = [run_again(words, parts) for _ in range(TIMES)]
    done["ledger"] = ledger(parts / "out")
    name = "batch_full" if args.images == ALL else f"batch_full_{args.images}"
    result = {"index": args.index, "options": args.option, "minutes_a_part": args.minutes, **done}
    print(json.dumps({key: value for key, value in result.items() if key != "curve"}, indent=1))
    plot(done["curve"], ROOT / "benchmarks" / f"{name}.png")
    print(save(name, result))


def run_part(words: list[str], parts: Path, seconds: float) -> bool:
    """One part; whether nothing is left after it."""
    number = len(list(parts.glob("part-*.err"))) + 1
    err = parts / f"part-{number:03d}.err"
    command = Command(words, err.with_suffix(".out"), err)
    print(f"part {number}: process {command.pid}, told in {err}", flush=True)
    try:
        ended = command.wait(seconds)
    except KeyboardInterrupt:
        ended = None
    if ended is None:
        command.tell(signal.SIGINT)
        ended = command.end()
    lines = lines_of(err)
    if not lines or ended.code not in (0, 1):
        raise SystemExit(f"part {number} ended with {ended.code}: {' '.join(batch_steps.said(err)[-3:])}")
    told = {"code": ended.code, "wall_s": round(ended.wall_s, 2), "cpu_s": round(ended.cpu_s, 2)}
    err.with_suffix(".json").write_text(json.dumps(told) + "\n")
    print(f"part {number}: {told}, {lines[-1]}", flush=True)
    return bool(lines[-1]["left"] == 0)


def run_again(words: list[str], parts: Path) -> float:
    """Seconds of the command when there is nothing to do."""
    err = parts / "again.err"
    ended = Command(words, err.with_suffix(".out"), err).end()
    if ended.code not in (0, 1) or lines_of(err)[-1]["left"]:
        raise SystemExit(f"the last run ended with {ended.code}: {batch_steps.said(err)}")
    return round(ended.wall_s, 2)


@dataclass(frozen=True)
class Part:
    """What one part told, and how it ended; nothing of its end where this script or the machine ended with it."""

    lines: list[dict[str, Any]]
    ended: dict[str, float]

    @property
    def wall_s(self) -> float:
        return self.ended.get("wall_s", self.lines[-1]["seconds"])

    def done(self, line: dict[str, Any]) -> int:
        """How many images of this part are done by a line."""
        first = self.lines[0]
        return int(line["described"] + line["failed"] - first["described"] - first["failed"])

    def memory(self, first: int, last: int) -> float | None:
        """The median over the lines from an image of this part to another, in MiB; None where there is no line."""
        found = [sum(line["memory_mib"]) for line in self.lines[1:] if first <= self.done(line) <= last]
        return statistics.median(found) if found else None


def read_parts(parts: Path) -> list[Part]:
    """In their order, those that described something."""
    found = []
    for err in sorted(parts.glob("part-*.err")):
        ended = err.with_suffix(".json")
        part = Part(lines_of(err), json.loads(ended.read_text()) if ended.exists() else {})
        if part.lines and part.done(part.lines[-1]):
            found.append(part)
    return found


def figures(parts: list[Part]) -> dict[str, Any]:
    """Counts, rate, memory and the curve."""
    last = parts[-1].lines[-1]
    done = sum(part.done(part.lines[-1]) for part in parts)
    seconds = sum(part.wall_s for part in parts)
    cpu = [part.ended["cpu_s"] for part in parts if "cpu_s" in part.ended]
    by_part = []
    for part in parts:
        count = part.done(part.lines[-1])
        early, late = part.memory(SETTLED, SETTLED + NEAR), part.memory(max(SETTLED, count - NEAR), count)
        by_part.append({
            "images": count, "seconds": round(part.wall_s, 1), "images_per_s": round(count / part.wall_s, 2),
            "mib_at_5000": early, "mib_at_the_end": late,
            "mib_grown": None if early is None or late is None else late - early,
            "mib_most": max(sum(line["memory_mib"]) for line in part.lines),
        })  # fmt: skip
    grown = [part["mib_grown"] for part in by_part if part["mib_grown"] is not None]
    first, final = by_part[0]["mib_at_5000"], by_part[-1]["mib_at_the_end"]
    return {
        "images": last["total"], "described": last["described"], "failed": last["failed"], "parts": len(parts),
        "seconds": round(seconds, 1), "images_per_s": round(done / seconds, 2),
        "cpu_seconds": round(sum(cpu), 1), "parts_whose_cpu_is_known": len(cpu),
        "mib_grown_from_5000_to_the_end": {
            "most in a part": max(grown, default=None),
            "first part's 5000 to the last part's end": None if first is None or final is None else final - first,
        },
        "by_part": by_part,
        "curve": curve(parts),
    }  # fmt: skip


def curve(parts: list[Part]) -> list[dict[str, float]]:
    """Some 200 points: images done, hours worked, images a second since the point before (of its part), MiB."""
    total = max(len([line for part in parts for line in part.lines]), 1)
    points, before_s = [], 0.0
    for number, part in enumerate(parts, 1):
        since = part.lines[0]
        for place, line in enumerate(part.lines[1:], 1):
            if place % max(1, total // POINTS) and place < len(part.lines) - 1:
                continue
            seconds = line["seconds"] - since["seconds"]
            if seconds <= 0:
                continue
            points.append({
                "part": number,
                "done": line["described"] + line["failed"],
                "hours": round((before_s + line["seconds"]) / 3600, 4),
                "images_per_s": round((part.done(line) - part.done(since)) / seconds, 2),
                "mib": sum(line["memory_mib"]),
            })  # fmt: skip
            since = line
        before_s += part.wall_s
    return points


def ledger(out: Path) -> dict[str, Any]:
    """The run's summary.json, without what names this machine's folders."""
    run = (out / "current").read_text().strip()
    told: dict[str, Any] = json.loads((out / run / "summary.json").read_text(encoding="utf-8"))
    sessions = [{key: value for key, value in session.items() if key != "command"} for session in told.pop("sessions")]
    del told["input"]
    return {**told, "sessions": sessions}


def plot(points: list[dict[str, float]], path: Path) -> None:
    """Rate and memory over the images done, as a PNG; a line where a part begins."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 1, sharex=True, figsize=(8, 5), layout="constrained")
    done = [point["done"] for point in points]
    for axis, key, label in zip(axes, ("images_per_s", "mib"), ("images a second", "resident, MiB"), strict=True):
        values = [point[key] for point in points]
        axis.plot(done, values, linewidth=1)
        axis.set_ylim(0, 1.1 * max(values))
        axis.set_ylabel(label)
        for before, after in pairwise(points):
            if after["part"] != before["part"]:
                axis.axvline(before["done"], color="0.7", linewidth=0.8, linestyle=":")
    axes[1].set_xlabel("images done (dotted: stopped and begun again)")
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
