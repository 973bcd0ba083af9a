"""A report as one page that needs nothing beside itself: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evaluation.charts import NARROW, WIDE
from evaluation.report.document import Blank, Block, Cell, Column, Document, Plot, Table
from evaluation.report.words import blank_line, cell, number
from evaluation.statistics.intervals import Estimate
from evaluation.statistics.verdicts import ALPHA

MOST_COLUMNS = 6
"""Of figures beside the names: more do not fit on a sheet, and the table is shown in parts."""


def to_html(document: Document) -> str:
    """The page. What is no markup is escaped."""
    pages = Environment(
        loader=PackageLoader("evaluation", "pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages.globals.update(
        said=cell,
        classes=_classes,
        datum=_datum,
        parts=parts,
        drawn=_drawn,
        number=number,
        kind_of=_kind,
        blank_line=blank_line,
    )
    return pages.get_template("report.html").render(
        document=document,
        anchors=_anchors(document),
        recipe=json.dumps(dict(document.recipe), indent=1, ensure_ascii=False),
    )


def parts(table: Table) -> Iterator[Table]:
    """The table in parts that fit on a sheet of paper, each with all rows."""
    columns = len(table.columns)
    count = math.ceil(columns / MOST_COLUMNS)
    if count <= 1 or table.whole:
        yield table
        return
    each = math.ceil(columns / count)
    for place in range(count):
        mine = slice(place * each, (place + 1) * each)
        groups = [
            replace(group, lines=[replace(line, cells=line.cells[mine]) for line in group.lines])
            for group in table.groups
        ]
        yield replace(
            table, caption=f"{table.caption} ({place + 1} of {count})", columns=table.columns[mine], groups=groups
        )


def _kind(block: Block) -> str:
    return type(block).__name__.lower()


def _anchors(document: Document) -> dict[str, str]:
    """Where the recipe of each metric is told: the rows that define one."""
    tables = [block for section in document.sections for block in section.blocks if isinstance(block, Table)]
    keys = [line.defines for table in tables for group in table.groups for line in group.lines if line.defines]
    return {key: f"recipe-{place}" for place, key in enumerate(dict.fromkeys(keys), 1)}


def _classes(value: Cell, column: Column) -> Markup:
    sure = isinstance(value, Estimate) and value.p is not None and value.p < ALPHA
    names = [("text", column.text), ("blank", isinstance(value, Blank)), ("sure", sure)]
    kept = " ".join(name for name, given in names if given)
    return Markup(' class="{}"').format(kept) if kept else Markup("")


def _datum(value: Cell) -> Markup:
    """The unrounded figure, so that whoever reads the page with a program need not guess it from digits."""
    figure: Any = value.value if isinstance(value, Estimate) else value
    if isinstance(figure, bool) or not isinstance(figure, int | float) or not math.isfinite(figure):
        return Markup("")
    return Markup(' data-value="{}"').format(figure)


def _drawn(plot: Plot, wide: bool) -> Markup:
    svg = plot.chart.draw(plot.title, WIDE if wide else NARROW)
    return Markup(svg.replace("<svg ", f'<svg class="{"wide" if wide else "narrow"}" ', 1))  # noqa: S704 - charts escape
