"""What a run has done so far, in one SQLite file. What is not in here was not done.

A block's results, its shard and its failures are committed together: all or, if the process dies, none. Results are
known by their keys; a mark is the cheap way to a key or to a failure (see `batch.keys`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from batch.errors import RunDamaged
from batch.types import Kind

_SCHEMA = """
CREATE TABLE IF NOT EXISTS shards (
    number INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    described INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    wall_s REAL NOT NULL,
    sums TEXT NOT NULL,
    worker TEXT NOT NULL,
    committed TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS results (key TEXT PRIMARY KEY, id TEXT NOT NULL, shard INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS results_by_id ON results (id);
CREATE TABLE IF NOT EXISTS marks (mark TEXT PRIMARY KEY, key TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sessions (
    started TEXT PRIMARY KEY,
    command TEXT NOT NULL,
    described INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    wall_s REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS failures (mark TEXT PRIMARY KEY, kind TEXT NOT NULL, reason TEXT NOT NULL) WITHOUT ROWID;
"""
_PARTS = 500
"""Rows that one DELETE names, well under what SQLite takes."""


@dataclass(frozen=True)
class Sums:
    """Of descriptions together: seconds by stage as their records tell them, tokens read and written (what a server
    does not say counts as none), how many abstained, how many were warned of, their sentences and those with evidence.
    """

    timings_s: Mapping[str, float]
    prompt_tokens: int = 0
    new_tokens: int = 0
    abstained: int = 0
    warned: int = 0
    sentences: int = 0
    cited: int = 0

    def __add__(self, other: Sums) -> Sums:
        stages = {**self.timings_s, **other.timings_s}
        timings = {s: self.timings_s.get(s, 0.0) + other.timings_s.get(s, 0.0) for s in stages}
        counts = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)[1:]}
        return Sums(timings, **counts)


@dataclass(frozen=True)
class Shard:
    """A file of descriptions: SHA-256 of its bytes, how many descriptions are in it and failures were beside it.

    `wall_s` is how long its worker was at it. It has no file where all of a block failed.
    """

    number: int
    file: str
    sha256: str
    described: int
    failed: int
    wall_s: float
    sums: Sums
    worker: str
    committed: str = ""


@dataclass(frozen=True)
class Session:
    """One time that the run was worked on: its command, what came of it in how long."""

    started: str
    command: str
    described: int
    failed: int
    wall_s: float


@dataclass(frozen=True)
class Done:
    """One description to be committed: what is asked, what it is of."""

    mark: str
    key: str
    id: str


def damaged(file: Path, error: sqlite3.Error) -> RunDamaged:
    """What to raise where a ledger is none, or has gone bad."""
    return RunDamaged(
        f"{file} is no whole ledger of a run: {error}. What is in the shards beside it is whole; move the folder away "
        f"and run again"
    )


class Ledger:
    """The ledger of the run in `folder`; made where there is none. Raises RunDamaged for a file that is none.

    One process writes, others may read. sqlite3.Error passes through: a disk that is full.
    """

    def __init__(self, file: Path, *, read_only: bool = False) -> None:
        self._file = file
        address = f"{file.absolute().as_uri()}?mode={'rw' if read_only else 'rwc'}"
        self._db = sqlite3.connect(address, uri=True, timeout=30)
        try:
            if read_only:
                # No mode=ro: what a killed process was in the middle of is undone first, by whoever looks next.
                self._db.execute("PRAGMA query_only = ON")
            else:
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.executescript(_SCHEMA)
            self._db.execute("SELECT count(*) FROM shards").fetchone()
        except sqlite3.DatabaseError as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
                raise
            raise damaged(file, error) from error

    def close(self) -> None:
        """Lets go of the file."""
        self._db.close()

    @contextmanager
    def unchanging(self) -> Iterator[None]:
        """What is read inside is of one moment, whoever writes meanwhile; he waits."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.rollback()

    def keys(self) -> dict[str, str]:
        """The key of the result that each mark stands for, of those that have one."""
        return dict(self._db.execute("SELECT mark, key FROM marks JOIN results USING (key)"))

    def failures(self) -> dict[str, tuple[Kind, str]]:
        """Kind and reason of what failed, by mark."""
        return {mark: (kind, reason) for mark, kind, reason in self._db.execute("SELECT * FROM failures")}

    def ids(self) -> set[str]:
        """The ids that have results, whatever their images were."""
        return {id_ for (id_,) in self._db.execute("SELECT DISTINCT id FROM results")}

    def has(self, key: str) -> bool:
        """Whether there is a result of this key."""
        return self._db.execute("SELECT 1 FROM results WHERE key = ?", (key,)).fetchone() is not None

    def counts(self) -> tuple[int, int]:
        """How many results and how many failures there are."""
        found = self._db.execute("SELECT (SELECT count(*) FROM results), (SELECT count(*) FROM failures)").fetchone()
        return int(found[0]), int(found[1])

    def shard_of(self) -> dict[str, int]:
        """The number of the shard that each key's result is in."""
        return dict(self._db.execute("SELECT key, shard FROM results"))

    def shards(self) -> list[Shard]:
        """All shards, in the order they were committed."""
        rows = self._db.execute("SELECT * FROM shards ORDER BY number")
        return [
            Shard(number, file, sha256, described, failed, wall_s, Sums(**json.loads(sums)), worker, committed)
            for number, file, sha256, described, failed, wall_s, sums, worker, committed in rows
        ]

    def next_number(self) -> int:
        """The number of the next shard."""
        return int(self._db.execute("SELECT coalesce(max(number) + 1, 0) FROM shards").fetchone()[0])

    def commit(self, shard: Shard, done: Sequence[Done], failed: Mapping[str, tuple[Kind, str]]) -> None:
        """A shard that lies on the disk, what is in it, and what failed beside it, by mark."""
        with self._db:
            self._db.execute(
                "INSERT INTO shards VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    shard.number, shard.file, shard.sha256, shard.described, shard.failed, shard.wall_s,
                    json.dumps(asdict(shard.sums)), shard.worker, datetime.now(UTC).isoformat(timespec="milliseconds"),
                ),
            )  # fmt: skip
            self._db.executemany(
                "INSERT OR REPLACE INTO results VALUES (?, ?, ?)", [(one.key, one.id, shard.number) for one in done]
            )
            self._mark([(one.mark, one.key) for one in done])
            self._db.executemany("DELETE FROM failures WHERE mark = ?", [(one.mark,) for one in done])
            self._db.executemany(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?)", [(mark, *why) for mark, why in failed.items()]
            )

    def note(self, session: Session) -> None:
        """Writes down how far a session has come, anew each time."""
        with self._db:
            self._db.execute("INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?)", astuple(session))

    def sessions(self) -> list[Session]:
        """The times that the run was worked on, in their order."""
        return [Session(*row) for row in self._db.execute("SELECT * FROM sessions ORDER BY started")]

    def mark(self, found: Collection[tuple[str, str]]) -> None:
        """New marks for results that there are: a file was moved or touched, its bytes are the same."""
        with self._db:
            self._mark(found)

    def forget_failures(self, marks: Collection[str]) -> None:
        """Lets what failed of these be done again."""
        with self._db:
            self._db.executemany("DELETE FROM failures WHERE mark = ?", [(mark,) for mark in marks])

    def drop(self, numbers: Sequence[int]) -> None:
        """Forgets shards and what was in them, so that it is done again."""
        with self._db:
            for some in _parts(numbers):
                marks = ", ".join("?" * len(some))
                self._db.execute(f"DELETE FROM results WHERE shard IN ({marks})", some)  # noqa: S608 - only ? in it
                self._db.execute(f"DELETE FROM shards WHERE number IN ({marks})", some)  # noqa: S608 - only ? in it

    def _mark(self, found: Collection[tuple[str, str]]) -> None:
        self._db.executemany("INSERT OR REPLACE INTO marks VALUES (?, ?)", found)


def _parts(values: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(values), _PARTS):
        yield values[start : start + _PARTS]
