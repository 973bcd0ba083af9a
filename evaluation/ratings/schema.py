"""The tables of a file of ratings, and rows in and out of them."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict
from typing import Any

from evaluation.ratings.types import Answer, Arm, Item, Rating, Shown, Task, Text

SCHEMA_VERSION = 1
APPLICATION_ID = 0x4C524154
"""`LRAT`: what tells this file from another program's."""

SCHEMA_SQL = """
CREATE TABLE task (key TEXT PRIMARY KEY, value TEXT NOT NULL);  -- JSON
CREATE TABLE items (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    image_id TEXT NOT NULL,
    image TEXT NOT NULL,
    question TEXT NOT NULL,
    grp TEXT NOT NULL,
    stratum TEXT NOT NULL,
    texts TEXT NOT NULL,                    -- JSON list of {arm, text, evidence}
    gold TEXT,                              -- JSON: what is asked -> the right answers
    repeated INTEGER NOT NULL
);
CREATE TABLE assignments (
    rater TEXT NOT NULL,
    position INTEGER NOT NULL,
    item TEXT NOT NULL REFERENCES items (id),
    occasion INTEGER NOT NULL,
    swapped INTEGER NOT NULL,
    PRIMARY KEY (rater, position),
    UNIQUE (rater, item, occasion)
) WITHOUT ROWID;
CREATE TABLE ratings (
    rater TEXT NOT NULL,
    item TEXT NOT NULL REFERENCES items (id),
    occasion INTEGER NOT NULL CHECK (occasion IN (1, 2)),
    swapped INTEGER NOT NULL,
    accuracy INTEGER CHECK (accuracy BETWEEN 1 AND 5),
    completeness INTEGER CHECK (completeness BETWEEN 1 AND 5),
    usefulness INTEGER CHECK (usefulness BETWEEN 1 AND 5),
    preferred TEXT CHECK (preferred IN ('first', 'second', 'tie')),
    comment TEXT NOT NULL,
    edited TEXT NOT NULL,
    skipped INTEGER NOT NULL,
    seconds REAL,
    at TEXT NOT NULL,
    PRIMARY KEY (rater, item, occasion)
) WITHOUT ROWID;
CREATE TABLE replaced (
    rater TEXT, item TEXT, occasion INTEGER, swapped INTEGER, accuracy INTEGER, completeness INTEGER,
    usefulness INTEGER, preferred TEXT, comment TEXT, edited TEXT, skipped INTEGER, seconds REAL, at TEXT
);
"""
COLUMNS = (
    "rater, item, occasion, swapped, accuracy, completeness, usefulness, preferred, comment, edited, skipped, "
    "seconds, at"
)
SELECT = f"SELECT {COLUMNS} FROM ratings"  # noqa: S608 - the columns above
ONE = "WHERE rater = ? AND item = ? AND occasion = ?"
INSERT = f"INSERT INTO ratings ({COLUMNS}) VALUES ({', '.join('?' * 13)})"  # noqa: S608 - question marks
DELETE = f"DELETE FROM ratings {ONE}"  # noqa: S608 - the condition above
INSERT_ITEM = f"INSERT INTO items VALUES (NULL{', ?' * 9})"  # noqa: S608 - question marks


def task_from(values: dict[str, str]) -> Task:
    """A task from the rows of `task`."""
    read: dict[str, Any] = {key: json.loads(value) for key, value in values.items()}
    return Task(**{**read, "arms": tuple(Arm(**arm) for arm in read["arms"])})


def item_row(item: Item) -> tuple[Any, ...]:
    """An item as the values of INSERT_ITEM."""
    texts = json.dumps([asdict(text) for text in item.texts], ensure_ascii=False)
    gold = None if item.gold is None else json.dumps(item.gold)
    about = (item.id, item.image_id, item.image, item.question, item.group, item.stratum)
    return (*about, texts, gold, item.repeated)


def item_from(row: sqlite3.Row) -> Item:
    """An item from a row of `items`."""
    texts = tuple(
        Text(text["arm"], text["text"], tuple(Shown(**shown) for shown in text["evidence"]))
        for text in json.loads(row["texts"])
    )
    gold = None if row["gold"] is None else json.loads(row["gold"])
    about = (row["id"], row["image_id"], row["image"], row["question"], row["grp"], row["stratum"])
    return Item(*about, texts, gold, bool(row["repeated"]))


def rating_row(rating: Rating) -> tuple[Any, ...]:
    """A rating as the values of INSERT."""
    a = rating.answer
    said = (a.accuracy, a.completeness, a.usefulness, a.preferred, a.comment, a.edited, a.skipped)
    return (rating.rater, rating.item, rating.occasion, rating.swapped, *said, rating.seconds, rating.at)


def rating_from(row: sqlite3.Row) -> Rating:
    """A rating from a row of SELECT."""
    said = (row["accuracy"], row["completeness"], row["usefulness"], row["preferred"], row["comment"], row["edited"])
    answer = Answer(*said, bool(row["skipped"]))
    return Rating(
        row["rater"], row["item"], row["occasion"], bool(row["swapped"]), answer, row["seconds"], row["at"]
    )  # fmt: skip
