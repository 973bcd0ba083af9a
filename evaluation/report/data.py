"""A report as JSON: the same figures, unrounded."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from evaluation.plain import plain
from evaluation.report.document import Blank, Block, Cell, Document, Facts, Gallery, Plot, Table, Verbatim, Words
from evaluation.statistics.intervals import Estimate


def to_json(document: Document) -> dict[str, Any]:
    """As plain JSON values, null for what is nan or infinite. Pictures are left out: they are of the page alone."""
    found: dict[str, Any] = plain({
        "kind": document.kind,
        "title": document.title,
        "about": document.about,
        "summary": list(document.summary),
        "unmeasured": dict(document.unmeasured),
        "withheld": document.withheld,
        "sections": [
            {"title": section.title, "blocks": [_block(block) for block in section.blocks]}
            for section in document.sections
        ],
        "recipe": dict(document.recipe),
    })  # fmt: skip
    return found


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Table():
            return {"table": block.caption, "head": block.head, "rows": _rows(block), "note": block.note}
        case Plot():
            return {"plot": block.title, **block.chart.to_json(), "note": block.note}
        case Words():
            return {"text": block.text}
        case Facts():
            return {"facts": block.caption, "values": dict(block.rows)}
        case Verbatim():
            return {"verbatim": block.title, "text": block.text}
        case Gallery():
            images = [{**asdict(shown), "picture": shown.picture is not None} for shown in block.images]
            return {"gallery": images}


def _rows(table: Table) -> list[dict[str, Any]]:
    return [
        {
            **({"group": group.title} if group.title else {}),
            "name": line.name,
            "cells": {column.title: _cell(value) for column, value in zip(table.columns, line.cells, strict=True)},
        }
        for group in table.groups
        for line in group.lines
    ]


def _cell(value: Cell) -> Any:
    match value:
        case Blank():
            return {"blank": value.reason}
        case Estimate():
            return {name: one for name, one in asdict(value).items() if one is not None}
        case _:
            return value
