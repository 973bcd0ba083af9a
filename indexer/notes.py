"""What one pass of a build has come across, in SQLite's temporary tables: on disk, so that memory stays as it is."""

from __future__ import annotations

import sqlite3

from indexer.types import Kind, SourceFailure

_ROWS_AT_ONCE = 4096

_TABLES = """
PRAGMA temp_store = FILE;
CREATE TEMP TABLE seen (row INTEGER PRIMARY KEY);
CREATE TEMP TABLE gone (row INTEGER PRIMARY KEY);
CREATE TEMP TABLE failed (source TEXT NOT NULL, id TEXT NOT NULL, reason TEXT NOT NULL, kind TEXT);
CREATE INDEX temp.failed_record ON failed (kind, id) WHERE kind IS NOT NULL;
"""


class PassNotes:
    """Rows that the next generation has (table `seen`), and what could not be used (`failed`).

    The ledger fills the third table, `gone`: rows that the next generation does not have.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._rows: set[int] = set()
        self._failed: list[tuple[str, str, str, Kind | None]] = []
        self._failed_records: dict[tuple[Kind, str], str] = {}  # those of `_failed` that are records, and their source
        self._any_failed = False
        self._db.executescript(_TABLES)

    def keep(self, row: int) -> None:
        """Notes a row."""
        self._rows.add(row)
        if len(self._rows) >= _ROWS_AT_ONCE:
            self.write()

    def kept(self, row: int) -> bool:
        """Whether a row has been noted."""
        if row in self._rows:
            return True
        return self._db.execute("SELECT 1 FROM seen WHERE row = ?", (row,)).fetchone() is not None

    def fail(self, failure: SourceFailure, kind: Kind | None) -> None:
        """Notes what could not be used; with its `kind` where it is a record with an id of its own."""
        self._failed.append((failure.source, failure.id, failure.reason, kind))
        if kind is not None:
            self._failed_records.setdefault((kind, failure.id), failure.source)
            self._any_failed = True
        if len(self._failed) >= _ROWS_AT_ONCE:
            self.write()

    def failed_of(self, kind: Kind, id_: str) -> str | None:
        """The source whose record of this kind and id could not be used, None where there was none."""
        if not self._any_failed:
            return None
        found = self._db.execute("SELECT source FROM failed WHERE kind = ? AND id = ?", (kind, id_)).fetchone()
        return found[0] if found else self._failed_records.get((kind, id_))

    def write(self) -> None:
        """Puts what is noted into the tables. Not inside a transaction."""
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?)", [(row,) for row in sorted(self._rows)])
            self._db.executemany("INSERT INTO failed VALUES (?, ?, ?, ?)", self._failed)
        self._rows.clear()
        self._failed.clear()
        self._failed_records.clear()
