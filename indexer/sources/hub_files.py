"""A data set as the hub hands it out: Parquet files named by split, each row with its image inside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import SourceError
from indexer.images import ParquetImage

_SHARD = re.compile(r"(?P<split>.+)-[0-9]{5}-of-(?P<of>[0-9]{5})(?:-[0-9a-f]+)?\.parquet")
_USUAL = ("train", "validation", "valid", "val", "dev", "test")


@dataclass(frozen=True)
class HubRow:
    """A row without its image, which is read when it is wanted; `image.row` is its number in the file, from 0."""

    image: ParquetImage
    values: dict[str, Any]


def shards(root: Path, split: str) -> list[Path]:
    """The Parquet files of a split (`train-00000-of-00027.parquet`), in order, of a folder or of `data` in it."""
    files = [*root.glob(f"{split}-*.parquet"), *(root / "data").glob(f"{split}-*.parquet")]
    return sorted(path for path in files if not path.name.startswith("."))


def splits(root: Path) -> dict[str, list[Path]]:
    """The Parquet files of each split in a folder or in `data` in it; the usual splits first, the others by name."""
    found: dict[str, list[Path]] = {}
    for path in (*root.glob("*.parquet"), *(root / "data").glob("*.parquet")):
        named = _SHARD.fullmatch(path.name)
        if named and not path.name.startswith("."):
            found.setdefault(named["split"], []).append(path)
    usual = {split: place for place, split in enumerate(_USUAL)}
    ordered = sorted(found, key=lambda split: (usual.get(split.casefold(), len(usual)), split))
    return {split: sorted(found[split]) for split in ordered}


def lacking(paths: Sequence[Path]) -> int:
    """How many files of a split are not among these, by what their names say there are."""
    named = (_SHARD.fullmatch(path.name) for path in paths)
    return max((int(found["of"]) for found in named if found), default=0) - len(paths)


def hub_rows(paths: Sequence[Path], image: str, columns: Sequence[str]) -> Iterator[HubRow]:
    """The rows of the files with `columns`, a row group in memory at a time and no images.

    Raises SourceError where a file cannot be read, or has no column `image` or one of `columns`.
    """
    try:
        import pyarrow.parquet  # type: ignore[import-untyped]
    except ImportError as error:
        message = f"{paths[0]}: reading Parquet needs pyarrow. Install it: pip install 'lumenscribe[parquet]'"
        raise SourceError(message) from error
    for path in paths:
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                yield from _rows(path, file, image, columns)
        except (OSError, pyarrow.ArrowException) as error:
            raise SourceError(f"{path}: cannot be read as Parquet: {' '.join(str(error).split())}") from error


def _rows(path: Path, file: Any, image: str, columns: Sequence[str]) -> Iterator[HubRow]:
    there = file.schema_arrow.names
    missing = [name for name in (image, *columns) if name not in there]
    if missing:
        raise SourceError(f"{path}: no column {missing[0]!r}. Columns: {', '.join(there)}")
    number = 0
    for group in range(file.num_row_groups):
        count = file.metadata.row_group(group).num_rows
        read = file.read_row_group(group, columns=columns, use_threads=False).to_pylist() if columns else [{}] * count
        for offset, values in enumerate(read):
            yield HubRow(ParquetImage(str(path), number, group, offset, image), values)
            number += 1
