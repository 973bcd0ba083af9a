"""What all charts are drawn with: a canvas, scales with round ticks, names that are cut where they do not fit."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from xml.sax.saxutils import escape, quoteattr

WIDE, NARROW = 720, 340
"""Widths in pixels: of a page or a sheet of paper, and of a phone."""

FONT, LETTER = 13, 7.0
"""Size of the font, and the mean width of one of its letters, in pixels."""

SHAPES = {
    "circle": '<circle cx="{x}" cy="{y}" r="4.5"/>',
    "hollow": '<circle cx="{x}" cy="{y}" r="4.5" fill="#fff" stroke="#000" stroke-width="1.5"/>',
    "square": '<rect x="{x}" y="{y}" width="8" height="8" transform="translate(-4 -4)"/>',
    "triangle": '<path d="M{x} {y} m0 -5.5 l5 9 h-10 z" fill="#fff" stroke="#000" stroke-width="1.5"/>',
    "diamond": '<path d="M{x} {y} m0 -6 l6 6 l-6 6 l-6 -6 z"/>',
    "cross": '<path d="M{x} {y} m-4.5 -4.5 l9 9 m0 -9 l-9 9" stroke="#000" stroke-width="2"/>',
}
SIGNS = {"circle": "●", "hollow": "○", "square": "■", "triangle": "△", "diamond": "◆", "cross": "✕"}
"""The shapes, and the characters that name them in a caption."""


class Chart(Protocol):
    """Something that can be drawn at a width, said in a line, and handed on as numbers."""

    def draw(self, title: str, width: int) -> str:
        """SVG of this width in pixels."""

    def words(self) -> str:
        """Its figures in a line, for those who do not see it."""

    def to_json(self) -> dict[str, Any]:
        """Its figures as plain JSON values."""


@dataclass(frozen=True)
class Scale:
    """From values to pixels; `ticks` are round numbers that lie on it."""

    low: float
    high: float
    start: float
    end: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> float:
        """Where a value lies."""
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 1)

    def label(self, tick: float) -> str:
        """A tick as it is written: with as many decimals as the step between ticks has."""
        step = self.ticks[1] - self.ticks[0]
        return f"{tick + 0.0:,.{max(0, -math.floor(math.log10(step) + 1e-9))}f}"


def scale(values: Sequence[float], start: float, end: float, zero: bool = True, most: int = 8) -> Scale:
    """A scale on which all values lie, from and to a round number; with `zero`, 0 lies on it as well."""
    known = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min([*known, 0.0] if zero else known), max([*known, 0.0] if zero else known)
    if low == high:
        low, high = (low, low + 1) if zero else (low - 0.5, low + 0.5)
    step = _step((high - low) / most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(place * step, 12) for place in range(first, last + 1))
    return Scale(ticks[0], ticks[-1], start, end, ticks)


def _step(least: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... and their tenths."""
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= least * (1 - 1e-9))


def length(text: str) -> float:
    """About how wide a text is in pixels: Chinese characters and their kin take two letters' room."""
    return LETTER * sum(
        0 if unicodedata.combining(letter) else 1.9 if unicodedata.east_asian_width(letter) in "WF" else 1
        for letter in text
    )


def fitted(text: str, room: float) -> str:
    """The text, cut in its middle where it is wider than the room: beginnings and ends tell names apart."""
    if length(text) <= room:
        return text
    kept = len(text)
    while kept > 2 and length(text[: (kept + 1) // 2] + "…" + text[-(kept // 2) :]) > room:
        kept -= 1
    return f"{text[: (kept + 1) // 2]}…{text[-(kept // 2) :]}"


@dataclass
class Canvas:
    """Parts of a picture that is being drawn."""

    width: int
    height: float
    parts: list[str] = field(default_factory=list)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, stroke: str = "#000", dash: str = "", width: float = 1
    ) -> None:
        """A straight line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" '
            f'stroke="{stroke}" stroke-width="{width:g}"{dashes}/>'
        )

    def text(self, x: float, y: float, text: str, anchor: str = "start", room: float | None = None) -> None:
        """A line of text; with `room`, cut to it, with the whole text as its title."""
        cut = text if room is None else fitted(text, room)
        title = f"<title>{escape(text)}</title>" if cut != text else ""
        self.parts.append(f'<text x="{x:g}" y="{y:g}" text-anchor={quoteattr(anchor)}>{title}{escape(cut)}</text>')

    def upright(self, x: float, y: float, text: str) -> None:
        """A text that is read from below, its middle here."""
        self.parts.append(
            f'<text transform="translate({x:g} {y:g}) rotate(-90)" text-anchor="middle">{escape(text)}</text>'
        )

    def shape(self, name: str, x: float, y: float) -> None:
        """One of SHAPES, its middle here."""
        self.parts.append(SHAPES[name].format(x=round(x, 1), y=round(y, 1)))

    def polyline(self, points: Sequence[tuple[float, float]], dash: str = "") -> None:
        """A line through points."""
        drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(f'<polyline points="{drawn}" fill="none" stroke="#000" stroke-width="1.6"{dashes}/>')

    def svg(self, title: str, words: str) -> str:
        """The picture with its name and, for those who do not see it, what it shows."""
        return (
            f'<svg viewBox="0 0 {self.width} {self.height:g}" width="{self.width}" height="{self.height:g}" role="img" '
            f'xmlns="http://www.w3.org/2000/svg" font-size="{FONT}" font-family="sans-serif">'
            f"<title>{escape(title)}</title><desc>{escape(words)}</desc>{''.join(self.parts)}</svg>"
        )


@dataclass(frozen=True)
class Rows:
    """A chart of one row a name: names at the left where there is room for them, else each above its row."""

    width: int
    names: Sequence[str]

    TOP, BOTTOM = 10, 44

    @property
    def narrow(self) -> bool:
        return self.width < 500

    @property
    def label(self) -> float:
        """Pixels that the names take at the left."""
        return 4 if self.narrow else min(max([length(name) for name in self.names] + [60]) + 14, 0.42 * self.width)

    @property
    def step(self) -> int:
        return 38 if self.narrow else 23

    @property
    def height(self) -> float:
        return self.TOP + self.step * len(self.names) + self.BOTTOM

    def scale(self, values: Sequence[float]) -> Scale:
        """The common scale of all rows."""
        return scale(values, self.label + 12, self.width - 22, False, 5 if self.narrow else 8)

    def begin(self, axis: Scale, x_title: str) -> Canvas:
        """A canvas with grid, ticks, title of the scale and names."""
        canvas = Canvas(self.width, self.height)
        floor = self.height - self.BOTTOM
        for tick in axis.ticks:
            zero = tick == 0 and axis.low < 0
            canvas.line(axis.at(tick), self.TOP, axis.at(tick), floor, "#555" if zero else "#ddd")
            canvas.text(axis.at(tick), floor + 16, axis.label(tick), "middle")
        canvas.text((axis.start + axis.end) / 2, floor + 35, x_title, "middle", axis.end - axis.start + 20)
        for name, y in self:
            if self.narrow:
                canvas.text(self.label, y - 12, name, "start", self.width - 2 * self.label)
            else:
                canvas.text(self.label, y + 4, name, "end", self.label - 4)
        return canvas

    def __iter__(self) -> Iterator[tuple[str, float]]:
        """Each name and the height at which its marks lie."""
        for place, name in enumerate(self.names):
            yield name, self.TOP + self.step * place + (29 if self.narrow else 12)
