"""What a report is before it is a page, a Markdown file or JSON: sections of tables, plots, images and words.

All three are written from this, so no number in one differs from that in another. Knows nothing of where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.charts import Chart
from evaluation.statistics.intervals import Estimate


@dataclass(frozen=True)
class Blank:
    """A cell without a figure, and why."""

    reason: str = ""


Cell = str | int | float | Estimate | Blank


@dataclass(frozen=True)
class Column:
    """A column's head; `decimals` of its figures; `recipe` names the metric whose recipe says how they are computed.

    Columns of `text` are set from the left and may be broken; those of `p` are probabilities.
    """

    title: str
    decimals: int = 3
    recipe: str = ""
    text: bool = False
    p: bool = False


@dataclass(frozen=True)
class Line:
    """A row: what it is called, a cell for each column.

    `recipe` names the metric that the row is of; `defines` the metric whose recipe the row is.
    """

    name: str
    cells: Sequence[Cell]
    recipe: str = ""
    defines: str = ""


@dataclass(frozen=True)
class Group:
    """Rows that belong together, under a title where there are several groups."""

    lines: Sequence[Line]
    title: str = ""


@dataclass(frozen=True)
class Table:
    """`caption` says what the table shows, `head` what its rows are, `note` how to read it.

    With `whole`, all columns fit on a sheet of paper, however many there are.
    """

    caption: str
    head: str
    columns: Sequence[Column]
    groups: Sequence[Group]
    note: str = ""
    whole: bool = False


@dataclass(frozen=True)
class Plot:
    """A chart with its title and what to know to read it."""

    title: str
    chart: Chart
    note: str = ""


@dataclass(frozen=True)
class Words:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names and values."""

    caption: str
    rows: Mapping[str, str]


@dataclass(frozen=True)
class Verbatim:
    """A text as it stands, such as a configuration; `title` says what it is."""

    title: str
    text: str


@dataclass(frozen=True)
class Cited:
    """A piece of evidence: its number in the prompt, what and whose it is, the text, how near."""

    number: int
    kind: str
    id: str
    source: str
    license: str
    text: str
    score: float | None = None


@dataclass(frozen=True)
class Said:
    """What an arm, or several alike, said of an image; `text` is None where texts are left out.

    `figures` are by title, `evidence` is what the arm `seen_by` was shown.
    """

    arm: str
    text: str | None
    figures: Mapping[str, float] = field(default_factory=dict)
    warnings: Sequence[str] = ()
    evidence: Sequence[Cited] = ()
    seen_by: str = ""


@dataclass(frozen=True)
class Shown:
    """An image of the gallery; `why` it is there; `picture` is a data URI, None with the reason in `no_picture`."""

    id: str
    why: str
    picture: str | None
    no_picture: str
    reference: str | None
    truth: str
    said: Sequence[Said]


@dataclass(frozen=True)
class Gallery:
    """Images with what was said of them."""

    images: Sequence[Shown]


Block = Table | Plot | Words | Facts | Verbatim | Gallery


@dataclass(frozen=True)
class Section:
    """A heading and what is under it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Document:
    """A report: `kind` of results, title, a paragraph in plain words, what is not measured and why, sections, recipe.

    `withheld` says what was left out of it on purpose.
    """

    kind: str
    title: str
    about: str
    summary: Sequence[str]
    sections: Sequence[Section]
    recipe: Mapping[str, Any]
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    withheld: str = ""
