"""How long each stage of the recipe took, by what `time python -m pocket.train` printed:

    python benchmarks/pocket_recipe.py --run "two cores" cpu.log --run "one H200, 16 cores" gpu.log

The recipe takes long and runs on more than one kind of machine, so it is not started from here: each log is named with
the machine that it comes from. The versions beside the result are those of the machine that this is run on.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from machine import save

STAGES = ("features", "vision", "tokenizer", "language", "encoder", "generator")
_TOOK = re.compile(r"^(\w+) took ([\d.]+) minutes$", re.MULTILINE)
_WHOLE = re.compile(r"^real\s+(\d+)m([\d.]+)s$", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", nargs=2, metavar=("MACHINE", "LOG"), action="append", required=True)
    results = {machine: minutes(Path(log).read_text(encoding="utf-8")) for machine, log in parser.parse_args().run}
    print(json.dumps(results, indent=1))
    print(save("pocket_recipe", {"minutes": results}), file=sys.stderr)


def minutes(log: str) -> dict[str, Any]:
    """Minutes of each stage (the encoder's hold the grids too), their sum, and what each start of the command took.

    Raises ValueError where the log lacks a stage: the recipe did not come to its end.
    """
    took = {stage: float(value) for stage, value in _TOOK.findall(log)}
    if missing := [stage for stage in STAGES if stage not in took]:
        raise ValueError(f"no time of {', '.join(missing)} in the log")
    starts = [round(int(whole) + float(seconds) / 60, 1) for whole, seconds in _WHOLE.findall(log)]
    return {**took, "all stages": round(sum(took.values()), 1), "each start of the command": starts}


if __name__ == "__main__":
    main()
