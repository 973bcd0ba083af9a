"""Lines through points: risk by coverage, loss by step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.charts.drawing import Canvas, Scale, fitted, length, scale
from evaluation.statistics.intervals import Numbers

LEFT, RIGHT, BOTTOM, LEGEND_LINE, KEY = 62, 22, 46, 19, 46
"""Pixels around the plot, of a line of the legend, and of a line's sample in it."""

DASHES = ("", "8 4", "2 3", "10 3 2 3")
MARKS = ("", "circle", "hollow", "square", "triangle", "diamond", "cross")
SAID = 8
"""Of a curve's points, how many are said in words."""


@dataclass(frozen=True)
class Curve:
    """A line through points `(n,)` and what it is called."""

    name: str
    x: Numbers
    y: Numbers


@dataclass(frozen=True)
class Curves:
    """Curves over one pair of scales, told apart by dashes and, beyond four of them, by marks along them.

    With `zero` the upright scale begins at 0.
    """

    curves: Sequence[Curve]
    x_title: str
    y_title: str
    zero: bool = True

    def draw(self, title: str, width: int) -> str:
        """SVG of this width in pixels."""
        places, lines = self._legend(width)
        top = 12 + LEGEND_LINE * lines
        floor = top + round(min(0.56 * width, 330))
        canvas = Canvas(width, floor + BOTTOM)
        narrow = width < 500
        across = scale(
            [x for curve in self.curves for x in _finite(curve.x)], LEFT, width - RIGHT, False, 4 if narrow else 8
        )
        up = scale([y for curve in self.curves for y in _finite(curve.y)], floor, top, self.zero, 6)
        self._axes(canvas, across, up)
        for place, (curve, (x, y)) in enumerate(zip(self.curves, places, strict=True)):
            dash, mark = DASHES[place % len(DASHES)], MARKS[place // len(DASHES) % len(MARKS)]
            points = [(across.at(a), up.at(b)) for a, b in zip(curve.x, curve.y, strict=True) if math.isfinite(b)]
            canvas.polyline(points, dash)
            if mark or len(points) == 1:
                for point in points[:: max(1, len(points) // 8)]:
                    canvas.shape(mark or "circle", *point)
            canvas.line(x, y - 4, x + KEY - 10, y - 4, dash=dash, width=1.6)
            if mark:
                canvas.shape(mark, x + KEY / 2 - 5, y - 4)
            canvas.text(x + KEY - 4, y, curve.name, room=width - x - KEY)
        return canvas.svg(title, self.words())

    def words(self) -> str:
        """Some of its points in a line."""
        said = []
        for curve in self.curves:
            every = max(1, math.ceil(len(curve.x) / SAID))
            kept = sorted({*range(0, len(curve.x), every), len(curve.x) - 1})
            said.append(f"{curve.name} " + ", ".join(f"{curve.y[place]:.4g} at {curve.x[place]:.4g}" for place in kept))
        return f"{self.y_title} by {self.x_title}: " + "; ".join(said)

    def to_json(self) -> dict[str, Any]:
        """Its points, five digits of each."""
        drawn = [
            {"name": curve.name, "x": [float(f"{x:.5g}") for x in curve.x], "y": [float(f"{y:.5g}") for y in curve.y]}
            for curve in self.curves
        ]
        return {"x": self.x_title, "y": self.y_title, "curves": drawn}

    def _axes(self, canvas: Canvas, across: Scale, up: Scale) -> None:
        for tick in up.ticks:
            canvas.line(across.start, up.at(tick), across.end, up.at(tick), "#ddd")
            canvas.text(across.start - 7, up.at(tick) + 4, up.label(tick), "end")
        for tick in across.ticks:
            canvas.line(across.at(tick), up.start, across.at(tick), up.start + 4)
            canvas.text(across.at(tick), up.start + 17, across.label(tick), "middle")
        canvas.line(across.start, up.start, across.end, up.start)
        canvas.line(across.start, up.start, across.start, up.end)
        canvas.text((across.start + across.end) / 2, up.start + 37, self.x_title, "middle")
        canvas.upright(13, (up.start + up.end) / 2, self.y_title)

    def _legend(self, width: int) -> tuple[list[tuple[float, float]], int]:
        """Where each curve's name begins, and how many lines that takes."""
        places, x, y = [], float(LEFT), LEGEND_LINE
        for curve in self.curves:
            room = KEY + length(fitted(curve.name, width - LEFT - KEY)) + 14
            if x > LEFT and x + room > width - 4:
                x, y = float(LEFT), y + LEGEND_LINE
            places.append((x, float(y)))
            x += room
        return places, y // LEGEND_LINE


def _finite(values: Numbers) -> list[float]:
    return [float(value) for value in values if math.isfinite(value)]
