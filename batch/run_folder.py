"""A run that was made: what it was made with, what is done of its input, what was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.types import Kind

SHARDS, LEDGER, PLAN, RUN = "shards", "ledger.sqlite", "plan.parquet", "run.json"
FAILURES, SUMMARY, PAGE = "failures.parquet", "summary.json", "summary.html"
CURRENT, LOCK = "current", "batch.lock"


@dataclass(frozen=True)
class Planned:
    """A record of the input: `key` names its result, None where it has none yet (or failed)."""

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
class Result:
    """A description as a shard holds it; `record` is the JSON text of `caption --json`."""

    id: str
    key: str
    article: str | None
    image: str
    image_sha256: str
    task: str
    text: str
    abstained: bool
    confidence: float | None
    record: str


@dataclass(frozen=True)
class BatchRun:
    """One run of a folder. `made` is its run.json, `plan` the input as last given, in its order."""

    folder: Path
    made: Mapping[str, Any]
    plan: Sequence[Planned]
    failures: Sequence[FailedRow]
    summary: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """12 hex digits of what shapes its texts."""
        return self.folder.name

    def descriptions(self) -> Iterator[Result]:
        """Of what is in the plan, in the plan's order; a few shards are in memory at a time."""
        raise NotImplementedError


def read_run(folder: Path, name: str | None = None) -> BatchRun:
    """The run `name` of a batch folder, or the one it last worked on; `folder` may be the run's own. Raises NoRun."""
    raise NotImplementedError
