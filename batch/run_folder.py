"""A run that was made: what it was made with, what is done of its input, what was said."""

from __future__ import annotations

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch.errors import NoRun, RunDamaged
from batch.ledger import Ledger, Session, Shard
from batch.shards import Result, pyarrow_module, read_shard
from batch.types import Kind

SHARDS, LEDGER, PLAN, RUN = "shards", "ledger.sqlite", "plan.parquet", "run.json"
FAILURES, SUMMARY, PAGE = "failures.parquet", "summary.json", "summary.html"
CURRENT, LOCK = "current", "batch.lock"
_SHARDS_HELD = 16
"""Shards in memory at a time while descriptions are read; neighbours of the plan lie in few."""


@dataclass(frozen=True)
class Planned:
    """A record of the input: `key` names its result, None where it has none yet, or failed."""

    id: str
    image: str
    article: str | None
    key: str | None


@dataclass(frozen=True)
class FailedRow:
    """A record without a description, and why."""

    id: str
    image: str
    article: str | None
    kind: Kind
    reason: str


@dataclass(frozen=True)
class BatchRun:
    """One run of a folder. `made` is its run.json, `plan` the input as last given, in its order.

    `shards` are by number, `shard_of` gives the number of each key's, `sessions` are the times it was worked on.
    """

    folder: Path
    made: Mapping[str, Any]
    plan: Sequence[Planned]
    failures: Sequence[FailedRow]
    summary: Mapping[str, Any] | None
    shard_of: Mapping[str, int] = field(repr=False)
    shards: Mapping[int, Shard] = field(repr=False)
    sessions: Sequence[Session]

    @property
    def name(self) -> str:
        """12 hex digits of what shapes its texts."""
        return self.folder.name

    @property
    def left(self) -> int:
        """How many records have neither a description nor a failure yet."""
        return sum(row.key is None for row in self.plan) - len(self.failures)

    def descriptions(self) -> Iterator[Result]:
        """Of what is in the plan, in the plan's order; a few shards are in memory at a time. Raises RunDamaged."""
        held: OrderedDict[int, dict[str, Result]] = OrderedDict()
        for row in self.plan:
            if row.key is None:
                continue
            number = self.shard_of[row.key]
            if number not in held:
                held[number] = self.shard(number)
            held.move_to_end(number)
            if len(held) > _SHARDS_HELD:
                held.popitem(last=False)
            yield held[number][row.key]

    def shard(self, number: int) -> dict[str, Result]:
        """What one shard holds, by key; some of it may no longer be in the plan. Raises RunDamaged."""
        file = self.folder / self.shards[number].file
        try:
            rows = read_shard(file).to_pylist()
            return {row["key"]: Result(**row) for row in rows}
        except (OSError, ValueError, TypeError) as error:  # pyarrow's errors about a file's contents are ValueErrors
            raise RunDamaged(
                f"{file} cannot be read: {error}. Run the batch again: it does over what is lost"
            ) from error


def read_run(folder: Path, name: str | None = None) -> BatchRun:
    """The run `name` of a batch folder, or the one it last worked on; `folder` may be the run's own.

    May be read while it is being made. Raises NoRun, and RunDamaged for one whose files are not what they should be.
    """
    at = run_folder(folder, name)
    try:
        made = json.loads((at / RUN).read_text(encoding="utf-8"))
        summary = json.loads((at / SUMMARY).read_text(encoding="utf-8")) if (at / SUMMARY).is_file() else None
        pyarrow_module()
        planned = read_shard(at / PLAN).to_pylist()
        with closing(Ledger(at / LEDGER, read_only=True)) as ledger, ledger.unchanging():
            keys, failed, shard_of = ledger.keys(), ledger.failures(), ledger.shard_of()
            shards, sessions = {shard.number: shard for shard in ledger.shards()}, ledger.sessions()
        failures = list(_failures(planned, failed))
        plan = [Planned(row["id"], row["image"], row["article"], keys.get(row["mark"])) for row in planned]
    except (OSError, ValueError, KeyError, sqlite3.Error) as error:
        raise RunDamaged(f"{at} cannot be read as a run: {error}. Run the batch again: what is whole stays") from error
    return BatchRun(at, made, plan, failures, summary, shard_of, shards, sessions)


def run_folder(folder: Path, name: str | None = None) -> Path:
    """The folder of a run. Raises NoRun, naming those that are there."""
    if (folder / RUN).is_file() and name in (None, folder.name):
        return folder
    names = runs_in(folder)
    if not names:
        raise NoRun(f"{folder} holds no run of a batch. Make one: python cli.py batch INPUT --out {folder}")
    if name is None:
        try:
            name = (folder / CURRENT).read_text(encoding="utf-8").strip()
        except OSError:
            name = names[-1]
    if name not in names:
        raise NoRun(f"{folder} holds no run {name!r}, but {', '.join(names)}")
    return folder / name


def runs_in(folder: Path) -> list[str]:
    """The names of the runs in a batch folder, oldest first."""
    found = sorted(folder.glob(f"*/{RUN}"), key=lambda file: file.stat().st_mtime_ns)
    return [file.parent.name for file in found]


def _failures(planned: Sequence[Mapping[str, Any]], failed: Mapping[str, tuple[Kind, str]]) -> Iterator[FailedRow]:
    for row in planned:
        if row["unusable"] is not None:
            yield FailedRow(row["id"], row["image"], row["article"], "record", row["unusable"])
        elif row["mark"] in failed:
            yield FailedRow(row["id"], row["image"], row["article"], *failed[row["mark"]])
