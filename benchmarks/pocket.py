"""The embedded models against the table of issue 3, through the house: every figure, its interval, its foils.

    python benchmarks/pocket.py --data ../shared/data --work .scratch/bench
    python benchmarks/pocket.py --data ../shared/data --work .scratch/bench --only bccd,wbc --most 40 --split dev

"With" has retrieval over the set's own train split (blank, noise and unrelated images: over a copy of the starter
set), "without" is `--no-rag`; all else is what a user gets by default. What a text says is read from it by
`pocket_words.py`; both or none counts as wrong. Class figures are means over classes, plain accuracy in brackets;
intervals are 95 % bootstrap by article (`intervals.py`). Foils (`foils.py`) see the encoder's vectors of the same
train split. A full run writes `pocket.json`, `pocket_reliability.png` and the table of
`pocket/README.md`; any other leaves the first two in the work folder.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

from machine import ROOT, save

from benchmarks import reliability
from benchmarks.pocket_bench import Bench
from benchmarks.pocket_conduct import CALIBRATION, calibration, misled, speed, unrelated
from benchmarks.pocket_house import WEIGHTS, House, folder, tell, weights
from benchmarks.pocket_microscopy import bccd, dsb2018, wbc
from benchmarks.pocket_radiology import medpix, vqa_rad
from benchmarks.pocket_table import Row, fill, markdown

SECTIONS: dict[str, Callable[[Bench], list[Row]]] = {
    "bccd": bccd,
    "dsb2018": dsb2018,
    "vqa_rad": vqa_rad,
    "medpix": medpix,
    "wbc": wbc,
    "unrelated": unrelated,
    "misled": misled,
    "calibration": calibration,
    "speed": speed,
}
SETS: dict[str, tuple[str, ...]] = {
    "unrelated": (),
    "misled": ("bccd", "dsb2018", "medpix"),
    "calibration": ("bccd", "vqa_rad"),
    "speed": ("medpix",),
}
"""The sets that a section needs which is not called by its own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=folder, required=True, help="folder of the data sets")
    parser.add_argument("--most", type=int, help="images a set, drawn by a fixed seed (default: all)")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, with commas between (default: all)")
    parser.add_argument("--split", default="test", help="splits of bccd: test, dev, or dev,test")
    parser.add_argument("--weights", type=weights, default=WEIGHTS, help="folder with clip and vlm")
    parser.add_argument("--k", type=int, help="how many examples are retrieved (default: as the settings say)")
    parser.add_argument("--work", type=Path, help="keep indexes, vectors and texts here, for a quick second run")
    args = parser.parse_args()
    names = args.only.split(",")
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"--only {sorted(unknown)[0]}: the sections are {', '.join(SECTIONS)}")
    sets = sorted({each for name in names for each in SETS.get(name, (name,))})
    if missing := [args.data / each for each in sets if not (args.data / each).is_dir()]:
        parser.error(f"{missing[0]}: no such folder")
    with tempfile.TemporaryDirectory(prefix="pocket-bench-") as temporary:
        work = args.work or Path(temporary)
        bench = Bench(House(args.weights, work, args.k), args.data, args.most, tuple(args.split.split(",")))
        rows, seconds = measure(bench, names)
        print(markdown(rows))
        full = args == parser.parse_args(["--data", str(args.data), *(["--work", str(args.work)] if args.work else [])])
        run = {"models": bench.house.models, "k": args.k or "default", "most": args.most, "split": args.split}
        write(rows, {**run, "seconds": seconds}, None if full else work)


def measure(bench: Bench, names: Sequence[str]) -> tuple[list[Row], dict[str, float]]:
    """The rows of these sections, and the wall seconds of each."""
    rows: list[Row] = []
    seconds: dict[str, float] = {}
    for name in names:
        started = perf_counter()
        rows += SECTIONS[name](bench)
        seconds[name] = round(perf_counter() - started, 1)
        tell(f"{name}: {seconds[name]} s")
    return rows, seconds


def write(rows: Sequence[Row], run: Mapping[str, Any], work: Path | None) -> None:
    """The result files: in `benchmarks/`, or in the work folder where not all was run. `run` is the recipe's rest."""
    results = {
        **run,
        "threads": os.environ.get("OMP_NUM_THREADS", "all"),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "rows": [{**asdict(row), "met": row.met} for row in rows],
    }
    if work is None:
        tell(str(save("pocket", results)))
        fill(ROOT / "pocket" / "README.md", markdown(rows))
    else:
        (work / "pocket.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        tell(f"{work}/pocket.json; benchmarks/pocket.json is left as it is: not all was run as by default")
    curves = {f"{row.figure.removeprefix(CALIBRATION)}, {n}": bins for row in rows for n, bins in row.curves.items()}
    if curves:
        reliability.draw(curves, (work or ROOT / "benchmarks") / "pocket_reliability.png")


if __name__ == "__main__":
    main()
