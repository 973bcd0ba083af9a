"""The records that were answered, by id. SQLite, written to the disk before they are acknowledged. No pixels."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.errors import CannotServe

_TABLE = """
CREATE TABLE IF NOT EXISTS records (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    made TEXT NOT NULL,
    owner TEXT NOT NULL,
    record TEXT NOT NULL
)
"""


class RecordStore:
    """Keeps the newest `most` records. Safe to use from several threads."""

    def __init__(self, file: Path, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            file.touch(mode=0o600)  # and so are the files that SQLite makes beside it
            self._db = sqlite3.connect(file, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")  # committed is on the disk
            self._db.execute(_TABLE)
            self._db.commit()
        except (OSError, sqlite3.Error) as error:
            raise CannotServe(f"{file}: records cannot be kept there: {error}") from error

    def keep(self, record: Mapping[str, Any], owner: str) -> str:
        """Keeps a record for its owner, and returns it as it is answered: JSON text. Raises sqlite3.Error."""
        text = json.dumps(record, ensure_ascii=False)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        with self._lock, self._db:
            number = self._db.execute(
                "INSERT INTO records (id, made, owner, record) VALUES (?, ?, ?, ?)", (record["id"], made, owner, text)
            ).lastrowid
            self._db.execute("DELETE FROM records WHERE number <= ?", ((number or 0) - self._most,))
        return text

    def text(self, id_: str, owner: str) -> str | None:
        """The record of an id as JSON text; None where its owner has none of that id, or none any more."""
        with self._lock:
            row = self._db.execute("SELECT record FROM records WHERE id = ? AND owner = ?", (id_, owner)).fetchone()
        return None if row is None else str(row[0])

    def __len__(self) -> int:
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM records").fetchone()[0])

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._db.close()
