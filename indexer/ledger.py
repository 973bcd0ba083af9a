"""What a build has done so far, in the index's SQLite file, so that a build that was killed goes on.

Records and vectors are committed a batch at a time as rows of the next generation, which no reader sees.
`settle` decides which rows that generation has; `tidy` clears up once it is the current one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from indexer.database import COLUMNS, VISIBLE, checksum, to_columns
from indexer.types import Example, Kind, Passage, Rows, SourceFailure, Vectors
from indexer.words import optimize_sql

_VECTORS_A_BATCH = 4096


@dataclass(frozen=True)
class Known:
    """A record the index or the unfinished build has under an id."""

    row: int
    content_hash: str


@dataclass(frozen=True)
class Staged:
    """A record with what is stored beside it."""

    record: Example | Passage
    image_path: str
    content_hash: str


@dataclass(frozen=True)
class Changes:
    """What the next generation has over the current one, in records."""

    added: int
    replaced: int
    removed: int


class Ledger:
    """The next generation in the making; `generation` is the current one, 0 where there is none yet.

    With `from_scratch` nothing of the current generation is carried over. With `keep_others` records that
    this build does not come across stay, unless another takes their id.
    """

    def __init__(
        self, connection: sqlite3.Connection, generation: int, *, from_scratch: bool, keep_others: bool
    ) -> None:
        self._db = connection
        self._now = generation
        self.target = generation + 1
        self._from_scratch = from_scratch
        self._keep_others = keep_others
        self._seen: list[tuple[int]] = []
        self._db.executescript(
            "CREATE TEMP TABLE IF NOT EXISTS seen (row INTEGER PRIMARY KEY);"
            "CREATE TEMP TABLE IF NOT EXISTS gone (row INTEGER PRIMARY KEY);"
            "DELETE FROM seen; DELETE FROM gone;"
        )

    def unfinished(self) -> dict[str, dict[str, str]]:
        """By space, fingerprint and name of the embedder that a stopped build of this generation used."""
        row = self._db.execute("SELECT fingerprints FROM builds WHERE generation = ?", (self.target,)).fetchone()
        found: dict[str, dict[str, str]] = json.loads(row[0]) if row else {}
        return found

    def discard(self) -> None:
        """Forgets what a stopped build of this generation did."""
        with self._db:
            self._db.execute("DELETE FROM vectors")
            self._db.execute("DELETE FROM records WHERE added = ?", (self.target,))
            self._db.execute("DELETE FROM builds WHERE generation = ?", (self.target,))

    def begin(self, space: str, fingerprint: str, name: str, config_file: str | None) -> None:
        """Writes down, before the first vector, which embedder (`name` in messages) a space's vectors are from."""
        fingerprints = {**self.unfinished(), space: {"fingerprint": fingerprint, "name": name}}
        with self._db:
            self._db.execute(
                "INSERT INTO builds VALUES (?, ?, ?, ?, NULL) "
                "ON CONFLICT (generation) DO UPDATE SET fingerprints = excluded.fingerprints",
                (self.target, json.dumps(fingerprints), config_file, _now()),
            )

    def lookup(self, kind: Kind, id_: str) -> Known | None:
        """What is there under an id: of the unfinished build, else of the current generation."""
        since = self._now if self._from_scratch else 0
        row = self._db.execute(
            "SELECT row, content_hash FROM records WHERE kind = :kind AND id = :id AND added > :since "  # noqa: S608
            f"AND (added = :target OR {_LIVE}) ORDER BY added DESC LIMIT 1",
            {"kind": kind, "id": id_, "since": since, "target": self.target, "now": self._now},
        ).fetchone()
        return Known(row[0], row[1]) if row else None

    def keep(self, row: int) -> None:
        """The next generation has this row."""
        self._seen.append((row,))

    def stage(self, items: Sequence[Staged], vectors: Vectors) -> None:
        """Commits records with their vectors `(n, dim)`: all of them or, if the process dies, none."""
        marks = ", ".join("?" * (len(COLUMNS.split(", ")) + 2))
        with self._db:
            for item, vector in zip(items, vectors, strict=True):
                values = to_columns(item.record, item.image_path, item.content_hash)
                cursor = self._db.execute(
                    f"INSERT INTO records ({COLUMNS}, checksum, added) VALUES ({marks})",  # noqa: S608
                    (*values, checksum(values), self.target),
                )
                row = cursor.lastrowid or 0
                self._db.execute("INSERT INTO vectors VALUES (?, ?)", (row, vector.astype("<f4").tobytes()))
                self.keep(row)

    def drop(self, sources: Sequence[str], ids: Sequence[str], articles: Sequence[str]) -> int:
        """Leaves records of these sources, ids or articles out of the next generation; returns how many.

        An id may be a record's or that of the document that passages were cut from.
        """
        for column, values in (("source", sources), ("id", ids), ("source_id", ids), ("article", articles)):
            self._db.executemany(
                f"INSERT OR IGNORE INTO gone SELECT row FROM records WHERE {column} = :value AND {_LIVE}",  # noqa: S608
                [{"value": value, "now": self._now} for value in values],
            )
        self._db.commit()
        return self._count("SELECT count(*) FROM gone")

    def keep_all(self, config_file: str | None) -> None:
        """Begins a generation that nothing is added to: the failures of the current one stay what they are."""
        with self._db:
            self._db.execute(
                "INSERT OR IGNORE INTO builds VALUES (?, '{}', ?, ?, NULL)", (self.target, config_file, _now())
            )
            self._execute("DELETE FROM failures WHERE generation = :target")
            self._execute(
                "INSERT INTO failures SELECT :target, source, id, reason FROM failures WHERE generation = :now"
            )
            self._execute("UPDATE records SET retired = NULL WHERE retired = :target")  # of one that was killed
            self._execute("UPDATE records SET retired = :target WHERE row IN (SELECT row FROM gone)")

    def compact(self) -> None:
        """Gives back what deleted rows took, in the records and in their words. Not inside a transaction."""
        for kind in ("example", "passage"):
            with self._db:
                self._db.execute(optimize_sql(kind))
        self._db.execute("VACUUM")

    def changes(self) -> Changes:
        """What the next generation will have over the current one, after everything has been come across."""
        self._note_gone()
        added = self._count("SELECT count(*) FROM records WHERE added = :target AND row IN (SELECT row FROM seen)")
        gone = self._count("SELECT count(*) FROM gone")
        replaced = self._count(
            "SELECT count(*) FROM records AS old JOIN gone USING (row) JOIN records AS new "
            "ON new.kind = old.kind AND new.id = old.id AND new.added = :target "
            "WHERE new.row IN (SELECT row FROM seen)"
        )
        return Changes(added=added - replaced, replaced=replaced, removed=gone - replaced)

    def settle(self, failures: Sequence[SourceFailure]) -> None:
        """Makes the next generation exactly what was come across. Call `changes` before."""
        with self._db:
            self._execute("DELETE FROM records WHERE added = :target AND row NOT IN (SELECT row FROM seen)")
            self._execute("DELETE FROM vectors WHERE row NOT IN (SELECT row FROM records WHERE added = :target)")
            self._execute("UPDATE records SET retired = NULL WHERE retired = :target")
            self._execute("UPDATE records SET retired = :target WHERE row IN (SELECT row FROM gone)")
            self._execute("DELETE FROM failures WHERE generation = :target")
            self._db.executemany(
                "INSERT INTO failures VALUES (?, ?, ?, ?)", [(self.target, f.source, f.id, f.reason) for f in failures]
            )

    def rows(self, kind: Kind) -> set[int]:
        """The rows of the settled generation."""
        sql = f"SELECT row FROM records WHERE kind = :kind AND {VISIBLE}"  # noqa: S608
        return {row for (row,) in self._db.execute(sql, {"kind": kind, "generation": self.target})}

    def touched(self, kind: Kind) -> bool:
        """Whether the settled generation differs from the current one in records of a kind."""
        sql = "SELECT count(*) FROM records WHERE kind = :kind AND (added = :target OR retired = :target)"
        return self._count(sql, kind=kind) > 0

    def vectors(self, kind: Kind) -> Iterator[tuple[Rows, Vectors]]:
        """The vectors of the settled generation that are in no FAISS file yet, in batches, by row."""
        cursor = self._db.execute(
            "SELECT row, vector FROM vectors JOIN records USING (row) WHERE kind = ? ORDER BY row", (kind,)
        )
        while batch := cursor.fetchmany(_VECTORS_A_BATCH):
            rows = np.array([row for row, _ in batch], np.int64)
            yield rows, np.stack([np.frombuffer(vector, "<f4") for _, vector in batch]).astype(np.float32)

    def tidy(self, current: int) -> None:
        """Clears up after generation `current` has become the current one.

        Rows that went with it stay until the next, for readers that still have the one before open.
        """
        with self._db:
            self._execute("UPDATE builds SET finished_at = :at WHERE generation = :current", at=_now(), current=current)
            self._execute(
                "DELETE FROM vectors WHERE row IN (SELECT row FROM records WHERE added <= :current)", current=current
            )
            self._execute("DELETE FROM records WHERE retired < :current", current=current)
            self._execute("DELETE FROM failures WHERE generation < :current", current=current)
        self._db.execute("PRAGMA incremental_vacuum").fetchall()

    def _note_gone(self) -> None:
        """Notes the current generation's rows that the next one does not have."""
        self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?)", self._seen)
        self._seen.clear()
        taken_over = (
            "AND EXISTS (SELECT 1 FROM records AS new WHERE new.kind = records.kind AND new.id = records.id "
            "AND new.added = :target AND new.row IN (SELECT row FROM seen))"
        )
        self._execute(
            f"INSERT OR IGNORE INTO gone SELECT row FROM records WHERE {_LIVE} "  # noqa: S608
            f"AND row NOT IN (SELECT row FROM seen) {taken_over if self._keep_others else ''}"
        )
        self._db.commit()

    def _count(self, sql: str, **values: Any) -> int:
        return int(self._execute(sql, **values).fetchone()[0])

    def _execute(self, sql: str, **values: Any) -> sqlite3.Cursor:
        return self._db.execute(sql, {"target": self.target, "now": self._now, **values})


_LIVE = "(added <= :now AND (retired IS NULL OR retired > :now))"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
