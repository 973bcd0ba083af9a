"""Figures with their intervals, one a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.charts.drawing import Rows
from evaluation.statistics.intervals import Estimate


@dataclass(frozen=True)
class Mark:
    """A row: a figure as a shape (one of SHAPES), its interval as a line. None where there is no figure."""

    name: str
    estimate: Estimate | None
    shape: str = "circle"


@dataclass(frozen=True)
class Intervals:
    """Figures on a common scale; `x_title` says of what, with the unit. `ends` lie on the scale in any case."""

    marks: Sequence[Mark]
    x_title: str
    decimals: int = 3
    ends: Sequence[float] = (0.0,)

    def draw(self, title: str, width: int) -> str:
        """SVG of this width in pixels."""
        rows = Rows(width, [mark.name for mark in self.marks])
        known = [mark.estimate for mark in self.marks if mark.estimate is not None]
        axis = rows.scale(
            [end for one in known for end in (one.low, one.value, one.high) if end is not None] + list(self.ends)
        )
        canvas = rows.begin(axis, self.x_title)
        for mark, (_, y) in zip(self.marks, rows, strict=True):
            one = mark.estimate
            if one is None:
                canvas.text(axis.start + 2, y + 4, "not measured")
                continue
            if one.low is not None and one.high is not None:
                low, high = axis.at(one.low), axis.at(one.high)
                canvas.line(low, y, high, y, width=1.4)
                canvas.line(low, y - 4, low, y + 4)
                canvas.line(high, y - 4, high, y + 4)
            canvas.shape(mark.shape, axis.at(one.value), y)
        return canvas.svg(title, self.words())

    def words(self) -> str:
        """Its figures in a line."""
        return f"{self.x_title}: " + "; ".join(f"{mark.name} {self._said(mark.estimate)}" for mark in self.marks)

    def to_json(self) -> dict[str, Any]:
        """Its figures."""
        marks = [
            {"name": mark.name}
            if mark.estimate is None
            else {"name": mark.name, "value": mark.estimate.value, "low": mark.estimate.low, "high": mark.estimate.high}
            for mark in self.marks
        ]
        return {"x": self.x_title, "marks": marks}

    def _said(self, one: Estimate | None) -> str:
        if one is None:
            return "not measured"
        value = f"{one.value:.{self.decimals}f}"
        if one.low is None or one.high is None:
            return value
        return f"{value} ({one.low:.{self.decimals}f} to {one.high:.{self.decimals}f})"
