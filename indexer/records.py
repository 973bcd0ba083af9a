"""The records of one generation, read from the index's database. Knows nothing of how a search found their vectors."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imaging import LoadedImage
from indexer.database import CHECKED, COLUMNS, VISIBLE, checksum, connect, from_columns
from indexer.errors import IndexCorruptError
from indexer.filters import condition, marks_of
from indexer.hashes import Hashes
from indexer.licenses import allowed
from indexer.manifest import DATABASE, Manifest
from indexer.types import Example, Filter, Kind, Passage, Rows

IDS_A_STATEMENT = 500
Column = Literal["id", "source_id", "article", "image_sha256"]
"""What records are looked up by."""
MOST_COPIES = 20
"""So many copies of a record are shown beside it: an empty abstract may have thousands."""


@dataclass(frozen=True)
class Shown:
    """The record that is shown for a vector, its row, and whether others may share the vector."""

    record: Example | Passage
    row: int
    shared: bool


@dataclass(frozen=True)
class ImagePlace:
    """Of an example, where its image was when it was indexed, as `indexer.images.image_ref` reads it, and what is said
    of it."""

    id: str
    image: str
    article: str | None
    source: str
    modality: str | None
    caption: str
    license: str | None
    attribution: str | None


class RecordReader:
    """Looks up records in the generation of `manifest`. May be used from several threads."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._db = connect(path / DATABASE)
        self._db.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        self._allowed: dict[frozenset[str], list[str]] = {}
        self._hashes: Hashes | None = None

    def close(self) -> None:
        """Closes the database."""
        self._db.close()

    def select(self, sql: str, values: dict[str, object]) -> list[sqlite3.Row]:
        """Rows of a statement that may name `:generation`. Raises IndexCorruptError where SQLite cannot read."""
        try:
            with self._lock:
                return self._db.execute(sql, {"generation": self.manifest.generation, **values}).fetchall()
        except sqlite3.DatabaseError as error:
            raise IndexCorruptError(
                f"{self.path / DATABASE}: damaged: {error}. Build the index again with --rebuild"
            ) from error

    def condition(self, only: Filter) -> tuple[str, dict[str, object]]:
        """A filter as SQL, and the values it names. Licences are judged once by how they are written, not record by
        record."""
        families = only.allow_licenses
        if families and families not in self._allowed:
            sql = f"SELECT DISTINCT license FROM records WHERE license IS NOT NULL AND {VISIBLE}"  # noqa: S608
            written = (row["license"] for row in self.select(sql, {}))
            self._allowed[families] = [license_ for license_ in written if allowed(license_, families)]
        return condition(only, self._allowed.get(families, ()))

    def shown(self, numbers: Sequence[int], only: Filter) -> dict[int, Shown]:
        """For each vector the first record that has it and passes the filter.

        Raises IndexCorruptError where there is none, or where it is not what was written.
        """
        passes, named = self.condition(only)
        first = f"SELECT row FROM records WHERE vector = asked.value AND {VISIBLE} AND {passes} ORDER BY row LIMIT 1"  # noqa: S608
        others = "SELECT 1 FROM records AS other WHERE other.vector = records.vector AND other.row != records.row"
        sql = (
            f"SELECT row, checksum, {CHECKED}, EXISTS ({others}) AS shared FROM records "  # noqa: S608
            f"WHERE row IN (SELECT ({first}) FROM json_each(:numbers) AS asked)"
        )
        found = self.select(sql, {**named, "numbers": json.dumps(list(numbers))})
        shown = {row["vector"]: Shown(self._sound(row), row["row"], bool(row["shared"])) for row in found}
        if len(shown) < len(numbers):
            raise IndexCorruptError(
                f"index {self.path}: damaged: {len(numbers) - len(shown)} vectors have no record. "
                f"Build it again with --rebuild"
            )
        return shown

    def beside(self, number: int, shown: Shown) -> tuple[Example | Passage, ...]:
        """The other records that have a vector, in the order they came into the index, at most MOST_COPIES."""
        if not shown.shared:
            return ()
        sql = (
            f"SELECT row, checksum, {CHECKED} FROM records "  # noqa: S608
            f"WHERE vector = :number AND row != :row AND {VISIBLE} ORDER BY row LIMIT :most"
        )
        found = self.select(sql, {"number": number, "row": shown.row, "most": MOST_COPIES})
        return tuple(self._sound(row) for row in found)

    def by_id(self, kind: Kind, ids: Sequence[str]) -> dict[str, Example | Passage]:
        """The records of a kind that have one of these ids."""
        records: dict[str, Example | Passage] = {}
        for start in range(0, len(ids), IDS_A_STATEMENT):
            marks, values = marks_of("id", ids[start : start + IDS_A_STATEMENT])
            sql = f"SELECT {COLUMNS} FROM records WHERE kind = :kind AND id IN ({marks}) AND {VISIBLE}"  # noqa: S608
            records.update({found["id"]: from_columns(found) for found in self.select(sql, {**values, "kind": kind})})
        return records

    def copies_of(self, images: Sequence[LoadedImage]) -> list[Example]:
        """See `Index.copies_of`."""
        files = self.same_files([image.sha256 for image in images])
        copies = {record.id: record for record in (*files, *self._examples("phash", [i.phash for i in images]))}
        return [copies[id_] for id_ in sorted(copies)]

    def image_places(self) -> list[ImagePlace]:
        """See `Index.image_places`."""
        sql = (
            "SELECT id, image_path, article, source, modality, text, license, attribution FROM records "  # noqa: S608
            f"WHERE kind = 'example' AND {VISIBLE} ORDER BY row"
        )
        return [ImagePlace(*row) for row in self.select(sql, {})]

    def same_files(self, sha256: Collection[str]) -> list[Example]:
        """See `Index.same_files`."""
        return self._examples("image_sha256", sha256)

    def _examples(self, column: str, values: Collection[str]) -> list[Example]:
        marks, named = marks_of("v", sorted(set(values) - {""}))
        sql = f"SELECT {COLUMNS} FROM records WHERE {among(column, marks)} AND +kind = 'example' AND {VISIBLE}"  # noqa: S608
        found = (from_columns(row) for row in self.select(sql, named))
        return [record for record in found if isinstance(record, Example)]

    def near_hashes(self, images: Sequence[LoadedImage], radius: int, most: int) -> list[list[Example]]:
        """See `Index.near_hashes`."""
        hashes = self._all_hashes()
        # Rows of other generations, which no compaction has removed yet, are among them.
        rows = [hashes.near(image.phash, radius, 2 * most) if image.phash else [] for image in images]
        wanted = sorted({row for near in rows for row in near})
        found: dict[int, Example] = {}
        for start in range(0, len(wanted), IDS_A_STATEMENT):
            marks, named = marks_of("row", wanted[start : start + IDS_A_STATEMENT])
            sql = f"SELECT row, {COLUMNS} FROM records WHERE row IN ({marks}) AND {VISIBLE}"  # noqa: S608
            for values in self.select(sql, named):
                if isinstance(record := from_columns(values), Example):
                    found[values["row"]] = record
        return [[found[row] for row in near if row in found][:most] for near in rows]

    def _all_hashes(self) -> Hashes:
        """Read at the first use, from the column's own index: the records are not touched."""
        hashes = self._hashes
        if hashes is None:
            found = self.select("SELECT row, phash FROM records WHERE phash != ''", {})
            hashes = Hashes([row["row"] for row in found], [row["phash"] for row in found])
            self._hashes = hashes
        return hashes

    def rows_with(self, column: Column, values: Collection[str]) -> set[int]:
        """See `Index.rows_with`."""
        rows: set[int] = set()
        wanted = sorted(set(values) - {""})
        for start in range(0, len(wanted), IDS_A_STATEMENT):
            marks, named = marks_of("v", wanted[start : start + IDS_A_STATEMENT])
            kinds = "kind IN ('example', 'passage') AND " if column == "id" else ""
            sql = f"SELECT row FROM records WHERE {kinds}{among(column, marks)} AND {VISIBLE}"  # noqa: S608
            rows.update(row["row"] for row in self.select(sql, named))
        return rows

    def vectors_with(self, kind: Kind, column: str, values: Sequence[str]) -> set[int]:
        """The numbers of the vectors that a record of a kind with one of these values in a column has."""
        numbers: set[int] = set()
        for start in range(0, len(values), IDS_A_STATEMENT):
            marks, named = marks_of("v", values[start : start + IDS_A_STATEMENT])
            kind_ = "kind" if column == "id" else "+kind"
            sql = f"SELECT vector FROM records WHERE {among(column, marks)} AND {kind_} = :kind AND {VISIBLE}"  # noqa: S608
            numbers.update(row["vector"] for row in self.select(sql, {**named, "kind": kind}))
        return numbers

    def numbers_by_id(self, kind: Kind, ids: Sequence[str]) -> dict[str, int]:
        """The number of the vector of each of these records of a kind that is there."""
        numbers: dict[str, int] = {}
        for start in range(0, len(ids), IDS_A_STATEMENT):
            marks, named = marks_of("v", ids[start : start + IDS_A_STATEMENT])
            sql = f"SELECT id, vector FROM records WHERE id IN ({marks}) AND kind = :kind AND {VISIBLE}"  # noqa: S608
            numbers.update((row["id"], row["vector"]) for row in self.select(sql, {**named, "kind": kind}))
        return numbers

    def vectors_of(self, rows: Rows) -> list[int]:
        """The numbers of the vectors of these rows, in their order, each once, without rows of other generations."""
        numbers: dict[int, int] = {}
        for start in range(0, len(rows), IDS_A_STATEMENT):
            marks, named = marks_of("row", rows[start : start + IDS_A_STATEMENT].tolist())
            sql = f"SELECT row, vector FROM records WHERE row IN ({marks}) AND {VISIBLE}"  # noqa: S608
            numbers.update({found["row"]: found["vector"] for found in self.select(sql, named)})
        return list(dict.fromkeys(numbers[row] for row in rows.tolist() if row in numbers))

    def _sound(self, found: sqlite3.Row) -> Example | Passage:
        """The record of a row, its own checksum held against it. Raises IndexCorruptError."""
        if checksum(tuple(found)[2 : 2 + _CHECKED_COLUMNS]) != found["checksum"]:
            raise IndexCorruptError(
                f"{self.path / DATABASE}: damaged: record {found['id']!r} is not what was written. "
                f"Build the index again with --rebuild"
            )
        return from_columns(found)


def among(column: str, marks: str) -> str:
    """That a column has one of these values, none of them empty, so that SQLite goes by the column's own index.

    It takes a partial index only where its condition is stated. `+kind` beside it keeps SQLite from `(kind, id)`,
    by which it would read every record of the kind.
    """
    return f"{column} IN ({marks}) AND {column} != ''"


_CHECKED_COLUMNS = len(CHECKED.split(", "))
