"""Embedding beside gathering: batches whose vectors are being computed while the next one is decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, KeysView, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from indexer.entries import Entry
from indexer.pipeline import Ready
from indexer.sources.chunking import embedded
from indexer.types import Embedder, Example, Passage, Vectors

MOST_IN_FLIGHT = 2
"""Batches of images being embedded at a time: where the cores of a CPU have finished one, they find the next."""

NewVectors = dict[bytes, NDArray[np.float32]]
"""By `said_hash`, vectors `(dim,)`."""


@dataclass(frozen=True)
class _Flight:
    """A batch whose new vectors, by the `said_hash`es `new`, are being computed."""

    batch: list[Entry]
    new: KeysView[bytes]
    vectors: Future[Vectors]


class Flights:
    """Batches that are being embedded. They land in the order in which they were begun."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(MOST_IN_FLIGHT, thread_name_prefix="batch")
        self._flying: deque[_Flight] = deque()

    def __enter__(self) -> Flights:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def begin(self, embedder: Embedder, batch: list[Entry], new: dict[bytes, Ready]) -> None:
        """Starts to embed what is new of a batch: all images, or all passages."""
        if new:
            embedder.load()
        vectors = self._pool.submit(_vectors, embedder, tuple(new.values()))
        self._flying.append(_Flight(batch, new.keys(), vectors))

    def carry(self, said: bytes) -> bool:
        """Whether a vector of this `said_hash` is being computed."""
        return any(said in flight.new for flight in self._flying)

    def land(self, left: int) -> Iterator[tuple[list[Entry], NewVectors]]:
        """Batches with their new vectors, until no more than `left` are being embedded.

        Vectors that are not finite are missing: nothing can be found by them. Raises what the embedder raised.
        """
        while len(self._flying) > left:
            flight = self._flying[0]
            vectors = dict(zip(flight.new, flight.vectors.result(), strict=True))
            self._flying.popleft()
            yield flight.batch, {said: vector for said, vector in vectors.items() if np.isfinite(vector).all()}


def embedded_text(record: Example | Passage) -> str:
    """What is embedded of a passage: its text under its title."""
    if isinstance(record, Passage):
        return embedded(record.title, record.text)
    return record.caption


def _vectors(embedder: Embedder, new: Sequence[Ready]) -> Vectors:
    """The vectors of records, `(n, dim)`."""
    if not new:
        return np.empty((0, embedder.dim), np.float32)
    images = [ready.image for ready in new if ready.image is not None]
    if images:
        return embedder.embed_images(images)
    return embedder.embed_texts([embedded_text(ready.staged.record) for ready in new])
