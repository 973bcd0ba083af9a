"""The perceptual hashes of a generation in memory, and which of them are near another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexer.types import Rows


class Hashes:
    """64-bit hashes with the rows that have them: eight bytes a hash, and eight a row."""

    def __init__(self, rows: Sequence[int], phashes: Sequence[str]) -> None:
        """`phashes` are 16 hex digits each."""
        self._rows: Rows = np.array(rows, np.int64)
        self._bits = _bits(phashes)

    def near(self, phash: str, radius: int, most: int) -> list[int]:
        """The `most` rows whose hashes differ in the fewest bits, at most `radius`, the nearest first."""
        distances = np.bitwise_count(self._bits ^ _bits([phash]))
        found = np.flatnonzero(distances <= radius)
        order = np.argsort(distances[found], kind="stable")[:most]
        return [int(row) for row in self._rows[found[order]]]


def _bits(phashes: Sequence[str]) -> NDArray[np.uint64]:
    return np.frombuffer(bytes.fromhex("".join(phashes)), ">u8").astype(np.uint64)
