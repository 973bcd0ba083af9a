"""A task and its ratings in one SQLite file that many processes write at once.

The file is in WAL mode, so that readers and writers do not wait for each other; a write is one transaction that has the
lock from its start (`BEGIN IMMEDIATE`) and is on the disk when it returns (`synchronous=FULL`). There is one rating of
an item by a rater on an occasion, held by a primary key: a second answer replaces the first, which is moved to
`replaced` in the same transaction; the same answer again, as from a form that was sent twice, changes nothing. WAL
needs a local disk: a network file system does not do.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from evaluation.errors import RatingsError
from evaluation.ratings.sampling import plan
from evaluation.ratings.schema import (
    APPLICATION_ID,
    DELETE,
    INSERT,
    INSERT_ITEM,
    ONE,
    SCHEMA_SQL,
    SCHEMA_VERSION,
    SELECT,
    item_from,
    item_row,
    rating_from,
    rating_row,
    task_from,
)
from evaluation.ratings.types import Answer, Assignment, Item, Rating, Task, checked, checked_name

_BUSY_TIMEOUT_S = 60.0

Saved = Literal["new", "same", "replaced"]


@dataclass(frozen=True)
class Ratings:
    """All that a file holds. `assigned` is how many items each rater was given; `replaced` counts former answers."""

    file: Path
    task: Task
    items: tuple[Item, ...]
    ratings: tuple[Rating, ...]
    assigned: dict[str, int]
    replaced: int

    @property
    def judged(self) -> list[tuple[Item, Rating]]:
        """Answers to items of arms, on the first occasion, that were not skipped: what is counted for the arms."""
        items = {item.id: item for item in self.items if item.gold is None}
        kept = [r for r in self.ratings if r.item in items and r.occasion == 1 and not r.answer.skipped]
        return [(items[rating.item], rating) for rating in kept]

    @property
    def judged_items(self) -> list[tuple[Item, list[Rating]]]:
        """`judged` by item, in the file's order; items that nobody judged are left out."""
        found: dict[str, list[Rating]] = defaultdict(list)
        for item, rating in self.judged:
            found[item.id].append(rating)
        return [(item, found[item.id]) for item in self.items if item.id in found]

    @property
    def by_occasion(self) -> list[tuple[Item, int, list[Rating]]]:
        """Every item as often as a rater sees it, with the occasion and the ratings on it, in the file's order."""
        found: dict[tuple[str, int], list[Rating]] = defaultdict(list)
        for rating in self.ratings:
            found[rating.item, rating.occasion].append(rating)
        return [(item, time, found[item.id, time]) for item in self.items for time in item.occasions]


def read_ratings(file: Path) -> Ratings:
    """What a file holds at this moment. Raises RatingsError where it is no file of ratings."""
    with Store.open(file) as store, store.reading():
        return Ratings(file, store.task, store.items, store.ratings(), store.assigned(), store.replaced())


def not_over(file: Path, out: Path) -> None:
    """Makes the folder of `out`. Raises RatingsError where `out` is the file of the ratings itself."""
    if out.exists() and out.samefile(file):
        raise RatingsError(f"{out} holds the ratings themselves: give another name with --out")
    out.parent.mkdir(parents=True, exist_ok=True)


class Store:
    """The open file. To be used by one thread at a time; each process opens its own."""

    def __init__(self, file: Path, connection: sqlite3.Connection) -> None:
        self.file = file
        self._db = connection
        self.task = task_from(dict(connection.execute("SELECT key, value FROM task").fetchall()))
        rows = connection.execute("SELECT * FROM items ORDER BY number").fetchall()
        self.items: tuple[Item, ...] = tuple(map(item_from, rows))
        self._ids = {item.id: item for item in self.items}

    @classmethod
    def create(cls, file: Path, task: Task, items: Sequence[Item]) -> None:
        """Writes a new file, whole or not at all. Raises RatingsError where it is there already."""
        if file.exists():
            raise RatingsError(f"{file} is there already, and may hold ratings. Give another name with --out")
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_name(f"{file.name}.{os.getpid()}.tmp")
        try:
            with closing(sqlite3.connect(half, isolation_level=None)) as db:
                db.executescript(f"PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {SCHEMA_VERSION};")
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(SCHEMA_SQL)
                db.execute("BEGIN IMMEDIATE")
                values = {key: json.dumps(value, ensure_ascii=False) for key, value in asdict(task).items()}
                db.executemany("INSERT INTO task VALUES (?, ?)", values.items())
                db.executemany(INSERT_ITEM, map(item_row, items))
                db.execute("COMMIT")
            # A link fails where another process made the file meanwhile; a rename would write over it.
            os.link(half, file)
        except FileExistsError as error:
            raise RatingsError(f"{file} is there already, and may hold ratings. Give another name") from error
        finally:
            half.unlink(missing_ok=True)

    @classmethod
    def open(cls, file: Path) -> Store:
        """Raises RatingsError where there is no such file, it is no file of ratings, or one of another version."""
        if not file.is_file():
            raise RatingsError(f"{file}: no such file. Make a task: python cli.py ratings make --run DIR --out {file}")
        try:
            db = sqlite3.connect(
                f"{file.absolute().as_uri()}?{_mode(file)}", uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip
            db.row_factory = sqlite3.Row
            try:
                _check_version(file, db)
                db.executescript("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL;")
                return cls(file, db)
            except (sqlite3.DatabaseError, RatingsError):
                db.close()
                raise
        except sqlite3.DatabaseError as error:
            raise RatingsError(f"{file}: cannot be read as a file of ratings: {error}") from error

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All that is written inside is there afterwards, or none of it. Others that write wait.

        Raises RatingsError where the disk, or a lock that is held too long, does not let it be written.
        """
        if self._db.in_transaction:
            yield
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise RatingsError(f"{self.file} was not written: {error}. What was answered before is kept") from error

    @contextmanager
    def reading(self) -> Iterator[None]:
        """All that is read inside is of one moment."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def join(self, rater: str) -> str:
        """Gives a rater items in an order of their own, unless they have theirs; the name as it is stored."""
        name = checked_name(rater)
        with self.writing():
            if self._db.execute("SELECT 1 FROM assignments WHERE rater = ? LIMIT 1", (name,)).fetchone() is None:
                seen = dict(
                    self._db.execute("SELECT item, COUNT(*) FROM assignments WHERE occasion = 1 GROUP BY item")
                    .fetchall()
                )  # fmt: skip
                task = self.task
                given = plan(self.items, name, task.seed, task.kind, seen, task.per_rater)
                rows = [(name, a.position, a.item, a.occasion, a.swapped) for a in given]
                self._db.executemany("INSERT INTO assignments VALUES (?, ?, ?, ?, ?)", rows)
        return name

    def plan(self, rater: str) -> tuple[Assignment, ...]:
        """What a rater was given, in their order; empty before `join`."""
        rows = self._db.execute(
            "SELECT position, item, occasion, swapped FROM assignments WHERE rater = ? ORDER BY position", (rater,)
        )
        return tuple(Assignment(row[0], row[1], row[2], bool(row[3])) for row in rows)

    def save(self, rating: Rating) -> Saved:
        """Keeps an answer. Raises RatingsError where it is none, or to no item of this task."""
        self.item(rating.item, rating.occasion)
        rating = replace(
            rating, rater=checked_name(rating.rater), answer=checked(rating.answer, self.task.kind),
            at=rating.at or datetime.now(UTC).isoformat(timespec="milliseconds"),
        )  # fmt: skip
        with self.writing():
            before = self._one(rating)
            if before is not None and before.answer == rating.answer:
                return "same"
            if before is not None:
                self._db.execute(f"INSERT INTO replaced {SELECT} {ONE}", rating.key)
                self._db.execute(DELETE, rating.key)
            self._db.execute(INSERT, rating_row(rating))
        return "new" if before is None else "replaced"

    def item(self, id_: str, occasion: int = 1) -> Item:
        """An item by its id. Raises RatingsError where the task has none of that id, or it is not shown so often."""
        if id_ not in self._ids:
            raise RatingsError(f"this task has no item {id_!r}")
        if occasion not in self._ids[id_].occasions:
            raise RatingsError(f"item {id_} is not shown a {occasion}. time")
        return self._ids[id_]

    def rating(self, rater: str, item: str, occasion: int) -> Rating | None:
        """The answer of a rater on an occasion."""
        return self._one(Rating(rater, item, occasion, False, Answer(), None, ""))

    def ratings(self, rater: str | None = None) -> tuple[Rating, ...]:
        """All ratings, or those of one rater, by rater, item and occasion."""
        where, values = ("", ()) if rater is None else ("WHERE rater = ?", (rater,))
        rows = self._db.execute(f"{SELECT} {where} ORDER BY rater, item, occasion", values)
        return tuple(map(rating_from, rows))

    def assigned(self) -> dict[str, int]:
        """How many items each rater was given, repeated ones counted twice."""
        counted = self._db.execute("SELECT rater, COUNT(*) FROM assignments GROUP BY rater ORDER BY rater")
        return dict(counted.fetchall())

    def raters(self) -> list[str]:
        """Everyone who was given items or whose ratings are here, by name."""
        rows = self._db.execute("SELECT rater FROM assignments UNION SELECT rater FROM ratings ORDER BY rater")
        return [row[0] for row in rows]

    def replaced(self) -> int:
        """How many answers were replaced by later ones."""
        return int(self._db.execute("SELECT COUNT(*) FROM replaced").fetchone()[0])

    def _one(self, rating: Rating) -> Rating | None:
        row = self._db.execute(f"{SELECT} {ONE}", rating.key).fetchone()
        return None if row is None else rating_from(row)


def _mode(file: Path) -> str:
    """How SQLite opens the file. One that may not be written is read with its `-wal`, if another has it open.

    Answers that are not in the file itself yet are in the `-wal` alone, and `immutable` passes over it; but without
    one, only `immutable` reads a file in WAL mode in a folder that may not be written either.
    """
    if os.access(file, os.W_OK):
        return "mode=rw"
    return "mode=ro" if file.with_name(f"{file.name}-wal").exists() else "mode=ro&immutable=1"


def _check_version(file: Path, db: sqlite3.Connection) -> None:
    made_by, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if made_by != APPLICATION_ID:
        raise RatingsError(f"{file} is no file of ratings. Make one: python cli.py ratings make --run DIR --out FILE")
    if version != SCHEMA_VERSION:
        raise RatingsError(
            f"{file} has version {version} of the tables, this program reads {SCHEMA_VERSION}. Use the program that "
            "made it, or export its ratings with that and import them here"
        )
