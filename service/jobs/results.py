"""What a job has come to, read from its batch folder: counts, records, failures. May be read while it is being made."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.errors import NoRun, RunDamaged
from batch.ledger import Ledger
from batch.run_folder import CURRENT, LEDGER, BatchRun, read_run
from service.jobs.shelf import OUT, read_images


@dataclass(frozen=True)
class Counted:
    """Images by what became of them, and how fast it goes, where that is known."""

    described: int = 0
    failed: int = 0
    images_per_s: float | None = None


def counted(folder: Path) -> Counted:
    """What is committed of a job; nothing where it has not begun."""
    try:
        run = (folder / OUT / CURRENT).read_text(encoding="utf-8").strip()
        with closing(Ledger(folder / OUT / run / LEDGER, read_only=True)) as ledger:
            described, failed = ledger.counts()
            sessions = ledger.sessions()
    except (OSError, ValueError, sqlite3.Error, RunDamaged):  # not there yet, or half made by a process that was killed
        return Counted()
    last = sessions[-1] if sessions else None
    rate = None if last is None or not last.wall_s else round((last.described + last.failed) / last.wall_s, 3)
    return Counted(described, failed, rate)


def records(folder: Path) -> Iterator[dict[str, Any]]:
    """The records that are committed, in the order of the job's images, each image under the name the client gave.

    Raises RunDamaged.
    """
    run = _run(folder)
    if run is None:
        return
    names = _names(folder)
    for result in run.descriptions():
        record: dict[str, Any] = json.loads(result.record)
        yield renamed(record, {image["image"]: names[record["id"]] for image in record["images"]})


def failures(folder: Path) -> Iterator[dict[str, Any]]:
    """The images that have no description, and why: `id`, `image`, `kind`, `reason`. Raises RunDamaged."""
    run = _run(folder)
    if run is None:
        return
    names = _names(folder)
    for row in run.failures:
        told = {"id": row.id, "image": row.image, "kind": row.kind, "reason": row.reason}
        yield renamed(told, {row.image: names[row.id]})


def renamed(value: Any, names: Mapping[str, str]) -> Any:
    """JSON values with names in place of others, wherever they stand in texts."""
    if isinstance(value, str):
        for old, new in names.items():
            value = value.replace(old, new)
        return value
    if isinstance(value, dict):
        return {key: renamed(held, names) for key, held in value.items()}
    return [renamed(held, names) for held in value] if isinstance(value, list) else value


def _names(folder: Path) -> dict[str, str]:
    return {image.id: image.name for image in read_images(folder)}


def _run(folder: Path) -> BatchRun | None:
    """The run of a job, None where it has none yet: its folder, or the first of what belongs in it, is not there."""
    try:
        return read_run(folder / OUT)
    except NoRun:
        return None
    except RunDamaged:
        if counted(folder) == Counted():
            return None
        raise
