"""A data set as the hub hands it out: Parquet files named by split, each row with its image inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indexer.errors import SourceError
from indexer.images import ParquetImage


@dataclass(frozen=True)
class HubRow:
    """A row without its image, which is read when it is wanted; `image.row` is its number in the file, from 0."""

    image: ParquetImage
    values: dict[str, Any]


def shards(root: Path, split: str) -> list[Path]:
    """The Parquet files of a split (`train-00000-of-00027.parquet`), in order, of a folder or of `data` in it."""
    files = [*root.glob(f"{split}-*.parquet"), *(root / "data").glob(f"{split}-*.parquet")]
    return sorted(path for path in files if not path.name.startswith("."))


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
        for offset, values in enumerate(file.read_row_group(group, columns=columns, use_threads=False).to_pylist()):
            yield HubRow(ParquetImage(str(path), number, group, offset, image), values)
            number += 1
