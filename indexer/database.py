"""The index's SQLite file: its tables, and records in and out of them.

A row belongs to the generations from `added` up to, not including, `retired`. A reader asks for one
generation and so sees neither what a build is adding nor the loss of what it replaces.

Each record is a row. Those of a generation that say the same (`said_hash`) share one vector, which has the number of
the row it was made for and is there as long as one of them is.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from indexer.errors import IndexCorruptError
from indexer.types import Example, Passage
from indexer.words import schema_sql

SCHEMA_SQL = """
PRAGMA auto_vacuum = INCREMENTAL;
CREATE TABLE IF NOT EXISTS records (
    row INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used twice
    vector INTEGER NOT NULL,                -- its vector's number: this row, or an earlier one that says the same
    said_hash BLOB NOT NULL,                -- of what is embedded and shown, see `said_hash`
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    source TEXT NOT NULL,
    text TEXT NOT NULL,                     -- an example's caption, a passage's text
    source_id TEXT,
    title TEXT,
    article TEXT,
    license TEXT,
    attribution TEXT,
    url TEXT,
    concepts TEXT NOT NULL,                 -- JSON list
    modality TEXT,
    year INTEGER,
    image_sha256 TEXT NOT NULL,
    phash TEXT NOT NULL,
    image_path TEXT NOT NULL,
    content_hash TEXT NOT NULL,             -- of what the source says and the image's bytes
    checksum TEXT NOT NULL,                 -- of this row
    added INTEGER NOT NULL,
    retired INTEGER,
    thumbnail BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS records_id ON records (kind, id);
CREATE INDEX IF NOT EXISTS records_vector ON records (vector);
CREATE INDEX IF NOT EXISTS records_said ON records (said_hash);
CREATE INDEX IF NOT EXISTS records_source_id ON records (source_id) WHERE source_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_article ON records (article) WHERE article IS NOT NULL;
CREATE INDEX IF NOT EXISTS records_image ON records (image_sha256) WHERE image_sha256 != '';
CREATE INDEX IF NOT EXISTS records_phash ON records (phash) WHERE phash != '';
CREATE TABLE IF NOT EXISTS vectors (        -- embedded, not yet in a FAISS file
    number INTEGER PRIMARY KEY,
    floats BLOB NOT NULL                    -- float32
);
CREATE TABLE IF NOT EXISTS builds (
    generation INTEGER PRIMARY KEY,
    fingerprints TEXT NOT NULL,             -- JSON: space to {fingerprint, name}
    config_file TEXT,
    started_at TEXT NOT NULL,
    finished_at TEXT
);
CREATE TABLE IF NOT EXISTS failures (
    generation INTEGER NOT NULL,
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    reason TEXT NOT NULL
);
"""

COLUMNS = (
    "kind, id, source, text, source_id, title, article, license, attribution, url, concepts, modality, year, "
    "image_sha256, phash, image_path, content_hash, thumbnail"
)
"""What is stored of a record, in the order of `to_columns`."""

CHECKED = f"vector, said_hash, {COLUMNS}"
"""What a row's checksum is of."""

VISIBLE = "added <= :generation AND (retired IS NULL OR retired > :generation)"

_BUSY_TIMEOUT_S = 60.0


def connect(file: Path, *, create: bool = False) -> sqlite3.Connection:
    """A connection that may be used from any thread, one at a time.

    Raises IndexCorruptError where the file is missing (unless it is to be created) or no database.
    """
    mode = "rwc" if create else "rw" if os.access(file, os.W_OK) else "ro"
    try:
        connection = sqlite3.connect(
            f"{file.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_TIMEOUT_S, check_same_thread=False
        )
        try:
            if create:
                connection.executescript(SCHEMA_SQL + schema_sql())
            else:
                # A reader opens the file for writing where it may, so that SQLite can undo what a killed build left.
                connection.execute("PRAGMA query_only = ON")
                connection.execute("SELECT 1 FROM records LIMIT 1")
        except sqlite3.DatabaseError:
            connection.close()
            raise
    except sqlite3.DatabaseError as error:
        raise IndexCorruptError(f"{file}: missing or damaged: {error}. Build the index again with --rebuild") from error
    return connection


def half_built_from(file: Path) -> str | None:
    """The configuration file a build was stopped on, None where it had none or had not begun."""
    with closing(connect(file)) as connection:
        row = connection.execute("SELECT config_file FROM builds ORDER BY generation DESC LIMIT 1").fetchone()
    return row[0] if row else None


def content_hash(record: Example | Passage) -> str:
    """SHA-256 of what a source says of a record and of the image's bytes: what decides whether it is new."""
    values = to_columns(record, "", "")
    known_only_after_decoding = {"phash", "image_path", "content_hash", "thumbnail"}
    names = COLUMNS.split(", ")
    said = [value for name, value in zip(names, values, strict=True) if name not in known_only_after_decoding]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode()).hexdigest()


def said_hash(record: Example | Passage) -> bytes:
    """16 bytes (BLAKE2b) of what makes records exact duplicates: the image's bytes and the caption, or title and text.

    Runs of white space count as one space. An example must have its `image_sha256`.
    """
    if isinstance(record, Example):
        said: tuple[str, ...] = ("example", record.image_sha256, record.caption)
    else:
        said = ("passage", record.title or "", record.text)
    parts = [" ".join(part.split()) for part in said]
    return hashlib.blake2b(json.dumps(parts, ensure_ascii=False).encode(), digest_size=16).digest()


def to_columns(record: Example | Passage, image_path: str, content_hash_: str) -> tuple[Any, ...]:
    """A record as the values of COLUMNS."""
    r = record
    if isinstance(r, Example):
        words: tuple[Any, ...] = ("example", r.id, r.source, r.caption, None, None, r.article, r.license, r.attribution)
        facts = (r.url, json.dumps(r.concepts, ensure_ascii=False), r.modality, r.year, r.image_sha256, r.phash)
        return (*words, *facts, image_path, content_hash_, r.thumbnail)
    words = ("passage", r.id, r.source, r.text, r.source_id, r.title, r.article, r.license, r.attribution)
    return (*words, r.url, "[]", None, r.year, "", "", "", content_hash_, b"")


def from_columns(values: sqlite3.Row) -> Example | Passage:
    """A record from a row that has COLUMNS."""
    v = values
    if v["kind"] == "example":
        return Example(
            id=v["id"],
            caption=v["text"],
            source=v["source"],
            article=v["article"],
            license=v["license"],
            attribution=v["attribution"],
            url=v["url"],
            concepts=tuple(json.loads(v["concepts"])),
            modality=v["modality"],
            year=v["year"],
            image_sha256=v["image_sha256"],
            phash=v["phash"],
            thumbnail=v["thumbnail"],
        )
    return Passage(
        id=v["id"],
        text=v["text"],
        source=v["source"],
        source_id=v["source_id"],
        title=v["title"],
        license=v["license"],
        attribution=v["attribution"],
        url=v["url"],
        year=v["year"],
        article=v["article"],
    )


def checksum(values: Iterable[Any]) -> str:
    """SHA-256 over the values of CHECKED, each with its type and length."""
    digest = hashlib.sha256()
    for value in values:
        data = value if isinstance(value, bytes) else str(value).encode()
        digest.update(f"{type(value).__name__}:{len(data)}:".encode() + data)
    return digest.hexdigest()
