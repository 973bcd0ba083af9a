"""Columns as Arrow types, and a run as one Parquet file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from batch.export.placing import placed_file
from batch.export.rows import COLUMNS, Kind, rows
from batch.run_folder import BatchRun

ROWS_AT_ONCE = 1000
"""Of a row group: what is in memory at a time."""


def arrow_type(kind: Kind) -> Any:
    """The Arrow type of a column."""
    import pyarrow  # type: ignore[import-untyped]

    return pyarrow.list_(pyarrow.string()) if kind == "strings" else pyarrow.type_for_alias(kind)


def write_parquet(run: BatchRun, path: Path) -> int:
    """Writes COLUMNS and `record`, the JSON text of `caption --json`; returns how many rows. Raises ExportError.

    What the run was made with is in the file's own metadata, under `lumenscribe`.
    """
    import pyarrow
    import pyarrow.parquet  # type: ignore[import-untyped]

    fields = [(name, arrow_type(kind)) for name, kind in COLUMNS.items()] + [("record", pyarrow.string())]
    schema = pyarrow.schema(fields, metadata={"lumenscribe": _made(run.made)})
    count, left = 0, rows(run)
    with placed_file(path) as part, pyarrow.parquet.ParquetWriter(part, schema, compression="zstd") as writer:
        while batch := [row.values() | {"record": row.result.record} for row in islice(left, ROWS_AT_ONCE)]:
            writer.write_batch(pyarrow.RecordBatch.from_pylist(batch, schema=schema))
            count += len(batch)
    return count


def _made(made: Mapping[str, Any]) -> str:
    return json.dumps(dict(made), ensure_ascii=False)
