"""One generation of an index, as readers see it: rows of the database and vectors in memory."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from imaging import LoadedImage
from indexer.approximate import ListFile
from indexer.database import COLUMNS, VISIBLE, checksum, connect, from_columns
from indexer.embedders.files import sha256_of
from indexer.errors import IndexCorruptError, QueryError
from indexer.filters import condition, marks_of
from indexer.fusion import Hits
from indexer.manifest import DATABASE, Manifest
from indexer.publish import SPACES
from indexer.types import Evidence, Example, Filter, Kind, Passage, Query, Rows
from indexer.vectors import VectorFile
from indexer.words import Stemmer, known_sql, matching_sql, query_of

_IDS_A_STATEMENT = 500
_POOL = 50
"""How many of the nearest, and of the best by words, are fused."""
_FILTERS_KEPT = 8


class Snapshot:
    """Searches and looks up in the generation of `manifest`. May be used from several threads."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        self.path = path
        self.manifest = manifest
        self._db = connect(path / DATABASE)
        self._db.row_factory = sqlite3.Row
        self._lock = threading.Lock()
        self._files: dict[str, VectorFile] = {}
        self._filtered: dict[tuple[Kind, Filter], Rows] = {}
        self._stemmer = Stemmer()

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
        found: dict[int, Hits] = {}
        for space, only in {(query.space, query.only): None for query in queries}:
            places = [place for place, query in enumerate(queries) if (query.space, query.only) == (space, only)]
            found.update(zip(places, self._hits(space, only, [queries[place] for place in places]), strict=True))
        records = self.by_row({row for hits in found.values() for row in hits.scores})
        return [found[place].ranked(records, query.k) for place, query in enumerate(queries)]

    def by_row(self, rows: Iterable[int]) -> dict[int, Example | Passage]:
        """The records of row numbers. Raises IndexCorruptError where one is missing."""
        wanted = sorted(rows)
        records: dict[int, Example | Passage] = {}
        for start in range(0, len(wanted), _IDS_A_STATEMENT):
            marks, values = marks_of("row", wanted[start : start + _IDS_A_STATEMENT])
            sql = f"SELECT row, checksum, {COLUMNS} FROM records WHERE row IN ({marks}) AND {VISIBLE}"  # noqa: S608
            records.update({found["row"]: self._sound(found) for found in self.select(sql, values)})
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
            marks, values = marks_of("id", ids[start : start + _IDS_A_STATEMENT])
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
            marks, named = marks_of("v", sorted(values - {""}))
            sql = f"SELECT {COLUMNS} FROM records WHERE {_among(column, marks)} AND +kind = 'example' AND {VISIBLE}"  # noqa: S608
            found = (from_columns(row) for row in self.select(sql, named))
            copies.update({record.id: record for record in found if isinstance(record, Example)})
        return [copies[id_] for id_ in sorted(copies)]

    def _sound(self, found: sqlite3.Row) -> Example | Passage:
        """The record of a row, its own checksum held against it. Raises IndexCorruptError."""
        if checksum(tuple(found)[2:]) != found["checksum"]:
            raise IndexCorruptError(
                f"{self.path / DATABASE}: damaged: record {found['id']!r} is not what was written. "
                f"Build the index again with --rebuild"
            )
        return from_columns(found)

    def _read(self, space: str) -> VectorFile:
        described = self.manifest.spaces.get(space)
        if described is None:
            raise QueryError(f"index {self.path} has no space {space!r}; it has {', '.join(self.manifest.spaces)}")
        file = self.path / described.file
        about = described.approximate
        lists = ListFile.read(self.path / about.file, about) if about is not None else None
        try:
            if lists is None and sha256_of(file) != described.sha256:
                raise IndexCorruptError(
                    f"{file}: damaged: its SHA-256 is not the manifest's. Build the index again with --rebuild"
                )
            vectors = VectorFile.read(file, lists)
        except FileNotFoundError:
            raise IndexCorruptError(f"{file}: missing. Build the index again with --rebuild") from None
        if (len(vectors), vectors.dim) != (described.count, described.dim):
            raise IndexCorruptError(
                f"{file}: damaged: {len(vectors)} vectors of {vectors.dim}, the manifest says {described.count} of "
                f"{described.dim}. Build the index again with --rebuild"
            )
        return vectors

    def _hits(self, space: str, only: Filter, queries: Sequence[Query]) -> list[Hits]:
        """For each query of a space and filter what was found: its `k` best by vector, and what ties with the last.

        For a query with text a deeper pool, and as many by words.
        """
        vectors = self.vectors(space)
        for query in queries:
            if query.vector.shape != (vectors.dim,):
                raise QueryError(
                    f"index {self.path}: space {space!r} holds {vectors.dim}-d vectors, the query's is "
                    f"{query.vector.shape}. Embed it by the index's own embedder"
                )
        among = self._among(SPACES[space], only)
        excluded = [self._excluded(space, query) for query in queries]
        pools = [max(_POOL, query.k) if query.text and query.k > 0 else query.k for query in queries]
        wanted = [pool + len(rows) if pool > 0 else 0 for pool, rows in zip(pools, excluded, strict=True)]
        near = vectors.nearest(np.stack([query.vector for query in queries]), wanted, among)
        hits = []
        for query, pool, (rows, scores), out in zip(queries, pools, near, excluded, strict=True):
            pairs = zip(rows.tolist(), scores.tolist(), strict=True)
            by_vector = {row: score for row, score in pairs if row not in out}
            if not query.text or pool == 0:
                hits.append(Hits(by_vector))
                continue
            worded = self._worded(SPACES[space], query.text, pool, out, among)
            missing = np.array([row for row in worded if row not in by_vector], np.int64)
            more = dict(zip(missing.tolist(), vectors.scores(query.vector, missing).tolist(), strict=True))
            hits.append(Hits({**by_vector, **more}, (list(by_vector)[:pool], worded)))
        return hits

    def _worded(self, kind: Kind, text: str, pool: int, excluded: set[int], among: Rows | None) -> list[int]:
        """The rows of a kind that say most of a text's words, best first, at most `pool`."""
        stems = self._stemmer.words(text)
        known: dict[str, int] = {}
        for start in range(0, len(stems), _IDS_A_STATEMENT):
            marks, named = marks_of("t", list(stems)[start : start + _IDS_A_STATEMENT])
            known |= {row["term"]: row["doc"] for row in self.select(known_sql(kind, marks), named)}
        match = query_of(stems, known)
        most = pool + len(excluded)
        while match:
            found = [row["row"] for row in self.select(matching_sql(kind), {"match": match, "most": most})]
            marks, named = marks_of("row", found)
            sql = f"SELECT row FROM records WHERE row IN ({marks}) AND {VISIBLE}"  # noqa: S608
            visible = {row["row"] for row in self.select(sql, named)}
            if among is not None:
                visible &= set(np.array(found)[np.isin(found, among)].tolist())
            kept = [row for row in found if row in visible and row not in excluded]
            if len(kept) >= pool or len(found) < most:
                return kept[:pool]
            most *= 4
        return []

    def _among(self, kind: Kind, only: Filter) -> Rows | None:
        """The rows that a filter lets through, None for all; the last filters' rows are kept."""
        if not only:
            return None
        with self._lock:
            cached = self._filtered.get((kind, only))
        if cached is None:
            passes, named = condition(only)
            sql = f"SELECT row FROM records WHERE kind = :kind AND {VISIBLE} AND {passes}"  # noqa: S608
            rows = self.select(sql, {**named, "kind": kind})
            cached = np.array([row["row"] for row in rows], np.int64)
            with self._lock:
                while len(self._filtered) >= _FILTERS_KEPT:
                    self._filtered.pop(next(iter(self._filtered)))
                self._filtered[kind, only] = cached
        return cached

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
                marks, named = marks_of("v", wanted[start : start + _IDS_A_STATEMENT])
                kind = "kind" if column == "id" else "+kind"
                sql = f"SELECT row FROM records WHERE {_among(column, marks)} AND {kind} = :kind AND {VISIBLE}"  # noqa: S608
                rows |= {row["row"] for row in self.select(sql, {**named, "kind": SPACES[space]})}
        return rows


def _among(column: str, marks: str) -> str:
    """That a column has one of these values, none of them empty, so that SQLite goes by the column's own index.

    It takes a partial index only where its condition is stated. `+kind` beside it keeps SQLite from `(kind, id)`,
    by which it would read every record of the kind.
    """
    return f"{column} IN ({marks}) AND {column} != ''"
