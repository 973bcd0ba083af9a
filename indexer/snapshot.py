"""One generation of an index, as readers see it: rows of the database and vectors in memory."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from imaging import LoadedImage
from indexer.database import COLUMNS, VISIBLE, connect, from_columns
from indexer.errors import IndexCorruptError, QueryError
from indexer.manifest import DATABASE, Manifest
from indexer.publish import SPACES
from indexer.types import Evidence, Example, Kind, Passage, Query
from indexer.vectors import Rows, VectorFile

_IDS_A_STATEMENT = 500


class Snapshot:
    """Searches and looks up in the generation of `manifest`. May be used from several threads."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._db = connect(path / DATABASE)
        self._db.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        self._files: dict[str, VectorFile] = {}

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

    def vectors(self, space: str) -> VectorFile:
        """The vectors of a space, read at the first use.

        Raises QueryError for an unknown space, IndexCorruptError where the file is missing or not what it was.
        """
        with self._lock:
            if space not in self._files:
                self._files[space] = self._read(space)
            return self._files[space]

    def search(self, queries: Sequence[Query]) -> list[list[Evidence]]:
        """See `Index.search`."""
        found: dict[int, list[tuple[int, float]]] = {}
        for space in {query.space: None for query in queries}:
            places = [place for place, query in enumerate(queries) if query.space == space]
            found.update(zip(places, self._nearest(space, [queries[place] for place in places]), strict=True))
        records = self.by_row({row for pairs in found.values() for row, _ in pairs})
        return [_ranked(found[place], records, query.k) for place, query in enumerate(queries)]

    def by_row(self, rows: Iterable[int]) -> dict[int, Example | Passage]:
        """The records of row numbers. Raises IndexCorruptError where one is missing."""
        wanted = sorted(rows)
        records: dict[int, Example | Passage] = {}
        for start in range(0, len(wanted), _IDS_A_STATEMENT):
            marks, values = _marks("row", wanted[start : start + _IDS_A_STATEMENT])
            sql = f"SELECT row, {COLUMNS} FROM records WHERE row IN ({marks}) AND {VISIBLE}"  # noqa: S608
            records.update({found["row"]: from_columns(found) for found in self.select(sql, values)})
        if len(records) < len(wanted):
            raise IndexCorruptError(
                f"index {self.path}: damaged: {len(wanted) - len(records)} vectors have no record. "
                f"Build it again with --rebuild"
            )
        return records

    def by_id(self, kind: Kind, ids: Sequence[str]) -> dict[str, Example | Passage]:
        """The records of a kind that have one of these ids."""
        records: dict[str, Example | Passage] = {}
        for start in range(0, len(ids), _IDS_A_STATEMENT):
            marks, values = _marks("id", ids[start : start + _IDS_A_STATEMENT])
            sql = f"SELECT {COLUMNS} FROM records WHERE kind = :kind AND id IN ({marks}) AND {VISIBLE}"  # noqa: S608
            records.update({found["id"]: from_columns(found) for found in self.select(sql, {**values, "kind": kind})})
        return records

    def copies_of(self, images: Sequence[LoadedImage]) -> list[Example]:
        """See `Index.copies_of`."""
        copies: dict[str, Example] = {}
        for column, values in {
            "image_sha256": {image.sha256 for image in images},
            "phash": {image.phash for image in images},
        }.items():
            marks, named = _marks("v", sorted(values - {""}))
            sql = f"SELECT {COLUMNS} FROM records WHERE {_among(column, marks)} AND +kind = 'example' AND {VISIBLE}"  # noqa: S608
            found = (from_columns(row) for row in self.select(sql, named))
            copies.update({record.id: record for record in found if isinstance(record, Example)})
        return [copies[id_] for id_ in sorted(copies)]

    def _read(self, space: str) -> VectorFile:
        described = self.manifest.spaces.get(space)
        if described is None:
            raise QueryError(f"index {self.path} has no space {space!r}; it has {', '.join(self.manifest.spaces)}")
        file = self.path / described.file
        try:
            vectors = VectorFile.read(file)
        except FileNotFoundError:
            raise IndexCorruptError(f"{file}: missing. Build the index again with --rebuild") from None
        if (len(vectors), vectors.dim) != (described.count, described.dim):
            raise IndexCorruptError(
                f"{file}: damaged: {len(vectors)} vectors of {vectors.dim}, the manifest says {described.count} of "
                f"{described.dim}. Build the index again with --rebuild"
            )
        return vectors

    def _nearest(self, space: str, queries: Sequence[Query]) -> list[list[tuple[int, float]]]:
        """For each query rows and scores: its `k` best that are not excluded, and what ties with the last."""
        vectors = self.vectors(space)
        for query in queries:
            if query.vector.shape != (vectors.dim,):
                raise QueryError(
                    f"index {self.path}: space {space!r} holds {vectors.dim}-d vectors, the query's is "
                    f"{query.vector.shape}. Embed it by the index's own embedder"
                )
        excluded = [self._excluded(space, query) for query in queries]
        wanted = [query.k + len(rows) if query.k > 0 else 0 for query, rows in zip(queries, excluded, strict=True)]
        candidates = vectors.nearest(np.stack([query.vector for query in queries]), wanted)
        return [_without(rows, scores, out) for (rows, scores), out in zip(candidates, excluded, strict=True)]

    def _excluded(self, space: str, query: Query) -> set[int]:
        """The rows of a space that must not come back for a query."""
        columns = {
            "id": query.exclude_ids,
            "source_id": query.exclude_ids | query.exclude_articles,
            "article": query.exclude_articles,
            "image_sha256": query.exclude_sha256,
        }
        rows: set[int] = set()
        for column, values in columns.items():
            wanted = sorted(values - {""})
            for start in range(0, len(wanted), _IDS_A_STATEMENT):
                marks, named = _marks("v", wanted[start : start + _IDS_A_STATEMENT])
                kind = "kind" if column == "id" else "+kind"
                sql = f"SELECT row FROM records WHERE {_among(column, marks)} AND {kind} = :kind AND {VISIBLE}"  # noqa: S608
                rows |= {row["row"] for row in self.select(sql, {**named, "kind": SPACES[space]})}
        return rows


def _marks(name: str, values: Sequence[object]) -> tuple[str, dict[str, object]]:
    """Named placeholders for a list in SQL, and what they stand for."""
    named: dict[str, object] = {f"{name}_{number}": value for number, value in enumerate(values)}
    return ", ".join(f":{key}" for key in named), named


def _among(column: str, marks: str) -> str:
    """That a column has one of these values, none of them empty, so that SQLite goes by the column's own index.

    It takes a partial index only where its condition is stated. `+kind` beside it keeps SQLite from `(kind, id)`,
    by which it would read every record of the kind.
    """
    return f"{column} IN ({marks}) AND {column} != ''"


def _without(
    rows: Rows, scores: np.ndarray[tuple[int], np.dtype[np.float64]], excluded: set[int]
) -> list[tuple[int, float]]:
    pairs = zip(rows.tolist(), scores.tolist(), strict=True)
    return [(row, score) for row, score in pairs if row not in excluded]


def _ranked(pairs: list[tuple[int, float]], records: dict[int, Example | Passage], k: int) -> list[Evidence]:
    """The best `k` as evidence, by score and, among equals, by id."""
    best = sorted(((records[row], score) for row, score in pairs), key=lambda pair: (-pair[1], pair[0].id))[:k]
    return [Evidence(record, score, rank) for rank, (record, score) in enumerate(best, start=1)]
