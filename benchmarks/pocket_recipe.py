"""How long each stage of the recipe took, by what `time python -m pocket.train` printed, and what the weights are worth
by `benchmarks/pocket.py --weights OUT --work WORK`, beside those committed:

    python benchmarks/pocket_recipe.py --run "two cores" cpu.log CPU/pocket.json --run "a GPU" gpu.log GPU/pocket.json

`--table NAME TABLE` puts weights beside them whose stages are not all of one run; a name given twice joins two tables.

The recipe takes long and runs on more than one kind of machine, so it is not started from here: each log is named with
the machine that it comes from. What the result held of other weights stays beside them; its versions are those of the
machine that this is run on last.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from machine import ROOT, save, saved

RESULT, FIGURES = "pocket_recipe", "figures, without and with evidence"
STAGES = ("features", "vision", "tokenizer", "language", "encoder", "generator")
Figure = list[float | None]
_TOOK = re.compile(r"^(\w+) took ([\d.]+) minutes$", re.MULTILINE)
_WHOLE = re.compile(r"^real\s+(\d+)m([\d.]+)s$", re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", nargs=3, metavar=("MACHINE", "LOG", "TABLE"), action="append", default=[])
    parser.add_argument("--table", nargs=2, metavar=("NAME", "TABLE"), action="append", default=[])
    args = parser.parse_args()
    files = [*(file for _, *several in args.run for file in several), *(table for _, table in args.table)]
    if missing := [file for file in files if not Path(file).is_file()]:
        parser.error(f"{missing[0]}: no such file")
    before = saved(RESULT)
    took: dict[str, dict[str, Any]] = before.get("minutes", {})
    tables = {**by_weights(before.get(FIGURES, {})), "committed": figures(ROOT / "benchmarks" / "pocket.json")}
    tables |= {name: {} for name, _ in args.table}
    for machine, log, table in args.run:
        try:
            took[machine] = minutes(Path(log).read_text(encoding="utf-8"))
        except ValueError as problem:
            parser.error(f"{log}: {problem}")
        tables[machine] = figures(Path(table))
    for name, table in args.table:
        tables[name].update(figures(Path(table)))
    results = {"minutes": took, FIGURES: side_by_side(tables)}
    print(json.dumps(results, indent=1))
    print(save(RESULT, results), file=sys.stderr)


def minutes(log: str) -> dict[str, Any]:
    """Minutes of each stage (the encoder's hold the grids too), their sum, and what each start of the command took.

    Raises ValueError where the log lacks a stage: the recipe did not come to its end.
    """
    took = {stage: float(value) for stage, value in _TOOK.findall(log)}
    if missing := [stage for stage in STAGES if stage not in took]:
        raise ValueError(f"no time of {', '.join(missing)} in the log")
    starts = [round(int(whole) + float(seconds) / 60, 1) for whole, seconds in _WHOLE.findall(log)]
    return {**took, "all stages": round(sum(took.values()), 1), "each start of the command": starts}


def figures(table: Path) -> dict[str, Figure]:
    """What a table says, by set and figure: without and with evidence."""
    rows = json.loads(table.read_text(encoding="utf-8"))["rows"]
    return {f"{row['set']}: {row['figure']}": [_value(row["without"]), _value(row["with_"])] for row in rows}


def by_weights(shown: Mapping[str, Mapping[str, Figure]]) -> dict[str, dict[str, Figure]]:
    """`side_by_side` turned round: each table's figures."""
    tables: dict[str, dict[str, Figure]] = {}
    for figure, beside in shown.items():
        for name, value in beside.items():
            tables.setdefault(name, {})[figure] = value
    return tables


def side_by_side(tables: Mapping[str, Mapping[str, Figure]]) -> dict[str, dict[str, Figure]]:
    """By figure of the committed weights, what each table says of it; what none of the others holds is left out."""
    beside = {
        figure: {name: table[figure] for name, table in tables.items() if figure in table}
        for figure in tables["committed"]
    }
    return {figure: several for figure, several in beside.items() if len(several) > 1}


def _value(cell: Mapping[str, float] | None) -> float | None:
    return None if cell is None else round(cell["value"], 3)


if __name__ == "__main__":
    main()
