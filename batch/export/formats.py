"""A run in one of the forms that others read."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from batch.errors import ExportError
from batch.export.hub import write_hub
from batch.export.imageclef import submission
from batch.export.rows import write_csv, write_jsonl
from batch.export.tables import write_parquet
from batch.export.types import Exported, Format
from batch.run_folder import BatchRun

FORMATS: tuple[Format, ...] = get_args(Format)


def export(
    run: BatchRun,
    form: Format,
    out: Path,
    *,
    order: Path | None = None,
    empty: str | None = None,
) -> Exported:
    """Writes the descriptions of a run to `out`: whole, or not at all.

    `order` (a CSV with a column ID) and `empty` (what to write where there is no caption) are for `imageclef` alone.
    All other formats hold what was described, in the input's order. A few shards are in memory at a time, and with
    `order` the texts. Raises ExportError where it cannot be written as asked, or there is nothing to write.
    """
    if form not in FORMATS:
        raise ExportError(f"no format {form!r}; there are {', '.join(FORMATS)}")
    if form != "imageclef" and (order is not None or empty is not None):
        raise ExportError(f"--order and --empty are for --format imageclef; {form} holds what was described")
    if all(planned.key is None for planned in run.plan):
        raise ExportError(f"{run.folder} holds no descriptions yet: describe its images with python cli.py batch")
    match form:
        case "imageclef":
            return submission(run, out, order, empty)
        case "csv":
            done = Exported(out, write_csv(run, out))
        case "jsonl":
            done = Exported(out, write_jsonl(run, out))
        case "parquet":
            done = Exported(out, write_parquet(run, out))
        case "hf":
            done = write_hub(run, out)
    return Exported(done.path, done.rows, done.left_out, (*done.notes, *_undescribed(run)))


def _undescribed(run: BatchRun) -> list[str]:
    """What of the input has no description, and so is in no table."""
    failed, left = len(run.failures), run.left
    if not failed + left:
        return []
    return [f"{failed + left:,} of {len(run.plan):,} images have no description: {failed:,} failed, {left:,} to do"]
