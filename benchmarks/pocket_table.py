"""A line of the table of issue 3, and how it is printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from benchmarks.reliability import Bin
from evaluation.statistics.intervals import Estimate

START, END = "<!-- the table of benchmarks/pocket.py -->", "<!-- end of the table -->"
_HEAD = ("set", "figure", "n", "without", "with", "bar (without; with)", "met", "foils", "note")


@dataclass(frozen=True)
class Bar:
    """What a figure must reach; its p, where it has one, must be below 0.05 too. `words` say what the limit is."""

    sign: Literal[">=", "<=", ">"]
    limit: float
    words: str = ""

    def met(self, estimate: Estimate) -> bool:
        value = estimate.value
        reached = {">=": value >= self.limit, "<=": value <= self.limit, ">": value > self.limit}[self.sign]
        return reached and (estimate.p is None or estimate.p < 0.05)

    def __str__(self) -> str:
        return f"{self.sign} {self.limit:.3g}" + (f" ({self.words})" if self.words else "")


@dataclass(frozen=True)
class Row:
    """One figure of one set, `without` evidence and `with` it; `foils` by name. `curves` are reliability diagrams."""

    set: str
    figure: str
    n: int
    without: Estimate | None = None
    with_: Estimate | None = None
    bar_without: Bar | None = None
    bar_with: Bar | None = None
    foils: Mapping[str, Estimate] = field(default_factory=dict)
    note: str = ""
    curves: Mapping[str, Sequence[Bin]] = field(default_factory=dict)

    @property
    def met(self) -> tuple[bool | None, bool | None]:
        """Whether each bar is met; None where there is no bar or no figure."""
        return _met(self.bar_without, self.without), _met(self.bar_with, self.with_)


def markdown(rows: Sequence[Row]) -> str:
    """The table, a line a figure."""
    lines = [_HEAD, ("---",) * len(_HEAD), *(_cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def fill(page: Path, table: str) -> None:
    """Puts the table between a page's two marks. Raises ValueError where it has none."""
    text = page.read_text(encoding="utf-8")
    if START not in text or END not in text:
        raise ValueError(f"{page} has no {START} and {END}")
    before, after = text.split(START, 1)[0], text.split(END, 1)[1]
    page.write_text(f"{before}{START}\n{table}\n{END}{after}", encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    bars = (row.bar_without, row.bar_with)
    return (
        row.set,
        row.figure,
        str(row.n),
        _value(row.without),
        _value(row.with_),
        "; ".join(str(bar) if bar else "print" for bar in bars) if any(bars) else "print",
        "; ".join({True: "**yes**", False: "no", None: "-"}[met] for met in row.met) if any(bars) else "-",
        ", ".join(f"{name} {_short(foil)}" for name, foil in row.foils.items()) or "-",
        row.note or "-",
    )


def _met(bar: Bar | None, estimate: Estimate | None) -> bool | None:
    return None if bar is None or estimate is None else bar.met(estimate)


def _value(estimate: Estimate | None) -> str:
    if estimate is None:
        return "-"
    ends = "" if estimate.low is None else f" [{estimate.low:.3f}, {estimate.high:.3f}]"
    p = "" if estimate.p is None else f", p = {estimate.p:.2g}"
    return (
        _short(estimate).replace(" (", f"{ends} (", 1) + p
        if estimate.plain is not None
        else _short(estimate) + ends + p
    )


def _short(estimate: Estimate) -> str:
    plain = "" if estimate.plain is None else f" (plain {estimate.plain:.3f})"
    return f"{estimate.value:.3f}{plain}"
