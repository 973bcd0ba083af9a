"""What a build has done so far, in the index's SQLite file, so that a build that was killed goes on.

Records and vectors are committed a batch at a time as rows of the next generation, which no reader sees.
`settle` decides which rows that generation has; `tidy` clears up once it is the current one.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.database import CHECKED, VISIBLE, checksum, to_columns
from indexer.entries import Changes, Entry, Known
from indexer.notes import PassNotes
from indexer.sources.chunking import embedded
from indexer.types import Kind, Rows, SourceFailure, Vectors
from indexer.words import count_sql, optimize_sql

_VECTORS_A_BATCH = 4096
_TEXTS_A_BATCH = 256


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
        self._notes = PassNotes(connection)

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

    def resume(self) -> None:
        """Forgets of what a stopped build did the records whose vectors are not those that this build uses.

        One with `from_scratch` uses no vector of the current generation, any other each that it has.
        """
        if not self.unfinished():
            return
        if self._from_scratch:
            other = "NOT EXISTS (SELECT 1 FROM vectors WHERE number = records.vector)"
        else:
            other = (
                "EXISTS (SELECT 1 FROM records AS old WHERE old.said_hash = records.said_hash "
                "AND old.vector != records.vector "
                "AND old.added <= :now AND (old.retired IS NULL OR old.retired > :now))"
            )
        with self._db:
            self._execute(f"DELETE FROM records WHERE added = :target AND {other}")  # noqa: S608

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
        row = self._execute(
            "SELECT row, content_hash, source FROM records WHERE kind = :kind AND id = :id "  # noqa: S608
            f"AND {self._usable} ORDER BY added DESC, row DESC LIMIT 1",
            kind=kind,
            id=id_,
        ).fetchone()
        return Known(row[0], row[1], row[2], self._notes.kept(row[0])) if row else None

    def vector_of(self, said: bytes) -> int | None:
        """The number of the vector that records of this `said_hash` have, None where there is none yet."""
        sql = f"SELECT vector FROM records WHERE said_hash = :said AND {self._usable} ORDER BY row DESC LIMIT 1"  # noqa: S608
        row = self._execute(sql, said=said).fetchone()
        return int(row[0]) if row else None

    @property
    def _usable(self) -> str:
        """Of which records vectors and content may be taken over, as SQL."""
        return "added = :target" if self._from_scratch else f"(added = :target OR {_LIVE})"

    def keep(self, row: int) -> None:
        """The next generation has this row."""
        self._notes.keep(row)

    def fail(self, failure: SourceFailure, kind: Kind | None) -> None:
        """Notes what could not be used; with its `kind` where it is a record with an id of its own."""
        self._notes.fail(failure, kind)

    def failed_of(self, kind: Kind, id_: str) -> str | None:
        """The source whose record of this kind and id this pass could not use, None where there was none."""
        return self._notes.failed_of(kind, id_)

    def stage(self, entries: Sequence[Entry], new: Mapping[bytes, NDArray[np.float32]]) -> None:
        """Commits records and the new vectors `(dim,)` by `said_hash`: all or, if the process dies, none."""
        last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'records'").fetchone()
        numbers: dict[bytes, int] = {}
        rows = []
        for row, entry in enumerate(entries, start=last[0] + 1 if last else 1):
            number = numbers.setdefault(entry.said, row) if entry.vector is None else entry.vector
            item = entry.staged
            values = (number, entry.said, *to_columns(item.record, item.image_path, item.content_hash))
            rows.append((row, *values, checksum(values), self.target))
        marks = ", ".join("?" * (len(CHECKED.split(", ")) + 3))
        vectors = [(number, new[said].astype("<f4").tobytes()) for said, number in numbers.items()]
        with self._db:
            self._db.executemany(f"INSERT INTO records (row, {CHECKED}, checksum, added) VALUES ({marks})", rows)  # noqa: S608
            self._db.executemany("INSERT INTO vectors VALUES (?, ?)", vectors)
        for row_, *_ in rows:
            self.keep(row_)

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

    def count_words(self, kind: Kind) -> None:
        """Counts the words that are common among the records of a kind, for searches to know them by."""
        with self._db:
            for statement in count_sql(kind):
                self._db.execute(statement)

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

    def settle(self) -> None:
        """Makes the next generation exactly what was come across. Call `changes` before."""
        with self._db:
            self._execute("DELETE FROM records WHERE added = :target AND row NOT IN (SELECT row FROM seen)")
            self._execute(
                "DELETE FROM vectors WHERE NOT EXISTS "
                "(SELECT 1 FROM records WHERE records.vector = number AND added = :target)"
            )
            self._execute("UPDATE records SET retired = NULL WHERE retired = :target")
            self._execute("UPDATE records SET retired = :target WHERE row IN (SELECT row FROM gone)")
            self._execute("DELETE FROM failures WHERE generation = :target")
            self._execute("INSERT INTO failures SELECT :target, source, id, reason FROM failed ORDER BY rowid")

    def count(self, kind: Kind) -> int:
        """How many records of a kind the settled generation has."""
        sql = f"SELECT count(*) FROM records WHERE kind = :kind AND {VISIBLE}"  # noqa: S608
        return self._count(sql, kind=kind, generation=self.target)

    def numbers(self, kind: Kind) -> Rows:
        """The numbers of the settled generation's vectors, ascending."""
        sql = f"SELECT vector FROM records WHERE kind = :kind AND {VISIBLE}"  # noqa: S608
        found = self._db.execute(sql, {"kind": kind, "generation": self.target})
        return np.unique(np.fromiter((number for (number,) in found), np.int64))

    def touched(self, kind: Kind) -> bool:
        """Whether the settled generation differs from the current one in records of a kind."""
        sql = "SELECT count(*) FROM records WHERE kind = :kind AND (added = :target OR retired = :target)"
        return self._count(sql, kind=kind) > 0

    def vectors(self, kind: Kind) -> Iterator[tuple[Rows, Vectors]]:
        """The vectors of the settled generation that are in no FAISS file yet, in batches, by number."""
        cursor = self._db.execute(
            "SELECT number, floats FROM vectors "
            "WHERE EXISTS (SELECT 1 FROM records WHERE records.vector = number AND kind = ?) ORDER BY number",
            (kind,),
        )
        while batch := cursor.fetchmany(_VECTORS_A_BATCH):
            numbers = np.array([number for number, _ in batch], np.int64)
            yield numbers, np.stack([np.frombuffer(floats, "<f4") for _, floats in batch]).astype(np.float32)

    def passages(self, numbers: Rows) -> Iterator[tuple[Rows, list[str]]]:
        """What is embedded of the settled generation's passages with these vectors, in batches, by number."""
        sql = (
            f"SELECT vector, title, text, min(row) FROM records WHERE kind = 'passage' AND {VISIBLE} "  # noqa: S608
            "GROUP BY vector ORDER BY vector"
        )
        wanted = set(numbers.tolist())
        cursor = self._db.execute(sql, {"generation": self.target})
        while batch := cursor.fetchmany(_TEXTS_A_BATCH):
            found = [(number, embedded(title, text)) for number, title, text, _ in batch if number in wanted]
            if found:
                yield np.array([number for number, _ in found], np.int64), [text for _, text in found]

    def tidy(self, current: int) -> None:
        """Clears up after generation `current` has become the current one.

        Rows that went with it stay until the next, for readers that still have the one before open.
        """
        with self._db:
            self._execute("UPDATE builds SET finished_at = :at WHERE generation = :current", at=_now(), current=current)
            self._execute(
                "DELETE FROM vectors WHERE NOT EXISTS "
                "(SELECT 1 FROM records WHERE records.vector = number AND added > :current)",
                current=current,
            )
            self._execute("DELETE FROM records WHERE retired < :current", current=current)
            self._execute("DELETE FROM failures WHERE generation < :current", current=current)
        self._db.execute("PRAGMA incremental_vacuum").fetchall()

    def _note_gone(self) -> None:
        """Notes the current generation's rows that the next one does not have."""
        self._notes.write()
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
