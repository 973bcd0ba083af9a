"""How a quantity is spread, one row a name: its percentiles on a common scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.charts.drawing import SIGNS, Rows

MEDIAN, P95, P99 = "circle", "hollow", "square"
LEGEND = f"{SIGNS[MEDIAN]} median, {SIGNS[P95]} 95th, {SIGNS[P99]} 99th percentile; the line runs from least to most."


@dataclass(frozen=True)
class Spread:
    """Of `n` values: the least, percentiles, the most; all None where there are none."""

    name: str
    n: int
    least: float | None = None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    most: float | None = None

    @classmethod
    def of(cls, name: str, values: Sequence[float]) -> Spread:
        """Of these values."""
        if not len(values):
            return cls(name, 0)
        return cls(name, len(values), *(float(one) for one in np.percentile(values, [0, 50, 95, 99, 100])))


@dataclass(frozen=True)
class Spreads:
    """Rows of one quantity; `x_title` says which, with its unit."""

    rows: Sequence[Spread]
    x_title: str

    def draw(self, title: str, width: int) -> str:
        """SVG of this width in pixels."""
        rows = Rows(width, [row.name for row in self.rows])
        axis = rows.scale([0.0, *(row.most for row in self.rows if row.most is not None)])
        canvas = rows.begin(axis, self.x_title)
        for row, (_, y) in zip(self.rows, rows, strict=True):
            if row.least is None or row.p50 is None or row.p95 is None or row.p99 is None or row.most is None:
                canvas.text(axis.start + 2, y + 4, "not measured")
                continue
            canvas.line(axis.at(row.least), y, axis.at(row.most), y, width=1.4)
            for value, shape in ((row.p99, P99), (row.p95, P95), (row.p50, MEDIAN)):  # the median on top
                canvas.shape(shape, axis.at(value), y)
        return canvas.svg(title, self.words())

    def words(self) -> str:
        """Its figures in a line."""
        said = [
            f"{row.name} not measured"
            if row.p50 is None
            else f"{row.name} median {row.p50:.2f}, 95th percentile {row.p95:.2f}, 99th {row.p99:.2f}"
            for row in self.rows
        ]
        return f"{self.x_title}: " + "; ".join(said)

    def to_json(self) -> dict[str, Any]:
        """Its figures."""
        return {"x": self.x_title, "rows": [asdict(row) for row in self.rows]}
