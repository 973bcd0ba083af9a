"""A text as plain typeset pages. How a document looks (typeface, size, margins, line spacing) follows from the seed and
its text, so that the same text gives the same pages.

Typefaces are Pillow's own (Aileron) and, where matplotlib is installed, the DejaVu ones that it carries.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import random
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import imaging

if TYPE_CHECKING:
    from PIL import ImageFont

WIDTH, HEIGHT = 850, 1100
"""Of a page, in pixels: US letter at 100 dots an inch."""

_OWN, _DEJAVU = "Aileron", ("DejaVuSans", "DejaVuSerif", "DejaVuSansMono")
_SIZES = (14, 20)
_MARGINS = (50, 110)
_SPACINGS = (1.2, 1.35, 1.5)


@dataclass(frozen=True, slots=True)
class Look:
    """How a document is set: sizes and margins in pixels, `spacing` in heights of a line."""

    font: str
    size: int
    left: int
    top: int
    spacing: float

    @property
    def line(self) -> int:
        """From one line's top to the next one's."""
        return round(self.size * self.spacing)

    @property
    def lines(self) -> int:
        """So many fit on a page."""
        return (HEIGHT - 2 * self.top) // self.line


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page that is still to be drawn: an ImageRef. `name` says of what document, `number` counts pages from 1."""

    name: str
    number: int
    look: Look
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}#page={self.number}"

    @property
    def stamp(self) -> str:
        """What tells that another page would be drawn."""
        return hashlib.sha256(repr((astuple(self.look), self.lines)).encode()).hexdigest()[:16]

    def read(self) -> bytes:
        return _drawn(self.look, self.lines)

    def load(self) -> imaging.LoadedImage:
        return imaging.decode(self.read(), str(self))

    def sha256(self) -> str:
        return hashlib.sha256(self.read()).hexdigest()


def pages_of(name: str, text: str, seed: int) -> tuple[PageImage, ...]:
    """The pages of a text; its lines are paragraphs."""
    look = _look(seed, text)
    lines = [line for paragraph in text.splitlines() for line in _wrapped(paragraph.strip(), look)]
    starts = range(0, max(len(lines), 1), look.lines)
    return tuple(
        PageImage(name, number, look, tuple(lines[start : start + look.lines]))
        for number, start in enumerate(starts, 1)
    )


def typefaces() -> tuple[str, ...]:
    """Those that pages are set in here."""
    return (_OWN, *_DEJAVU) if _dejavu() else (_OWN,)


def _look(seed: int, text: str) -> Look:
    drawn = random.Random(hashlib.sha256(f"{seed} {text}".encode()).digest())
    font, size = drawn.choice(typefaces()), drawn.randint(*_SIZES)
    return Look(font, size, drawn.randint(*_MARGINS), drawn.randint(*_MARGINS), drawn.choice(_SPACINGS))


def _wrapped(paragraph: str, look: Look) -> list[str]:
    """The lines of a paragraph, none wider than the page between its margins; a longer word is broken."""
    room, space = WIDTH - 2 * look.left, _width(look.font, look.size, " ")
    lines, line, used = [], "", 0.0
    for word in (part for each in paragraph.split() for part in _parts(each, look, room)):
        width = _width(look.font, look.size, word)
        if line and used + space + width > room:
            lines.append(line)
            line, used = word, width
        else:
            line, used = (f"{line} {word}", used + space + width) if line else (word, width)
    return [*lines, line]


def _parts(word: str, look: Look, room: float) -> list[str]:
    if _width(look.font, look.size, word) <= room:
        return [word]
    step = max(1, int(len(word) * room / _width(look.font, look.size, word) * 0.9))
    return [word[start : start + step] for start in range(0, len(word), step)]


def _drawn(look: Look, lines: tuple[str, ...]) -> bytes:
    """A page as PNG."""
    from PIL import Image, ImageDraw

    page = Image.new("L", (WIDTH, HEIGHT), 255)
    draw, font = ImageDraw.Draw(page), _font(look.font, look.size)
    for number, line in enumerate(lines):
        draw.text((look.left, look.top + number * look.line), line, fill=0, font=font)
    buffer = io.BytesIO()
    page.save(buffer, "PNG")
    return buffer.getvalue()


@functools.lru_cache(maxsize=1 << 18)
def _width(font: str, size: int, word: str) -> float:
    return float(_font(font, size).getlength(word))


@functools.lru_cache(maxsize=64)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    if name == _OWN:
        found = ImageFont.load_default(size)
        if not isinstance(found, ImageFont.FreeTypeFont):
            raise imaging.ImageError("pages cannot be drawn: this Pillow has no FreeType. Install Pillow from PyPI")
        return found
    return ImageFont.truetype(f"{_dejavu()}/{name}.ttf", size)


@functools.lru_cache(maxsize=1)
def _dejavu() -> str:
    """The folder of matplotlib's fonts, found without importing it; empty where there is none."""
    found = importlib.util.find_spec("matplotlib")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" if found and found.origin else None
    return str(folder) if folder and all((folder / f"{name}.ttf").is_file() for name in _DEJAVU) else ""
