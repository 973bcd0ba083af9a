"""Charts as inline SVG: black lines and shapes, so that they are read in print and without colour."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from evaluation.statistics.intervals import Estimate, Numbers

WIDTH, LABEL, LINE, MARGIN = 760, 290, 22, 30
"""Of a chart of intervals in pixels: all of it, what the names take on the left, a row's height, above and below."""

SIDE, EDGE = 420, 56
"""Of a chart of curves in pixels: the side of the square that they are drawn in, and what is around it."""

DASHES = ("", "7 4", "2 3")
SHAPES = {
    "circle": '<circle cx="{x}" cy="{y}" r="4.5"/>',
    "hollow": '<circle cx="{x}" cy="{y}" r="4.5" fill="#fff" stroke="#000" stroke-width="1.5"/>',
    "square": '<rect x="{x}" y="{y}" width="8" height="8" transform="translate(-4 -4)"/>',
    "triangle": '<path d="M{x} {y} m0 -5.5 l5 9 h-10 z" fill="#fff" stroke="#000" stroke-width="1.5"/>',
    "cross": '<path d="M{x} {y} m-4.5 -4.5 l9 9 m0 -9 l-9 9" stroke="#000" stroke-width="2"/>',
}


@dataclass(frozen=True)
class Mark:
    """A line of a chart of intervals; `shape` is one of SHAPES."""

    name: str
    estimate: Estimate
    shape: str = "circle"


def intervals(marks: Sequence[Mark], title: str) -> str:
    """A row a mark: its value as a shape, its interval as a line, on a common scale of tenths."""
    drawn = [(mark.estimate.low, mark.estimate.high, mark.estimate.value) for mark in marks]
    ends = [end for several in drawn for end in several if end is not None]
    low, high = min(0, int(min(ends) * 10 - 0.999) / 10), max(int(max(ends) * 10 + 0.999) / 10, 0.1)
    height = 2 * MARGIN + LINE * len(marks)
    right = WIDTH - 20

    def at(value: float) -> float:
        return round(LABEL + (value - low) / (high - low) * (right - LABEL), 1)

    parts = []
    for tenth in range(round(low * 10), round(high * 10) + 1):
        x = at(tenth / 10)
        parts.append(f'<line x1="{x}" x2="{x}" y1="{MARGIN - 6}" y2="{height - MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{x}" y="{height - MARGIN + 15}" text-anchor="middle">{tenth / 10:.1f}</text>')
    for place, mark in enumerate(marks):
        y, one = MARGIN + LINE * place + LINE // 2, mark.estimate
        parts.append(f'<text x="{LABEL - 10}" y="{y + 4}" text-anchor="end">{escape(mark.name)}</text>')
        if one.low is not None and one.high is not None:
            parts.append(f'<line x1="{at(one.low)}" x2="{at(one.high)}" y1="{y}" y2="{y}" stroke="#000"/>')
        parts.append(SHAPES[mark.shape].format(x=at(one.value), y=y))
    return _svg(WIDTH, height, title, parts)


@dataclass(frozen=True)
class Curve:
    """A line through points, both in 0 to 1, and what it is called."""

    name: str
    x: Numbers
    y: Numbers


def curves(drawn: Sequence[Curve], title: str, x_title: str, y_title: str) -> str:
    """At most three curves over a square, told apart by dashes; the vertical scale ends above the highest point."""
    highest = max(float(curve.y.max()) for curve in drawn)
    top = math.ceil(highest * 20 + 0.2) / 20  # the next twentieth, with room below it
    whole = SIDE + 2 * EDGE
    parts = [f'<rect x="{EDGE}" y="{EDGE}" width="{SIDE}" height="{SIDE}" fill="none" stroke="#000"/>']
    for fifth in range(6):
        place = round(SIDE * fifth / 5, 1)
        x, y = EDGE + place, EDGE + SIDE - place
        parts.append(f'<text x="{x}" y="{EDGE + SIDE + 18}" text-anchor="middle">{fifth / 5:.1f}</text>')
        parts.append(f'<text x="{EDGE - 8}" y="{y + 4}" text-anchor="end">{top * fifth / 5:.2f}</text>')
    for curve, dashes in zip(drawn, DASHES, strict=False):
        points = " ".join(
            f"{EDGE + SIDE * x:.1f},{EDGE + SIDE * (1 - y / top):.1f}" for x, y in zip(curve.x, curve.y, strict=True)
        )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="#000" stroke-width="1.8" stroke-dasharray="{dashes}"/>'
        )
    for place, (curve, dashes) in enumerate(zip(drawn, DASHES, strict=False)):
        x, y = EDGE + 170 * place, EDGE - 22
        parts.append(f'<line x1="{x}" x2="{x + 34}" y1="{y}" y2="{y}" stroke="#000" stroke-width="1.8" '
                     f'stroke-dasharray="{dashes}"/>')  # fmt: skip
        parts.append(f'<text x="{x + 40}" y="{y + 4}">{escape(curve.name)}</text>')
    parts.append(f'<text x="{EDGE + SIDE / 2}" y="{whole - 14}" text-anchor="middle">{escape(x_title)}</text>')
    parts.append(f'<text transform="translate(14 {EDGE + SIDE / 2}) rotate(-90)" text-anchor="middle">'
                 f'{escape(y_title)}</text>')  # fmt: skip
    return _svg(whole, whole, title, parts)


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="img" xmlns="http://www.w3.org/2000/svg" '
        f'font-size="13" font-family="sans-serif"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )
