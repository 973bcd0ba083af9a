"""The one writer: what workers hand over goes to a shard and into the ledger, or into neither."""

from __future__ import annotations

import time
from pathlib import Path

from batch.keys import key_of
from batch.ledger import Done, Ledger, Shard, Sums
from batch.plan import Plan
from batch.progress import Tally
from batch.run_folder import FAILURES, SHARDS, FailedRow
from batch.shards import Result, put, result, table_bytes, table_of, write_shard
from batch.types import BlockResult, Described, Failed, Kind
from rag.types import Request

_FAILURES_EVERY_S = 10.0


class Writer:
    """Commits blocks of one plan into the run's folder. OSError and sqlite3.Error pass through: a disk that is full."""

    def __init__(self, folder: Path, ledger: Ledger, plan: Plan) -> None:
        self._folder = folder
        self._ledger = ledger
        self._plan = plan
        self._requests = {item.request.id: item.request for item in plan.items}
        self._next = ledger.next_number()
        self._failures = {row.id: row for row in _failed_rows(plan, ledger)}
        keys = ledger.keys()
        self.known = {*keys, *ledger.failures()}
        """Marks of what has a description or has failed, when the writer was made."""
        described = sum(mark in keys for mark in plan.marks.values())
        self.tally = Tally(len(plan.rows), described, len(self._failures))
        self._written = -_FAILURES_EVERY_S
        (folder / SHARDS).mkdir(exist_ok=True)

    @property
    def failures(self) -> list[FailedRow]:
        """What has failed of the plan, by now."""
        return list(self._failures.values())

    def commit(self, block: BlockResult) -> None:
        """Keeps what came of a block."""
        done = [self._result(outcome) for outcome in block.outcomes if isinstance(outcome, Described)]
        failed = [outcome for outcome in block.outcomes if isinstance(outcome, Failed)]
        file, sha256 = "", ""
        if done:
            file = f"{SHARDS}/part-{self._next:06d}.parquet"
            sha256 = write_shard(done, self._folder / file)
        sums = sum((_sums(outcome) for outcome in block.outcomes if isinstance(outcome, Described)), start=Sums({}))
        shard = Shard(self._next, file, sha256, len(done), len(failed), block.wall_s, sums, block.worker)
        marks = self._plan.marks
        self._ledger.commit(
            shard,
            [Done(marks[one.id], one.key, one.id) for one in done],
            {marks[one.id]: (one.kind, one.reason) for one in failed},
        )
        self._next += 1
        for one in done:
            self._failures.pop(one.id, None)
        for fault in failed:
            self._failures[fault.id] = _row(self._requests[fault.id], fault.kind, fault.reason)
        if failed and time.monotonic() - self._written > _FAILURES_EVERY_S:
            self.write_failures()
        self.tally = self.tally.plus(len(done), len(failed))

    def write_failures(self) -> None:
        """Brings failures.parquet up to date."""
        put(table_bytes(table_of(FailedRow, self.failures)), self._folder / FAILURES)
        self._written = time.monotonic()

    def _result(self, outcome: Described) -> Result:
        images = [image["sha256"] for image in outcome.record["images"]]
        return result(key_of(self._plan.run, self._requests[outcome.id], images), outcome)


def _failed_rows(plan: Plan, ledger: Ledger) -> list[FailedRow]:
    """What failed of a plan, by its ledger, and what could not be tried."""
    failed = ledger.failures()
    rows = [FailedRow(row.id, row.image, row.article, "record", row.reason) for row in plan.unusable]
    for item in plan.items:
        why = failed.get(plan.marks[item.request.id])
        if why is not None:
            rows.append(_row(item.request, *why))
    return rows


def _row(request: Request, kind: Kind, reason: str) -> FailedRow:
    return FailedRow(request.id, " ".join(map(str, request.images)), request.article, kind, reason)


def _sums(outcome: Described) -> Sums:
    record = outcome.record
    sentences = record["sentences"]
    return Sums(
        record["timings_s"],
        record["tokens"]["prompt"] or 0,
        record["tokens"]["new"] or 0,
        int(record["abstained"]),
        int(bool(record["warnings"])),
        len(sentences),
        sum(bool(sentence["citations"]) for sentence in sentences),
    )
