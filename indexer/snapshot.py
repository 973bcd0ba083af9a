"""Searches one generation of an index: by vectors, by words, by both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexer.approximate import ListFile
from indexer.database import VISIBLE
from indexer.embedders.files import sha256_of
from indexer.errors import IndexCorruptError, QueryError
from indexer.filters import marks_of
from indexer.fusion import Hits
from indexer.manifest import Manifest
from indexer.publish import SPACES
from indexer.records import IDS_A_STATEMENT, RecordReader
from indexer.types import Evidence, Filter, Kind, Query, Rows
from indexer.vectors import VectorFile
from indexer.words import Stemmer, common_sql, known_sql, matching_sql, query_of

_POOL = 50
"""How many of the nearest, and of the best by words, are fused."""
_FILTERS_KEPT = 8


class Snapshot(RecordReader):
    """Searches and looks up in the generation of `manifest`. May be used from several threads."""

    def __init__(self, path: Path, manifest: Manifest) -> None:
        super().__init__(path, manifest)
        self._files: dict[str, VectorFile] = {}
        self._filtered: dict[tuple[Kind, Filter], Rows] = {}
        self._stemmer = Stemmer()

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
        found: dict[int, list[Evidence]] = {}
        for space, only in {(query.space, query.only): None for query in queries}:
            places = [place for place, query in enumerate(queries) if (query.space, query.only) == (space, only)]
            hits = self._hits(space, only, [queries[place] for place in places])
            records = self.shown(sorted({number for one in hits for number in one.scores}), only)
            for place, one in zip(places, hits, strict=True):
                found[place] = one.ranked(records, queries[place].k, self.beside)
        return [found[place] for place in range(len(queries))]

    def vectors_by_id(self, space: str, ids: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """The vectors `(dim,)` of the records of a space that have one of these ids."""
        vectors = self.vectors(space)
        numbers = self.numbers_by_id(SPACES[space], ids)
        held = vectors.get(np.array(list(numbers.values()), np.int64))
        return dict(zip(numbers, held, strict=True))

    def draw(self, queries: Sequence[Query], seed: int) -> list[list[Evidence]]:
        """See `Index.draw`."""
        found = []
        for place, query in enumerate(queries):
            vectors = self._vectors_for(query)
            among = self._among(SPACES[query.space], query.only)
            excluded = self._excluded(query.space, query)
            rows = np.sort(vectors.rows() if among is None else among)
            drawn = np.random.default_rng([seed, place]).permutation(rows)[: query.k + len(excluded)]
            kept = np.array([row for row in drawn.tolist() if row not in excluded][: query.k], np.int64)
            hits = Hits(dict(zip(kept.tolist(), vectors.scores(query.vector, kept).tolist(), strict=True)))
            found.append(hits.ranked(self.shown(sorted(hits.scores), query.only), query.k, self.beside))
        return found

    def _vectors_for(self, query: Query) -> VectorFile:
        """The vectors of a query's space. Raises QueryError where they have another dimension than its vector."""
        vectors = self.vectors(query.space)
        if query.vector.shape != (vectors.dim,):
            raise QueryError(
                f"index {self.path}: space {query.space!r} holds {vectors.dim}-d vectors, the query's is "
                f"{query.vector.shape}. Embed it by the index's own embedder"
            )
        return vectors

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
        vectors = [self._vectors_for(query) for query in queries][-1]
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
        """The vectors of the records of a kind that say most of a text's words, best first, at most `pool`."""
        stems = self._stemmer.words(text)
        known = self._known(kind, list(stems))
        match = query_of(stems, known)
        most = pool + len(excluded)
        while match:
            found = np.array([row["row"] for row in self.select(matching_sql(kind), {"match": match, "most": most})])
            numbers = np.array(self.vectors_of(found.astype(np.int64)), np.int64)
            passing = numbers if among is None else numbers[np.isin(numbers, among)]
            kept = [number for number in passing.tolist() if number not in excluded]
            if len(kept) >= pool or len(found) < most:
                return kept[:pool]
            most *= 4
        return []

    def _known(self, kind: Kind, stems: list[str]) -> dict[str, int]:
        """In how many records each stem stands; without those that stand in none."""
        known: dict[str, int] = {}
        for sql in (common_sql, known_sql):
            left = [stem for stem in stems if stem not in known]
            for start in range(0, len(left), IDS_A_STATEMENT):
                marks, named = marks_of("t", left[start : start + IDS_A_STATEMENT])
                known |= {row["term"]: row["doc"] for row in self.select(sql(kind, marks), named)}
        return known

    def _among(self, kind: Kind, only: Filter) -> Rows | None:
        """The vectors of records that a filter lets through, ascending, None for all; the last filters' are kept."""
        if not only:
            return None
        with self._lock:
            cached = self._filtered.get((kind, only))
        if cached is None:
            passes, named = self.condition(only)
            sql = f"SELECT vector FROM records WHERE kind = :kind AND {VISIBLE} AND {passes}"  # noqa: S608
            found = self.select(sql, {**named, "kind": kind})
            cached = np.unique(np.array([row["vector"] for row in found], np.int64))
            with self._lock:
                while len(self._filtered) >= _FILTERS_KEPT:
                    self._filtered.pop(next(iter(self._filtered)))
                self._filtered[kind, only] = cached
        return cached

    def _excluded(self, space: str, query: Query) -> set[int]:
        """The vectors of a space that must not come back for a query: those that an excluded record has."""
        columns = {
            "id": query.exclude_ids,
            "source_id": query.exclude_ids | query.exclude_articles,
            "article": query.exclude_articles,
            "image_sha256": query.exclude_sha256,
        }
        numbers: set[int] = set()
        for column, values in columns.items():
            numbers |= self.vectors_with(SPACES[space], column, sorted(values - {""}))
        return numbers
