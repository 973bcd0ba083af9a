"""FAISS indexes to disk. What is written is durable when a function returns."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from indexer.types import Rows, Vectors

_HEAD = struct.Struct("<4siqqq?i")  # what it is, dimensions, vectors, two unused, trained, metric
_COUNT = struct.Struct("<q")
_UNUSED, _INNER_PRODUCT = 1 << 20, 0


def write_exact(path: Path, dim: int, batches: Iterable[tuple[Rows, Vectors]]) -> None:
    """Writes vectors `(n, dim)` with their numbers batch by batch, as FAISS writes an IndexIDMap2 of an IndexFlatIP.

    FAISS itself would have all of them in memory. The format is that of faiss/impl/index_write.cpp. Raises OSError,
    and ValueError for vectors of another shape.
    """
    with path.open("wb") as file:
        file.write(_exact_head(dim, 0))
        numbers = [np.empty(0, "<i8")]
        for rows, vectors in batches:
            if vectors.shape != (len(rows), dim):
                raise ValueError(f"{path}: vectors of shape {vectors.shape} for {len(rows)} rows of {dim}")
            file.write(np.ascontiguousarray(vectors, "<f4").tobytes())
            numbers.append(rows.astype("<i8"))
        rows = np.concatenate(numbers)
        file.write(_COUNT.pack(len(rows)) + rows.tobytes())
        file.seek(0)
        file.write(_exact_head(dim, len(rows)))
        file.flush()
        os.fsync(file.fileno())


def _exact_head(dim: int, count: int) -> bytes:
    map_, flat = (_HEAD.pack(kind, dim, count, _UNUSED, _UNUSED, True, _INNER_PRODUCT) for kind in (b"IxM2", b"IxFI"))
    return map_ + flat + _COUNT.pack(count * dim)


def write_durably(index: Any, path: Path) -> None:
    """Writes a FAISS index. Raises OSError where it cannot, a full disk for one.

    The bytes go through Python: FAISS's own file writer says nothing where the last of them do not fit, and leaves a
    file that is cut short.
    """
    import faiss

    module: Any = faiss  # its type hints do not know writers
    with path.open("wb") as file:
        failed: list[OSError] = []

        def write(data: bytes) -> int:
            try:
                return file.write(data)
            except OSError as error:
                failed.append(error)
                raise

        try:
            module.write_index(index, module.PyCallbackIOWriter(write))
        except Exception as error:  # FAISS turns the writer's error into one of its own
            raise (failed[0] if failed else OSError(f"{path}: FAISS cannot write it: {error}")) from error
        file.flush()
        os.fsync(file.fileno())
