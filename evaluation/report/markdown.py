"""A report as Markdown. Plots are said in words, pictures are left out: they are of the page alone."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from evaluation.report.document import Block, Document, Facts, Gallery, Plot, Shown, Table, Verbatim, Words
from evaluation.report.words import blank_line, cell, number

SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!])")


def to_markdown(document: Document) -> str:
    """The whole report."""
    parts = [f"# {plain(document.title)}", plain(document.about), plain(" ".join(document.summary))]
    if document.withheld:
        parts.append(plain(document.withheld))
    if document.unmeasured:
        reasons = [f"- {plain(name)}: {plain(why)}" for name, why in document.unmeasured.items()]
        parts += ["Not measured:", "\n".join(reasons)]
    for section in document.sections:
        parts.append(f"## {plain(section.title)}")
        for block in section.blocks:
            parts += _block(block)
    parts += ["## How it was made", _fenced(json.dumps(dict(document.recipe), indent=1, ensure_ascii=False))]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _block(block: Block) -> list[str]:
    match block:
        case Table():
            return [f"**{plain(block.caption)}**", _table(block), plain(block.note)]
        case Plot():
            return [f"**{plain(block.title)}**", plain(block.chart.words()) + ".", plain(block.note)]
        case Words():
            return [plain(block.text)]
        case Facts():
            rows = [[plain(name), plain(value)] for name, value in block.rows.items()]
            return [f"**{plain(block.caption)}**", _grid(["", ""], rows)]
        case Verbatim():
            return [f"**{plain(block.title)}**", _fenced(block.text)]
        case Gallery():
            return [part for shown in block.images for part in _shown(shown)]


def _table(table: Table) -> str:
    rows = []
    for group in table.groups:
        if group.title:
            rows.append([f"*{plain(group.title)}*", *[""] * len(table.columns)])
        for line in group.lines:
            if why := blank_line(line):
                rows.append([plain(line.name), plain(f"not measured: {why}"), *[""] * (len(table.columns) - 1)])
                continue
            texts = [cell(value, column) for value, column in zip(line.cells, table.columns, strict=True)]
            rows.append([plain(line.name), *(plain(f"{big} ({small})" if small else big) for big, small in texts)])
    numeric = [not column.text for column in table.columns]
    return _grid([table.head, *(column.title for column in table.columns)], rows, numeric)


def _grid(heads: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool] = (False,)) -> str:
    rule = ["---", *("---:" if right else "---" for right in numeric)]
    lines = [[plain(head) for head in heads], rule, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _fenced(text: str) -> str:
    """Between fences that are longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"


def _shown(shown: Shown) -> list[str]:
    parts = [f"### {plain(shown.id)}", plain(shown.why)]
    if shown.truth:
        parts.append(f"True of it: {plain(shown.truth)}")
    if shown.reference is not None:
        parts.append(f"> {plain(shown.reference)}")
    lines = []
    for said in shown.said:
        figures = ", ".join(f"{name} {number(value)}" for name, value in said.figures.items())
        text = "text left out" if said.text is None else said.text or "nothing"
        lines.append(f"- {plain(said.arm)}{f' ({plain(figures)})' if figures else ''}: {plain(text)}")
        lines += [f"  - warning: {plain(warning)}" for warning in said.warnings]
        lines += [f"  - \\[{c.number}\\] {plain(f'{c.id} ({c.source}, {c.license}) {c.text}')}" for c in said.evidence]
    return [*parts, "\n".join(lines)]
