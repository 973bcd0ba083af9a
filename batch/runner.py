"""The run: what is asked for, less what is done, described and committed block by block."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from batch.errors import InputError, RunBusy, RunDamaged, RunStopped
from batch.keys import run_name, shaped_by
from batch.ledger import Ledger, Session, damaged
from batch.plan import Plan, PlanRow, plan_of, recognise
from batch.progress import Progress, Silent, Tally
from batch.run_folder import CURRENT, LEDGER, LOCK, PLAN, RUN, SHARDS, SUMMARY
from batch.shards import is_whole, put, pyarrow_module, table_bytes, table_of
from batch.stopping import Stop
from batch.summary import Summary, summarise
from batch.types import BlockResult, Input, Item, Unusable, Workers
from batch.writer import Writer
from rag.config import Settings
from rag.opening import open_pipeline
from rag.pipeline import Pipeline
from rag.prompt_versions import keep
from rag.provenance import without_secrets_in
from rag.recipe import command, recipe
from rag.starter import Tell
from rag.types import Request
from vlm.errors import one_line

BLOCK = 32
"""Records that are prepared, described and committed together, where nobody says otherwise."""

_HINT = ". What failed is tried again with --retry-failed"

_NAMED = 3
"""So many torn shards are named, the others counted."""

OpenWorkers = Callable[[Pipeline, Sequence[Request]], Workers]
"""Makes who describes: by the pipeline, whose models are not loaded, and one request of each task."""


@dataclass(frozen=True)
class Job:
    """What is to be done: describe the records of `given` by `settings`, and keep it in the folder `out`.

    `block` records are worked on and committed together. With `retry_failed` what failed before is tried again.
    `generator` names what the workers generate by where that is not the pipeline's own engine.
    """

    given: Input
    settings: Settings
    out: Path
    block: int = BLOCK
    retry_failed: bool = False
    generator: str | None = None


def run_batch(
    job: Job,
    workers: OpenWorkers,
    tell: Tell = lambda _: None,
    progress: Progress | None = None,
    stop: Stop | None = None,
    closed: Callable[[Path], None] = lambda _: None,
) -> Summary:
    """Describes what has no description yet. Done at any time, it goes on where it was; with nothing left it loads
    no model. `closed` gets the run's folder at the end of a session that did something, however it ended.

    Raises InputError, RunBusy where another process works in the folder, RunStopped where the disk, a server or the
    workers gave up (what was done is kept), RunDamaged for a ledger that is none, and what opening a pipeline raises.
    """
    pyarrow_module()
    stop = stop or Stop()
    rows = list(job.given)
    for note in job.given.notes:
        tell(note)
    pipeline = open_pipeline(job.settings, _examples(job.given, rows), tell)
    shaped = shaped_by(pipeline, job.generator)
    plan = plan_of(run_name(shaped), rows)
    folder = job.out / plan.run
    with _told_in_one_line(folder), _locked(job.out):
        _begin(folder, job, pipeline, shaped, plan)
        with closing(Ledger(folder / LEDGER)) as ledger:
            _mend(folder, ledger, tell)
            recognise(plan, ledger, tell, stop)
            if job.retry_failed:
                ledger.forget_failures(plan.marks.values())
            writer = Writer(folder, ledger, plan)
            if not writer.tally.left:
                tell(f"{folder}: nothing is left to do{_HINT if writer.tally.failed else ''}")
            book = _Book(ledger, writer.tally, progress or Silent())
            try:
                if writer.tally.left:
                    blocks = stop.until_asked(plan.blocks(job.block, writer.known))
                    _commit(_results(lambda: workers(pipeline, plan.examples()).describe(blocks)), writer, book)
            except BaseException:
                with suppress(OSError, sqlite3.Error):  # of a full disk; what is lost can be told from the ledger
                    _close(folder, job, writer, ledger, book, closed)
                raise
            return _close(folder, job, writer, ledger, book, closed)


def _examples(given: Input, rows: Sequence[Item | Unusable]) -> list[Request]:
    """One request of each task. Raises InputError where there is nothing to describe."""
    requests = {row.request.task: row.request for row in rows if isinstance(row, Item)}
    if not requests:
        first = next((f", the first, {row.id}: {row.reason}" for row in rows if isinstance(row, Unusable)), "")
        raise InputError(f"{given.name}: none of its {len(rows)} records can be described{first}")
    return list(requests.values())


def _results(describe: Callable[[], Generator[BlockResult, None, None]]) -> Generator[BlockResult, None, None]:
    """What workers hand over. Raises RunStopped for what the system or SQLite said to them: that is not of the run's
    folder, but of the index, the model or a server."""
    try:
        yield from describe()
    except (OSError, sqlite3.Error) as error:
        raise RunStopped(
            f"describing failed: {type(error).__name__}: {one_line(error)}. What was done is kept: run again to go on"
        ) from error


def _commit(results: Generator[BlockResult, None, None], writer: Writer, book: _Book) -> None:
    """Commits what comes from the workers, until nothing is left or somebody wants to stop."""
    with closing(results):
        for result in results:
            writer.commit(result)
            book.write(writer.tally)
            if result.stopped is not None:
                raise RunStopped(f"{result.stopped} What was done is kept: run again to go on")


class _Book:
    """How far this session has come, told and written down."""

    def __init__(self, ledger: Ledger, tally: Tally, progress: Progress) -> None:
        self._ledger = ledger
        self._progress = progress
        self._began = tally
        self._clock = time.perf_counter()
        self._started = datetime.now(UTC).isoformat(timespec="microseconds")
        progress.show(tally)

    def worked(self, tally: Tally) -> bool:
        """Whether anything was done in this session."""
        return tally.done > self._began.done

    def write(self, tally: Tally, *, last: bool = False) -> None:
        """After each commit."""
        self._progress.show(tally, last=last)
        described, failed = tally.described - self._began.described, tally.failed - self._began.failed
        if described or failed:
            seconds = time.perf_counter() - self._clock
            self._ledger.note(Session(self._started, command(), described, failed, round(seconds, 3)))


def _begin(folder: Path, job: Job, pipeline: Pipeline, shaped: dict[str, Any], plan: Plan) -> None:
    """Makes the run's folder where it is not there; writes the input down as it is now."""
    folder.mkdir(exist_ok=True)
    if not _is_json(folder / RUN):
        for template in pipeline.templates.values():
            keep(template, folder)
        settings = without_secrets_in(job.settings.model_dump(mode="json"))
        made = {"name": plan.run, **recipe(), "block": job.block, **shaped, "settings": settings}
        # Last: a folder with this file has all that a run begins with.
        put((json.dumps(made, indent=1, ensure_ascii=False) + "\n").encode(), folder / RUN)
    put(table_bytes(table_of(PlanRow, plan.kept())), folder / PLAN)
    put(f"{plan.run}\n".encode(), job.out / CURRENT)


def _is_json(file: Path) -> bool:
    try:
        json.loads(file.read_bytes())
    except (OSError, ValueError):
        return False
    return True


def _mend(folder: Path, ledger: Ledger, tell: Tell) -> None:
    """Drops shards that are not what was committed, and what a killed run left that was not.

    Raises RunDamaged where the ledger knows nothing of shards that are there: they are more than one run can leave.
    """
    shards, lying = ledger.shards(), list((folder / SHARDS).glob("*.parquet"))
    if len(lying) > 1 and not shards:
        raise RunDamaged(
            f"{folder / LEDGER} is empty, but {folder / SHARDS} holds {len(lying)} files of descriptions. Put the "
            f"ledger back, or move {folder} away and run again"
        )
    torn = [shard for shard in shards if not is_whole(folder, shard)]
    for shard in torn[:_NAMED]:
        tell(f"{folder / shard.file} is damaged or gone: its {shard.described} descriptions are made again")
    if rest := torn[_NAMED:]:
        tell(f"so are {len(rest)} more shards, of {sum(shard.described for shard in rest)} descriptions")
    whole = {shard.file for shard in shards} - {shard.file for shard in torn}
    for file in (*lying, *(folder / SHARDS).glob(".*.part")):
        if f"{SHARDS}/{file.name}" not in whole:
            file.unlink()
    ledger.drop([shard.number for shard in torn])  # last: what is in the ledger and has no file is torn


def _close(
    folder: Path, job: Job, writer: Writer, ledger: Ledger, book: _Book, closed: Callable[[Path], None]
) -> Summary:
    """Writes what people and programs look at when a session is over."""
    book.write(writer.tally, last=True)
    writer.write_failures()
    summary = summarise(folder.name, job.given.name, writer.tally, ledger.shards(), writer.failures, ledger.sessions())
    put((json.dumps(summary.to_json(), indent=1, ensure_ascii=False) + "\n").encode(), folder / SUMMARY)
    if book.worked(writer.tally):
        closed(folder)
    return summary


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Holds the batch folder for this process alone. Raises RunBusy."""
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunBusy(f"{out}: another batch is writing to it ({out / LOCK} is held). Wait for its end") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _told_in_one_line(folder: Path) -> Iterator[None]:
    """Raises RunStopped for what the disk raised inside, and RunDamaged for what SQLite found in the ledger."""
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        what = getattr(error, "strerror", None) or error
        where = getattr(error, "filename", None) or folder
        raise RunStopped(
            f"{where} cannot be written or read: {what}. What was done is kept; mend it and run the same command again"
        ) from error
    except sqlite3.DatabaseError as error:
        raise damaged(folder / LEDGER, error) from error
