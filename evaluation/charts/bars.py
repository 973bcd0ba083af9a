"""How many values lie where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.charts.drawing import Canvas, Scale, length, scale

TALL, LEFT, RIGHT, BOTTOM, LINE = 200, 52, 22, 44, 16
"""Pixels of the plot's height, around it, and of a line of names above it."""


@dataclass(frozen=True)
class Histogram:
    """Counts of `values` (at least one) in bins of equal width; `lines` are named values that are drawn upright."""

    values: Sequence[float]
    x_title: str
    lines: Mapping[str, float]

    def draw(self, title: str, width: int) -> str:
        """SVG of this width in pixels."""
        counts, edges = self._bins()
        across = scale([*edges, *self.lines.values()], LEFT, width - RIGHT, most=5 if width < 500 else 8)
        named = self._named(across, width)
        top = 14 + LINE * max([line for _, _, line in named] + [0])
        floor = top + TALL
        up = scale([float(count) for count in counts], floor, top, most=5)
        canvas = Canvas(width, floor + BOTTOM)
        for tick in across.ticks:
            canvas.text(across.at(tick), floor + 16, across.label(tick), "middle")
        for tick in up.ticks:
            if tick.is_integer():
                canvas.line(LEFT, up.at(tick), width - RIGHT, up.at(tick), "#ddd")
                canvas.text(LEFT - 7, up.at(tick) + 4, f"{tick:,.0f}", "end")
        for count, left, right in zip(counts, edges, edges[1:], strict=False):
            x, y = across.at(left), up.at(count)
            canvas.parts.append(
                f'<rect x="{x:g}" y="{y:g}" width="{across.at(right) - x:.1f}" height="{floor - y:.1f}" '
                'fill="#ccc" stroke="#000" stroke-width="0.8"/>'
            )
        canvas.line(LEFT, floor, width - RIGHT, floor)
        for name, x, line in named:
            canvas.line(across.at(self.lines[name]), 4 + LINE * line, across.at(self.lines[name]), floor, dash="5 3")
            canvas.text(x, LINE * line, name, "middle")
        canvas.text((LEFT + width - RIGHT) / 2, floor + 35, self.x_title, "middle")
        canvas.upright(12, top + TALL / 2, "images")
        return canvas.svg(title, self.words())

    def words(self) -> str:
        """Its figures in a line."""
        lines = "; ".join(f"{name} {value:.2f}" for name, value in self.lines.items())
        ends = f"{min(self.values):.2f} to {max(self.values):.2f}"
        return f"{len(self.values)} images, {self.x_title} {ends}; {lines}"

    def to_json(self) -> dict[str, Any]:
        """Its figures."""
        counts, edges = self._bins()
        return {"x": self.x_title, "counts": counts, "edges": edges, "lines": dict(self.lines)}

    def _bins(self) -> tuple[list[int], list[float]]:
        counts, edges = np.histogram(self.values, bins=min(24, max(4, round(2 * len(self.values) ** 0.5))))
        return [int(count) for count in counts], [float(edge) for edge in edges]

    def _named(self, across: Scale, width: int) -> list[tuple[str, float, int]]:
        """Each line's name, the middle of it, and which line of text it is in (from 1): none overlaps another."""
        ends: list[float] = []
        placed = []
        for name, value in sorted(self.lines.items(), key=lambda item: item[1]):
            half = length(name) / 2
            x = min(max(across.at(value), half + 2), width - half - 2)
            free = next((line for line, end in enumerate(ends) if x - half > end), len(ends))
            ends[free : free + 1] = [x + half + 6]
            placed.append((name, x, free + 1))
        return placed
