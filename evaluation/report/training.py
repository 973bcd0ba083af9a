"""The report of a training: its loss by step, from logs in CSV or JSONL."""

from __future__ import annotations

import csv
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from evaluation.charts import Curve, Curves
from evaluation.errors import ReportError
from evaluation.report.document import Block, Cell, Column, Document, Group, Line, Plot, Section, Table
from evaluation.report.words import counted, listed, number
from evaluation.statistics.intervals import Numbers

STEP = "step"
BESIDE = ("samples", "epoch", "learning_rate", "lr", "grad_norm", "seconds", "time_s", "tokens")
"""Columns that are no losses: they are not drawn."""

POINTS = 300
"""Of a curve: of more steps the means of as many bins are drawn."""

MOST_SAID = 3
"""Losses that the summary tells of."""

SUFFIXES = (".csv", ".jsonl")


@dataclass(frozen=True)
class Log:
    """Columns of numbers by name, each `(n,)`; NaN where a line has none, or none that is finite.

    `broken` is by column the steps at which it was nan or infinite, as in a training that diverged.
    """

    columns: Mapping[str, Numbers]
    broken: Mapping[str, Sequence[float]]

    @property
    def steps(self) -> int:
        """How many were logged."""
        return len(self.columns[STEP])

    @property
    def losses(self) -> list[str]:
        """The columns that are drawn: those of losses that have a value."""
        return [name for name in self.columns if name not in (STEP, *BESIDE) and len(self.known(name)[1])]

    def known(self, loss: str) -> tuple[Numbers, Numbers]:
        """Steps and values where both are known."""
        steps, values = self.columns[STEP], self.columns[loss]
        known = ~np.isnan(values) & ~np.isnan(steps)
        return steps[known], values[known]


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
    alike = Counter(file.stem for file in files)
    named = {file.name if alike[file.stem] > 1 else file.stem: file for file in files}
    logs = {name: read_log(file) for name, file in named.items()}
    said, broken = [], []
    for log, read in logs.items():
        for loss in read.losses:
            _, values = read.known(loss)
            ends = f"{number(values[0])} to {number(values[-1])}, lowest {number(values.min())}"
            said.append(f"{log}: {loss} from {ends}.")
        for column, steps in read.broken.items():
            times = f"{number(len(steps), 0)} of {counted(read.steps, 'logged step')}"
            broken.append(f"{log}: {column} is nan or infinite in {times}, first at step {steps[0]:g}.")
    return Document(
        kind="training",
        title=f"Training {name}",
        about=f"{counted(len(logs), 'log')}: {', '.join(file.name for file in files)}.",
        summary=[
            f"{counted(len(logs), 'log')} of training.",
            *(said if len(said) <= MOST_SAID else ["First, last and lowest of each are below."]),
            *broken,
        ],
        sections=[Section(log, _blocks(log, read)) for log, read in logs.items()],
        recipe={"logs": {file.name: logs[name].steps for name, file in named.items()}},
        unmeasured={
            "how good the model is": "a loss on the training data says how well it fits that; describe and score a set "
            "with the model: python cli.py evaluate run"
        },
    )


def read_log(file: Path) -> Log:
    """A log; columns of text are left out. Raises ReportError."""
    try:
        with file.open(encoding="utf-8", newline="") as lines:
            rows = (
                [*csv.DictReader(lines)]
                if file.suffix == ".csv"
                else [json.loads(line) for line in lines if line.strip()]
            )
        names = list(dict.fromkeys(name for row in rows for name in row))
        table = {name: np.asarray([_number(row.get(name)) for row in rows]) for name in names if name}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise ReportError(f"{file} cannot be read as a training log: {error}") from error
    known = {name: np.where(np.isinf(values), np.nan, values) for name, values in table.items()}
    log = Log({name: values for name, values in known.items() if not np.isnan(values).all()}, {})
    if STEP not in log.columns:
        raise ReportError(f"{file} is no training log: it needs a column `{STEP}` and a loss, as `step,loss`")
    broken = {name: log.columns[STEP][np.isinf(table[name])].tolist() for name in table if np.isinf(table[name]).any()}
    if not log.losses:
        why = f"{listed(list(broken))} is nan or infinite in all steps" if broken else "it needs a loss, as `step,loss`"
        raise ReportError(f"{file} has nothing to draw: {why}")
    return replace(log, broken=broken)


def _number(value: object) -> float:
    """NaN where there is none, infinite where it is no finite one."""
    if value is None or isinstance(value, bool | list | dict):
        return math.nan
    try:
        found = float(str(value))
    except ValueError:
        return math.nan
    return found if math.isfinite(found) else math.inf


def _blocks(log: str, read: Log) -> list[Block]:
    """A plot for all losses of about the same size, and one for each that is far larger; a table of both ends."""
    losses = read.losses
    sizes = {name: float(np.median(np.abs(read.known(name)[1]))) for name in losses}
    together = [name for name in losses if sizes[name] <= 10 * max(min(sizes.values()), 1e-9)]
    alone = [[name] for name in losses if name not in together]
    plots: list[Block] = []
    for names in [together, *alone]:
        drawn, binned = zip(*(_curve(name, read) for name in names), strict=True)
        note = f"Means of bins of {max(binned)} logged steps." if max(binned) > 1 else "Every logged step."
        title = f"{log}: {', '.join(names)}" if len(names) <= 3 else f"{log}: {len(names)} losses"
        plots.append(Plot(title, Curves(drawn, STEP, names[0] if len(names) == 1 else "loss", zero=False), note))
    lines = []
    for name in losses:
        steps, values = read.known(name)
        cells: list[Cell] = [float(values[0]), float(values[-1]), float(values.min()), int(steps[values.argmin()])]
        cells += [len(read.broken.get(name, ()))] if read.broken else []
        lines.append(Line(name, cells))
    heads = [Column("first", 4), Column("last", 4), Column("lowest", 4), Column("at step")]
    heads += [Column("steps nan or infinite")] if read.broken else []
    note = "First, last and lowest are of the finite values." if read.broken else ""
    return [*plots, Table(f"{log}: {read.steps} logged steps", "loss", heads, [Group(lines)], note)]


def _curve(name: str, read: Log) -> tuple[Curve, int]:
    """At most POINTS points, and how many steps each is the mean of."""
    x, y = read.known(name)
    each = math.ceil(len(x) / POINTS)
    if each > 1:
        bins = [slice(start, start + each) for start in range(0, len(x), each)]
        x, y = (np.asarray([values[one].mean() for one in bins]) for values in (x, y))
    return Curve(name, x, y), each
