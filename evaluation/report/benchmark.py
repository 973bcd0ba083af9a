"""The report of a benchmark's JSON: a recipe and nested figures, which are shown as they are nested."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.report.common import estimate_of
from evaluation.report.document import (
    Blank,
    Block,
    Cell,
    Column,
    Document,
    Facts,
    Group,
    Line,
    Section,
    Table,
    Verbatim,
)
from evaluation.report.words import counted, estimate, number
from evaluation.statistics.intervals import Estimate

MOST_ROWS, MOST_COLUMNS, SHORT = 60, 18, 50
"""Of a table; letters of a text that a row may be called by."""


def is_benchmark(data: Any) -> bool:
    """Whether there is a recipe, on top or one level below."""
    return isinstance(data, Mapping) and (_made(data) or any(_made(value) for value in data.values()))


def benchmark_document(data: Mapping[str, Any], file: Path) -> Document:
    """Of what the file holds."""
    recipe = data["recipe"] if _made(data) else {key: value["recipe"] for key, value in data.items() if _made(value)}
    rest = {key: value for key, value in data.items() if key != "recipe"}
    plain = {key: _text(value) for key, value in rest.items() if _is_leaf(value)}
    sections = [Section("Figures", [Facts("Setting and figures", plain)])] if plain else []
    sections += [Section(str(key), _blocks(str(key), value)) for key, value in rest.items() if not _is_leaf(value)]
    one: Mapping[str, Any] = recipe if _made(data) else next(iter(recipe.values()))
    made = "; ".join(str(one[key]) for key in ("command", "date", "commit") if key in one)
    return Document(
        kind="benchmark",
        title=f"Benchmark {file.stem}",
        about=f"{made}.",
        summary=[
            f"{counted(len(sections), 'group')} of figures, as the benchmark wrote them.",
            "How each is made is said by the script that the recipe names.",
        ],
        sections=sections,
        recipe=recipe,
    )


def _made(data: Any) -> bool:
    return isinstance(data, Mapping) and isinstance(data.get("recipe"), Mapping)


def _is_estimate(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("value"), int | float) and "low" in value


def _is_leaf(value: Any) -> bool:
    if isinstance(value, list):
        return not any(isinstance(one, Mapping | list) for one in value)
    return not isinstance(value, Mapping) or _is_estimate(value) or not value


def _blocks(title: str, value: Any) -> list[Block]:
    """A list or a mapping of mappings is a table; else names and values, then what is nested."""
    rows = _rows(value)
    if rows:
        return _tables(title, rows)
    if not isinstance(value, Mapping):
        return [_json(title, value)]
    kept = {str(key): one for key, one in value.items() if key != "recipe"}
    leaves = {key: _text(one) for key, one in kept.items() if _is_leaf(one)}
    blocks: list[Block] = [Facts(title, leaves)] if leaves else []
    for key, one in kept.items():
        if not _is_leaf(one):
            blocks += _blocks(f"{title}: {key}", one)
    return blocks


def _rows(value: Any) -> dict[str, Mapping[str, Any]]:
    """Rows by name, where all are mappings and share most of their names; else none."""
    if isinstance(value, list):
        value = dict(zip(_names(value), value, strict=True)) if all(isinstance(one, Mapping) for one in value) else {}
    rows = {str(key): one for key, one in value.items() if isinstance(one, Mapping) and not _is_estimate(one) and one}
    if not rows or len(rows) < len(value):
        return {}
    names = {key for row in rows.values() for key in row}
    return rows if len(names) <= min(MOST_COLUMNS, 2 * min(len(row) for row in rows.values())) else {}


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the rows of a list are called: by their first texts, and their place where two are alike."""
    short = [[one for one in row.values() if isinstance(one, str) and one and len(one) < SHORT][:2] for row in rows]
    names = [", ".join(texts) for texts in short]
    return [name if name and names.count(name) == 1 else f"{place}. {name}" for place, name in enumerate(names, 1)]


def _tables(title: str, rows: Mapping[str, Mapping[str, Any]]) -> list[Block]:
    """A table of what is flat, then one for each name under which there is something nested."""
    names = list(dict.fromkeys(key for row in rows.values() for key in row))
    flat = [key for key in names if all(_is_leaf(row[key]) for row in rows.values() if key in row)]
    flat = [key for key in flat if not all(isinstance(row.get(key), str) and row[key] in n for n, row in rows.items())]
    blocks: list[Block] = [_table(title, rows, flat)] if flat else []
    for key in (key for key in names if key not in flat):
        below = {name: row[key] for name, row in rows.items() if row.get(key)}
        blocks += _blocks(f"{title}: {key}", below) if _rows(below) else [_json(f"{title}: {key}", below)]
    return blocks


def _json(title: str, value: Any) -> Block:
    return Verbatim(title, json.dumps(value, ensure_ascii=False, indent=1))


def _table(title: str, rows: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> Table:
    text = {name: any(not _is_figure(row[name]) for row in rows.values() if name in row) for name in names}
    columns = [
        Column(str(name), _decimals([row.get(name) for row in rows.values()]), text=text[name]) for name in names
    ]
    lines = [Line(name, [_cell(row, key, text[key]) for key in names]) for name, row in list(rows.items())[:MOST_ROWS]]
    note = f"The first {MOST_ROWS} of {len(rows)} rows." if len(rows) > MOST_ROWS else ""
    return Table(title, "", columns, [Group(lines)], note)


def _is_figure(value: Any) -> bool:
    return value is None or _is_estimate(value) or (isinstance(value, int | float) and not isinstance(value, bool))


def _decimals(values: Sequence[Any]) -> int:
    """As many as the file has, up to four; three of figures with intervals."""
    if any(map(_is_estimate, values)):
        return 3
    parts = [repr(value).partition(".")[2] for value in values if isinstance(value, float)]
    return min(4, max((len(part) for part in parts if "e" not in part), default=0))


def _cell(row: Mapping[str, Any], key: str, text: bool) -> Cell:
    value = row.get(key)
    if value is None:
        return Blank()
    return _text(value) if text else int(value) if isinstance(value, int) else estimate_of(value)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_text(one) for one in value) or "none"
    if isinstance(value, int):
        return number(value, 0)
    one = estimate_of(value) if _is_estimate(value) else None
    return estimate(one) if isinstance(one, Estimate) else "-" if value is None or value == {} else str(value)
