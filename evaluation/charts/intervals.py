"""Figures with their intervals, one a row."""

from __future__ import annotations

import math
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

    @property
    def known(self) -> Estimate | None:
        """The figure if it is one: not nan, as that of nothing is."""
        return None if self.estimate is None or not math.isfinite(self.estimate.value) else self.estimate

    @property
    def ends(self) -> tuple[float, float] | None:
        """Of its interval, where there is one."""
        one = self.known
        if one is None or one.low is None or one.high is None or not math.isfinite(one.low + one.high):
            return None
        return one.low, one.high


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
        values = [one.value for mark in self.marks if (one := mark.known)]
        axis = rows.scale([*values, *(end for mark in self.marks for end in mark.ends or ()), *self.ends])
        canvas = rows.begin(axis, self.x_title)
        for mark, (_, y) in zip(self.marks, rows, strict=True):
            if (one := mark.known) is None:
                canvas.text(axis.start + 2, y + 4, "not measured")
                continue
            if mark.ends:
                low, high = map(axis.at, mark.ends)
                canvas.line(low, y, high, y, width=1.4)
                canvas.line(low, y - 4, low, y + 4)
                canvas.line(high, y - 4, high, y + 4)
            canvas.shape(mark.shape, axis.at(one.value), y)
        return canvas.svg(title, self.words())

    def words(self) -> str:
        """Its figures in a line."""
        return f"{self.x_title}: " + "; ".join(f"{mark.name} {self._said(mark)}" for mark in self.marks)

    def to_json(self) -> dict[str, Any]:
        """Its figures."""
        marks = [
            {"name": mark.name}
            if mark.estimate is None
            else {"name": mark.name, "value": mark.estimate.value, "low": mark.estimate.low, "high": mark.estimate.high}
            for mark in self.marks
        ]
        return {"x": self.x_title, "marks": marks}

    def _said(self, mark: Mark) -> str:
        if mark.known is None:
            return "not measured"
        value = f"{mark.known.value:.{self.decimals}f}"
        if mark.ends is None:
            return value
        return f"{value} ({mark.ends[0]:.{self.decimals}f} to {mark.ends[1]:.{self.decimals}f})"
