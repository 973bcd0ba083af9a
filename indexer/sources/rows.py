"""Record files, row by row: JSONL, CSV, Parquet. Knows nothing of what the fields mean."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import SourceError


@dataclass(frozen=True)
class Row:
    """One record: its place in the file ("line 12") and its fields; an empty CSV cell is a None."""

    place: str
    values: dict[str, Any]


@dataclass(frozen=True)
class BadRow:
    """A record that could not be parsed, and why."""

    place: str
    reason: str


Reader = Callable[[Path, frozenset[str]], Iterator[Row | BadRow]]


def _jsonl(path: Path, _fields: frozenset[str]) -> Iterator[Row | BadRow]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, start=1):
            place = f"line {number}"
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except ValueError as error:
                yield BadRow(place, f"not valid JSON: {error}")
                continue
            yield Row(place, values) if isinstance(values, dict) else BadRow(place, "not a JSON object")


def _csv(path: Path, _fields: frozenset[str]) -> Iterator[Row | BadRow]:
    with path.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, strict=True)
        for values in reader:
            place = f"line {reader.line_num}"
            if None in values:
                yield BadRow(place, "more cells than the header has")
            else:
                yield Row(place, {key: value or None for key, value in values.items()})


def _parquet(path: Path, fields: frozenset[str]) -> Iterator[Row | BadRow]:
    try:
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        message = f"{path}: reading Parquet needs pyarrow. Install it: pip install 'lumenscribe[parquet]'"
        raise SourceError(message) from error
    with pyarrow.parquet.ParquetFile(path) as table:
        # Only what is asked for: such files may carry the images' bytes in a column of their own.
        columns = [name for name in table.schema_arrow.names if name in fields] or table.schema_arrow.names
        number = 0
        for batch in table.iter_batches(batch_size=1024, columns=columns):
            for values in batch.to_pylist():
                number += 1
                yield Row(f"row {number}", values)


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow.parquet

    names: list[str] = pyarrow.parquet.read_schema(path).names
    return names


READERS: dict[str, Reader] = {".jsonl": _jsonl, ".ndjson": _jsonl, ".csv": _csv, ".parquet": _parquet}


def read_rows(path: Path, fields: frozenset[str]) -> Iterator[Row | BadRow]:
    """The records of a file in its own order; of a Parquet file only the `fields` it has.

    Raises SourceError where the file is missing, of an unknown kind, or not readable as what it is named.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise SourceError(f"{path}: record files end in {', '.join(READERS)}")
    if not path.is_file():
        raise SourceError(f"{path}: no such record file")
    try:
        yield from reader(path, fields)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceError(f"{path}: cannot be read: {error}") from error
    except ValueError as error:
        # pyarrow's errors about a file's contents are ValueErrors
        raise SourceError(f"{path}: not a {path.suffix[1:]} file: {' '.join(str(error).split())}") from error


def declared_columns(path: Path) -> list[str]:
    """The columns the file itself declares before its first record: a CSV's header, a Parquet file's schema."""
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return _parquet_columns(path)
    if suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return next(csv.reader(lines), [])
    return []
