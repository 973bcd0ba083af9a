"""What is known of the images so far, so that a run that was stopped goes on: an SQLite file in the prepared folder,
gone once that is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

JOURNAL = "images.sqlite"

_TABLES = """
CREATE TABLE IF NOT EXISTS images (
    ref TEXT PRIMARY KEY,                   -- where the source has it
    stamp TEXT NOT NULL,                    -- what tells that it has changed there
    file TEXT NOT NULL,                     -- what it is called here; empty where it cannot be had
    pixels TEXT NOT NULL,                   -- SHA-256 of the decoded pixels
    phash TEXT NOT NULL,
    failed TEXT NOT NULL                    -- why it cannot be had
);
CREATE TABLE IF NOT EXISTS request (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    json TEXT NOT NULL                      -- what the folder is being prepared from, and how
);
CREATE TABLE IF NOT EXISTS thumbnails (
    pixels TEXT PRIMARY KEY,
    jpeg BLOB NOT NULL
);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """An image as the prepared folder has it, or (`file` empty) why it does not.

    `pixels` and `phash` are those of a LoadedImage; `phash` is empty where pictures are not compared.
    """

    ref: str
    stamp: str
    file: str = ""
    pixels: str = ""
    phash: str = ""
    failed: str = ""


class Journal:
    """The images that are stored. Used from one thread at a time."""

    def __init__(self, file: Path) -> None:
        """Raises sqlite3.Error."""
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")  # a kill loses nothing; a power cut the last few, done again
        self._db.executescript(_TABLES)

    def request(self) -> str | None:
        """What was written down when the folder was begun."""
        row = self._db.execute("SELECT json FROM request").fetchone()
        return row[0] if row else None

    def begin(self, request: str) -> None:
        """Writes down what the folder is prepared from."""
        self._db.execute("INSERT OR REPLACE INTO request VALUES (1, ?)", (request,))

    def known(self) -> dict[str, Stored]:
        """By reference, what is stored already."""
        rows = self._db.execute("SELECT ref, stamp, file, pixels, phash, failed FROM images")
        return {row[0]: Stored(*row) for row in rows}

    def add(self, several: Sequence[tuple[Stored, bytes]]) -> None:
        """Images, each with the JPEG bytes of its thumbnail (none where it is not compared), in one step."""
        with self._step():
            self._db.executemany(
                "INSERT OR REPLACE INTO images VALUES (?, ?, ?, ?, ?, ?)",
                [(s.ref, s.stamp, s.file, s.pixels, s.phash, s.failed) for s, _ in several],
            )
            self._db.executemany(
                "INSERT OR IGNORE INTO thumbnails VALUES (?, ?)", [(s.pixels, jpeg) for s, jpeg in several if jpeg]
            )

    def thumbnail(self, pixels: str) -> bytes:
        """The JPEG bytes of the thumbnail of these pixels; empty where there is none."""
        row = self._db.execute("SELECT jpeg FROM thumbnails WHERE pixels = ?", (pixels,)).fetchone()
        return row[0] if row else b""

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def _step(self) -> Iterator[None]:
        self._db.execute("BEGIN")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")
