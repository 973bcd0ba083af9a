"""A record file with the fields that are wanted of it: selects records, and says early which field is wrong."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.config.files import Scalar, Where
from indexer.errors import SourceError
from indexer.sources.rows import BadRow, Row, declared_columns, read_rows

_VALUES_SHOWN = 8


@dataclass
class _Seen:
    """What one pass over the file saw."""

    rows: int = 0
    columns: dict[str, None] = field(default_factory=dict)
    values: dict[str, dict[str, None]] = field(default_factory=dict)


class Table:
    """The records of one file that match `where`.

    `wanted` maps what is asked for ("fields.caption") to the field it names; the file must have each. `rows` gives the
    records with the fields that are asked of it, which are `columns`, where `path` is no record file.
    """

    def __init__(
        self,
        path: Path,
        wanted: Mapping[str, str],
        where: Where,
        rows: Callable[[frozenset[str]], Iterator[Row | BadRow]] | None = None,
        columns: Sequence[str] = (),
    ) -> None:
        self.path = path
        self._rows = rows or functools.partial(read_rows, path)
        self._columns = columns
        self._wanted = {**{f"where.{name}": name for name in where}, **wanted}
        self._where = where

    def __iter__(self) -> Iterator[Row | BadRow]:
        return self._read(_Seen())

    def checked(self) -> Iterator[Row | BadRow]:
        """The same records; at their end raises SourceError if a wanted field was in none, or nothing matched."""
        seen = _Seen()
        found = bad = False
        for row in self._read(seen):
            bad = bad or isinstance(row, BadRow)
            found = found or isinstance(row, Row)
            yield row
        if seen.rows:
            self._check_columns(seen)
        if not found and (seen.rows or not bad):
            self._refuse_empty(seen)

    def _read(self, seen: _Seen) -> Iterator[Row | BadRow]:
        for row in self._rows(frozenset(self._wanted.values())):
            if isinstance(row, BadRow):
                yield row
                continue
            seen.rows += 1
            seen.columns.update(dict.fromkeys(row.values))
            for name in self._where:
                values = seen.values.setdefault(name, {})
                if len(values) <= _VALUES_SHOWN:
                    values[str(row.values.get(name))] = None
            if all(matches(row.values.get(name), allowed) for name, allowed in self._where.items()):
                yield row

    def _check_columns(self, seen: _Seen) -> None:
        columns = list(self._columns) or declared_columns(self.path) or list(seen.columns)
        for key, name in self._wanted.items():
            if name not in columns:
                near = difflib.get_close_matches(name, columns, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise SourceError(f"{self.path}: {key}: no field {name!r}{hint} Fields: {', '.join(columns)}")

    def _refuse_empty(self, seen: _Seen) -> None:
        if not seen.rows:
            raise SourceError(f"{self.path}: no records in it")
        wish = ", ".join(f"{name}: {allowed}" for name, allowed in self._where.items())
        there = "; ".join(f"{name} is one of {', '.join(values)}" for name, values in seen.values.items())
        raise SourceError(f"{self.path}: none of {seen.rows} records matches where {{{wish}}}; {there}")


def matches(value: Any, allowed: Scalar | list[Scalar]) -> bool:
    """Whether a record's value is the allowed one, or one of them. A CSV's cells are text: "1" matches 1."""
    options = allowed if isinstance(allowed, list) else [allowed]
    return any(value == option or (isinstance(value, str) and value == str(option)) for option in options)


def text_of(values: Mapping[str, Any], name: str | None) -> str | None:
    """The field as text without the space around it, or None where it is not mapped, absent or empty."""
    value = values.get(name) if name is not None else None
    return (str(value).strip() or None) if value is not None else None


def year_of(values: Mapping[str, Any], name: str | None) -> int | None:
    """The year a field begins with. Raises ValueError where it begins with none."""
    text = text_of(values, name)
    if text is None:
        return None
    if not (text[:4].isdigit() and len(text[:4]) == 4):
        raise ValueError(f"{name} is {text!r}, which begins with no year")
    return int(text[:4])
