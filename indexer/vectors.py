"""Vectors with row numbers, in FAISS files. Knows nothing of what the rows are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.approximate import CANDIDATES, ApproximateSearch, ListFile, reconstruct, write_lists
from indexer.errors import IndexCorruptError
from indexer.faiss_files import write_exact
from indexer.types import Rows, Vectors

# Scores of one pair differ by this much at most between FAISS's ways of computing them.
_SCORE_NOISE = 1e-5


EXACT_AMONG = 50_000
"""Up to so many rows that a filter lets through, they are compared one by one even where there are lists."""


class VectorFile:
    """An exact FAISS index by inner product over unit vectors; with `lists` beside it, they choose what is compared."""

    def __init__(self, index: Any, lists: ListFile | None = None) -> None:
        self._index = index
        self._lists = lists

    @classmethod
    def write(cls, path: Path, dim: int, batches: Iterable[tuple[Rows, Vectors]]) -> VectorFile:
        """Writes vectors `(n, dim)` with their row numbers, and opens the file, mapped. Raises OSError."""
        write_exact(path, dim, batches)
        return cls.read(path, mapped=True)

    @classmethod
    def read(cls, path: Path, lists: ListFile | None = None, *, mapped: bool = False) -> VectorFile:
        """Reads a file; `mapped`, and with `lists`, it stays on disk but for what is looked at.

        Raises FileNotFoundError, and IndexCorruptError where it is not one of ours.
        """
        import faiss

        if not path.is_file():
            raise FileNotFoundError(path)
        try:
            index = faiss.read_index(str(path), 0 if lists is None and not mapped else faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            reason = f"{path}: damaged: FAISS cannot read it"
            raise IndexCorruptError(f"{reason}. Build the index again with --rebuild") from error
        if not isinstance(index, faiss.IndexIDMap2):
            raise IndexCorruptError(f"{path}: damaged: a {type(index).__name__}. Build the index again with --rebuild")
        return cls(index, lists)

    def write_lists(self, path: Path) -> ApproximateSearch:
        """Writes lists of these vectors, for searches that do not compare all of them."""
        return write_lists(path, self._index)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    def rows(self) -> Rows:
        """The vectors' numbers, in the order they were added."""
        import faiss

        return faiss.vector_to_array(self._index.id_map).astype(np.int64)

    def get(self, rows: Rows) -> Vectors:
        """The vectors of rows it has, float32 `(n, dim)`."""
        return np.stack([self._index.reconstruct(int(row)) for row in rows]) if len(rows) else self._none()

    def batches(self, keep: Rows, size: int = 4096) -> Iterator[tuple[Rows, Vectors]]:
        """The rows in `keep` with their vectors, in the order they were added."""
        rows = self.rows()
        places = np.flatnonzero(np.isin(rows, keep))
        for start in range(0, len(places), size):
            part = places[start : start + size]
            yield rows[part], reconstruct(self._index.index, part)

    def nearest(
        self, queries: Vectors, wanted: list[int], among: Rows | None = None
    ) -> list[tuple[Rows, NDArray[np.float64]]]:
        """For each query `(n, dim)` at least its `wanted` nearest rows, with scores in float64, to six decimals.

        With `among` only of those rows. Everything that ties with the last of them is there too, so that the
        caller's order among equals does not depend on the order of the vectors or on how many queries are asked at
        once.
        """
        if self._lists is not None and (among is None or len(among) > EXACT_AMONG):
            return self._listed(queries, wanted, among, self._lists)
        most = len(self) if among is None else len(among)
        if most == 0:
            return [(np.empty(0, np.int64), np.empty(0)) for _ in queries]
        ask = min(max(wanted, default=0) + 1, most)
        only = None if among is None else _parameters(among)
        while True:
            scores, rows = self._index.search(np.ascontiguousarray(queries, np.float32), ask, params=only)
            ends = [min(want, ask) - 1 for want in wanted]
            tied = (end >= 0 and row[end] - row[-1] <= _SCORE_NOISE for row, end in zip(scores, ends, strict=True))
            if ask == most or not any(tied):
                break
            ask = min(2 * ask, most)
        kept = [
            found[row >= row[end] - _SCORE_NOISE] if end >= 0 else found[:0]
            for row, found, end in zip(scores, rows, ends, strict=True)
        ]
        return [(rows, self.scores(query, rows)) for query, rows in zip(queries, kept, strict=True)]

    def _listed(
        self, queries: Vectors, wanted: list[int], among: Rows | None, lists: ListFile
    ) -> list[tuple[Rows, NDArray[np.float64]]]:
        """As `nearest`, of what the lists name; all of it, best first."""
        count = CANDIDATES * max(max(wanted, default=0) + 1, 16)
        named = lists.candidates(queries, count, None if among is None else _selector(among))
        found = []
        for query, rows, want in zip(queries, named, wanted, strict=True):
            scores = self.scores(query, rows)
            order = np.argsort(-scores, kind="stable")
            end = min(want, len(rows)) - 1
            kept = order[scores[order] >= scores[order[end]]] if end >= 0 else order[:0]
            found.append((rows[kept], scores[kept]))
        return found

    def scores(self, query: NDArray[np.float32], rows: Rows) -> NDArray[np.float64]:
        """Cosine similarities of a query `(dim,)` and rows it has, to six decimals."""
        return np.round(self.get(rows).astype(np.float64) @ query.astype(np.float64), 6)

    def _none(self) -> Vectors:
        return np.empty((0, self.dim), np.float32)


def _selector(rows: Rows) -> Any:
    """A FAISS selector of these rows."""
    import faiss

    module: Any = faiss  # its Python wrappers take arrays that its type hints do not know
    allowed = np.zeros(int(rows.max()) + 1, np.bool_)
    allowed[rows] = True
    return module.IDSelectorBitmap(np.packbits(allowed, bitorder="little"))


def _parameters(rows: Rows) -> Any:
    """FAISS search parameters that let only these rows be found."""
    import faiss

    module: Any = faiss
    return module.SearchParameters(sel=_selector(rows))
