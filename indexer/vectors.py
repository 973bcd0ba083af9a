"""Vectors with row numbers, in FAISS files. Knows nothing of what the rows are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexer.errors import IndexCorruptError
from indexer.types import Vectors

Rows = NDArray[np.int64]
"""int64 `(n,)`, row numbers of the records."""

# Scores of one pair differ by this much at most between FAISS's ways of computing them.
_SCORE_NOISE = 1e-5


class VectorFile:
    """One exact FAISS index by inner product over unit vectors, in memory."""

    def __init__(self, index: Any) -> None:
        self._index = index

    @classmethod
    def empty(cls, dim: int) -> VectorFile:
        """A file without vectors."""
        import faiss

        return cls(faiss.IndexIDMap2(faiss.IndexFlatIP(dim)))

    @classmethod
    def read(cls, path: Path) -> VectorFile:
        """Reads a file. Raises FileNotFoundError, and IndexCorruptError where it is not one of ours."""
        import faiss

        if not path.is_file():
            raise FileNotFoundError(path)
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            reason = f"{path}: damaged: FAISS cannot read it"
            raise IndexCorruptError(f"{reason}. Build the index again with --rebuild") from error
        if not isinstance(index, faiss.IndexIDMap2):
            raise IndexCorruptError(f"{path}: damaged: a {type(index).__name__}. Build the index again with --rebuild")
        return cls(index)

    def write(self, path: Path) -> None:
        """Writes the file and makes it durable."""
        import faiss

        faiss.write_index(self._index, str(path))
        with path.open("rb") as file:
            os.fsync(file.fileno())

    def __len__(self) -> int:
        return int(self._index.ntotal)

    @property
    def dim(self) -> int:
        return int(self._index.d)

    def rows(self) -> Rows:
        """The row numbers, in the order they were added."""
        import faiss

        return faiss.vector_to_array(self._index.id_map).astype(np.int64)

    def add(self, batches: Iterable[tuple[Rows, Vectors]]) -> None:
        """Adds vectors `(n, dim)` under their row numbers."""
        for rows, vectors in batches:
            self._index.add_with_ids(np.ascontiguousarray(vectors, np.float32), rows)

    def get(self, rows: Rows) -> Vectors:
        """The vectors of rows it has, float32 `(n, dim)`."""
        return np.stack([self._index.reconstruct(int(row)) for row in rows]) if len(rows) else self._none()

    def batches(self, keep: set[int], size: int = 4096) -> Iterator[tuple[Rows, Vectors]]:
        """The rows in `keep` with their vectors, in the order they were added."""
        rows = np.array([row for row in self.rows().tolist() if row in keep], np.int64)
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            yield part, self.get(part)

    def nearest(self, queries: Vectors, wanted: list[int]) -> list[tuple[Rows, NDArray[np.float64]]]:
        """For each query `(n, dim)` at least its `wanted` nearest rows, with scores in float64, to six decimals.

        Everything that ties with the last of them is there too, so that the caller's order among equals does
        not depend on the order of the vectors or on how many queries are asked at once.
        """
        ask = min(max(wanted, default=0) + 1, len(self))
        while True:
            scores, rows = self._index.search(np.ascontiguousarray(queries, np.float32), ask)
            ends = [min(want, ask) - 1 for want in wanted]
            tied = (end >= 0 and row[end] - row[-1] <= _SCORE_NOISE for row, end in zip(scores, ends, strict=True))
            if ask == len(self) or not any(tied):
                break
            ask = min(2 * ask, len(self))
        kept = [
            found[row >= row[end] - _SCORE_NOISE] if end >= 0 else found[:0]
            for row, found, end in zip(scores, rows, ends, strict=True)
        ]
        return [(rows, self._scores(query, rows)) for query, rows in zip(queries, kept, strict=True)]

    def _scores(self, query: NDArray[np.float32], rows: Rows) -> NDArray[np.float64]:
        return np.round(self.get(rows).astype(np.float64) @ query.astype(np.float64), 6)

    def _none(self) -> Vectors:
        return np.empty((0, self.dim), np.float32)
