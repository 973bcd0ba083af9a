"""Records in tables: CSV, JSONL, Parquet and Arrow files, and data sets of the hub that are made of these."""

from __future__ import annotations

import csv
import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from batch.errors import InputError
from batch.inputs.listing import SPLIT, Listing, Reading
from indexer.images import ArrowImage
from indexer.images.arrow import open_table
from indexer.images.cells import holds_images
from indexer.sources.hub_files import hub_rows, lacking, splits
from indexer.sources.rocov2_tables import read_articles
from indexer.sources.rows import BadRow, Row, declared_columns, read_rows

STATE, STATES = "state.json", "dataset_dict.json"
"""What `datasets.save_to_disk` puts beside the Arrow files of a split, and above the folders of several.

https://huggingface.co/docs/datasets/process#save
"""

_PEEKED = 100
"""So many records of a JSONL file tell which fields there are."""


def record_file(path: Path) -> Listing:
    """A CSV, JSONL, Parquet or Arrow file, its images inside it or by paths relative to its folder."""
    if path.suffix.lower() == ".parquet":
        return _parquet({path.stem: [path]}, path, path.parent)
    if path.suffix.lower() == ".arrow":
        return _arrow({path.stem: [path]}, path, path.parent)
    try:
        columns = declared_columns(path)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    if path.suffix.lower() == ".csv" and not columns:
        raise InputError(f"{path}: an empty file")
    peeked = itertools.islice(read_rows(path, frozenset()), 0 if columns else _PEEKED)
    seen = {name: None for row in peeked if isinstance(row, Row) for name in row.values}

    def rows(reading: Reading) -> Iterator[Row | BadRow]:
        return read_rows(path, reading.fields)

    return Listing(path, tuple(columns or seen), rows, path.parent, declared=bool(columns))


def hub_snapshot(root: Path) -> Listing:
    """A data set as the hub hands it out: Parquet files by split, in the folder or in `data` in it."""
    return _parquet(splits(root), root, root, lambda: read_articles(root))


def saved(root: Path) -> Listing:
    """A folder that `datasets.save_to_disk` wrote, of one split or of several."""
    if (root / STATE).is_file():
        return _arrow({_split_of(root): _state_files(root)}, root, root)
    names = _json(root / STATES).get("splits", [])
    if not names:
        raise InputError(f"{root / STATES}: names no splits")
    return _arrow({name: _state_files(root / name) for name in names}, root, root)


def _parquet(
    by_split: Mapping[str, Sequence[Path]],
    path: Path,
    root: Path,
    articles: Callable[[], Mapping[str, str]] = dict,
) -> Listing:
    try:
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        raise InputError(f"{path}: reading Parquet needs pyarrow. {_INSTALL}") from error
    first = next(iter(by_split.values()))[0]
    try:
        schema = pyarrow.parquet.read_schema(first)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{first}: cannot be read as Parquet: {' '.join(str(error).split())}") from error
    inside, names = _images_inside(schema), tuple(schema.names)
    computed = SPLIT not in names

    def rows(reading: Reading) -> Iterator[Row | BadRow]:
        for split in reading.splits(by_split) if computed else by_split:
            paths = by_split[split]
            if path.is_dir() and (absent := lacking(paths)) > 0:
                reading.note(f"{split}: {absent} of {absent + len(paths)} files are not in {paths[0].parent}")
            read = _rows_of_split(paths, reading.fields, names, inside)
            for number, values in enumerate(read):
                yield Row(f"{split}/{number}", {SPLIT: split, **values})

    columns = (*names, SPLIT) if computed else names
    return Listing(path, columns, rows, root, images=inside, articles=articles, placed=bool(inside))


def _rows_of_split(
    paths: Sequence[Path], fields: frozenset[str], names: Sequence[str], inside: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """The records' fields, an image inside the file as the reference to it."""
    image = next((name for name in inside if name in fields), None)
    wanted = [name for name in names if name in fields and name not in inside]
    if image is not None:
        for row in hub_rows(paths, image, wanted):
            yield {**row.values, image: row.image}
        return
    for path in paths:
        for read in read_rows(path, frozenset(wanted)):
            if isinstance(read, Row):
                yield read.values


def _arrow(by_split: Mapping[str, Sequence[Path]], path: Path, root: Path) -> Listing:
    try:
        import pyarrow
    except ImportError as error:
        raise InputError(f"{path}: reading Arrow files needs pyarrow. {_INSTALL}") from error

    def opened(file: Path) -> Any:
        try:
            return open_table(str(file))
        except (OSError, pyarrow.ArrowException) as error:
            raise InputError(f"{file}: cannot be read as Arrow: {' '.join(str(error).split())}") from error

    schema = opened(next(iter(by_split.values()))[0]).schema
    inside, names = _images_inside(schema), tuple(schema.names)
    computed = SPLIT not in names

    def rows(reading: Reading) -> Iterator[Row | BadRow]:
        image = next((name for name in inside if name in reading.fields), None)
        wanted = [name for name in names if name in reading.fields and name not in inside]
        for split in reading.splits(by_split) if computed else by_split:
            number = 0
            for file in by_split[split]:
                table = opened(file)
                missing = [name for name in names if name not in table.schema.names]
                if missing:
                    raise InputError(f"{file}: no column {missing[0]!r}, which the first file has")
                for row, values in enumerate(_values(table, wanted)):
                    reference = {} if image is None else {image: ArrowImage(str(file), row, image)}
                    yield Row(f"{split}/{number}", {SPLIT: split, **values, **reference})
                    number += 1

    columns = (*names, SPLIT) if computed else names
    return Listing(path, columns, rows, root, images=inside, placed=bool(inside))


def _values(table: Any, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The columns of each row, a batch in memory at a time."""
    if not columns:
        yield from ({} for _ in range(table.num_rows))
        return
    for batch in table.select(columns).to_batches(max_chunksize=1024):
        yield from batch.to_pylist()


def _images_inside(schema: Any) -> tuple[str, ...]:
    return tuple(field.name for field in schema if holds_images(field.type))


def _state_files(folder: Path) -> list[Path]:
    """The Arrow files of a split, in order. Raises InputError where they are not all of it."""
    state = _json(folder / STATE)
    if state.get("_indices_data_files"):
        raise InputError(f"{folder}: keeps a selection of its rows apart, as old datasets did; save it anew")
    files = [folder / str(entry["filename"]) for entry in state.get("_data_files", [])]
    if not files:
        raise InputError(f"{folder / STATE}: names no data files")
    return files


def _split_of(folder: Path) -> str:
    return str(_json(folder / STATE).get("_split") or os.path.basename(folder))


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {error}. Save the data set again") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: not a JSON object. Save the data set again")
    return found


_INSTALL = "Install it: pip install 'lumenscribe[parquet]'"
