"""The report of a training: its loss by step, from logs in CSV or JSONL."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from evaluation.charts import Curve, Curves
from evaluation.errors import ReportError
from evaluation.report.document import Block, Cell, Column, Document, Group, Line, Plot, Section, Table
from evaluation.report.words import counted, number
from evaluation.statistics.intervals import Numbers

STEP = "step"
BESIDE = ("samples", "epoch", "learning_rate", "lr", "seconds", "time_s", "tokens")
"""Columns that are no losses: they are not drawn."""

POINTS = 300
"""Of a curve: of more steps the means of as many bins are drawn."""

MOST_SAID = 3
"""Losses that the summary tells of."""

SUFFIXES = (".csv", ".jsonl")


def is_log(file: Path) -> bool:
    """Whether a file has steps and something by step: told from its first line."""
    if file.suffix not in SUFFIXES:
        return False
    try:
        with file.open(encoding="utf-8") as lines:
            first = lines.readline(100_000)
        names = next(csv.reader([first]), []) if file.suffix == ".csv" else list(json.loads(first or "{}"))
    except (OSError, ValueError, TypeError):
        return False
    return STEP in names and any(name not in (STEP, *BESIDE) for name in names)


def training_document(files: Sequence[Path], name: str) -> Document:
    """Of the logs of one training or several. Raises ReportError for a line that cannot be read."""
    logs = {file.stem: read_log(file) for file in files}
    sections = [Section(log, _blocks(log, columns)) for log, columns in logs.items()]
    said = []
    for log, columns in logs.items():
        for loss in _losses(columns):
            values = columns[loss][~np.isnan(columns[loss])]
            said.append(
                f"{log}: {loss} from {number(values[0])} to {number(values[-1])}, lowest {number(values.min())}."
            )
    return Document(
        kind="training",
        title=f"Training {name}",
        about=f"{counted(len(logs), 'log')}: {', '.join(file.name for file in files)}.",
        summary=[
            f"{counted(len(logs), 'log')} of training.",
            *(said if len(said) <= MOST_SAID else ["First, last and lowest of each are below."]),
        ],
        sections=sections,
        recipe={"logs": {file.name: len(logs[file.stem][STEP]) for file in files}},
        unmeasured={
            "how good the model is": "a loss on the training data says how well it fits that; describe and score a set "
            "with the model: python cli.py evaluate run"
        },
    )


def read_log(file: Path) -> dict[str, Numbers]:
    """Columns of numbers by name, NaN where a line has none; text columns are left out. Raises ReportError."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = (
                [*csv.DictReader(lines)]
                if file.suffix == ".csv"
                else [json.loads(line) for line in lines if line.strip()]
            )
        names = list(dict.fromkeys(name for row in rows for name in row))
        table = {name: np.asarray([_number(row.get(name)) for row in rows]) for name in names}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ReportError(f"{file} cannot be read as a training log: {error}") from error
    kept = {name: values for name, values in table.items() if not np.isnan(values).all()}
    if STEP not in kept or not _losses(kept):
        raise ReportError(f"{file} is no training log: it needs a column `{STEP}` and a loss, as `step,loss`")
    return kept


def _number(value: object) -> float:
    if value is None or isinstance(value, bool | list | dict):
        return math.nan
    try:
        found = float(str(value))
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.nan


def _losses(columns: Mapping[str, Numbers]) -> list[str]:
    return [name for name in columns if name not in (STEP, *BESIDE)]


def _blocks(log: str, columns: Mapping[str, Numbers]) -> list[Block]:
    """A plot for all losses of about the same size, and one for each that is far larger; a table of both ends."""
    losses = _losses(columns)
    sizes = {name: float(np.nanmedian(np.abs(columns[name]))) for name in losses}
    together = [name for name in losses if sizes[name] <= 10 * max(min(sizes.values()), 1e-9)]
    alone = [[name] for name in losses if name not in together]
    plots: list[Block] = []
    for names in [together, *alone]:
        drawn, binned = zip(*(_curve(name, columns) for name in names), strict=True)
        note = f"Means of bins of {max(binned)} logged steps." if max(binned) > 1 else "Every logged step."
        title = f"{log}: {', '.join(names)}" if len(names) <= 3 else f"{log}: {len(names)} losses"
        plots.append(Plot(title, Curves(drawn, STEP, names[0] if len(names) == 1 else "loss", zero=False), note))
    lines = []
    for name in losses:
        known = ~np.isnan(columns[name])
        values, steps = columns[name][known], columns[STEP][known]
        cells: list[Cell] = [float(values[0]), float(values[-1]), float(values.min()), int(steps[values.argmin()])]
        lines.append(Line(name, cells))
    heads = [Column("first", 4), Column("last", 4), Column("lowest", 4), Column("at step")]
    return [*plots, Table(f"{log}: {len(columns[STEP])} logged steps", "loss", heads, [Group(lines)])]


def _curve(name: str, columns: Mapping[str, Numbers]) -> tuple[Curve, int]:
    """At most POINTS points, and how many steps each is the mean of."""
    known = ~np.isnan(columns[name]) & ~np.isnan(columns[STEP])
    x, y = columns[STEP][known], columns[name][known]
    each = math.ceil(len(x) / POINTS)
    if each > 1:
        bins = [slice(start, start + each) for start in range(0, len(x), each)]
        x, y = (np.asarray([values[one].mean() for one in bins]) for values in (x, y))
    return Curve(name, x, y), each
