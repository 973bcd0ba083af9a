"""Images and questions in, numbered evidence out; what the query itself brought into the index left out.

Examples come by image. Passages come by the captions of those examples and by the question, each by vector and by
words, all fused by reciprocal rank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from imaging import LoadedImage, load
from indexer import Index, open_index
from indexer.fusion import reciprocal_ranks
from indexer.types import Evidence, Filter, Query, Vectors
from rag.acquisition import Fact, Narrowed, narrowed, search_narrowed
from rag.distrust import trusted
from rag.guard import Guard, Left
from rag.types import LeftOut, Request, Stopwatch

IMAGES, PASSAGES = "images", "passages"
"""The vector spaces searched here."""

NO_FILTER = Filter()
T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """The evidence for one request, examples before passages, each kind by rank; and what to tell the reader."""

    evidence: tuple[Evidence, ...]
    warnings: tuple[str, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)


class Retriever:
    """Searches one index for batches of requests. Embedders are loaded when first needed."""

    def __init__(self, index: Index, k: int, only: Filter = NO_FILTER, narrow: Sequence[Fact] = ()) -> None:
        self.index = index
        self.k = k
        self.only = only
        self.narrow = narrow
        self._guard = Guard(index)

    def retrieve(
        self, requests: Sequence[Request], images: Sequence[tuple[LoadedImage, ...]], kinds: set[str], clock: Stopwatch
    ) -> list[Found]:
        """Evidence of the given kinds for each request; a batch of requests is one batch for every model."""
        vectors = self._embed(images, clock)
        with clock.measure("retrieve"):
            left = self._guard.leave_out(requests, images, vectors)
            narrow = [narrowed(several, self.only, self.narrow) for several in images]

        def find(places: Sequence[int], left: Sequence[Left]) -> list[Found]:
            asked = [(requests[place], vectors[place], narrow[place]) for place in places]
            return self._find(asked, left, kinds, clock)

        return trusted(find, left)

    def _find(
        self,
        asked: Sequence[tuple[Request, Vectors | None, Narrowed]],
        left: Sequence[Left],
        kinds: set[str],
        clock: Stopwatch,
    ) -> list[Found]:
        """Examples by image, passages by the examples' captions and the question."""
        requests, vectors, narrow = [r for r, _, _ in asked], [v for _, v, _ in asked], [n for _, _, n in asked]
        with clock.measure("retrieve"):
            search = partial(self._examples, vectors, left)
            examples, told = search_narrowed(search, narrow, self.only)
        passages: list[list[Evidence]] = [[] for _ in requests]
        if "passage" in kinds and PASSAGES in self.index.spaces:
            passages = self._passages(requests, examples, left, clock)
        return [
            Found((*(e if "example" in kinds else ()), *p), (*out.warnings, *warnings), out.counts)
            for e, p, out, warnings in zip(examples, passages, left, told, strict=True)
        ]

    def load(self, kinds: set[str]) -> None:
        """Loads the embedders that retrieval of these kinds of evidence needs."""
        if kinds and IMAGES in self.index.spaces:
            self.index.embedder_for(IMAGES).load()
        if "passage" in kinds and PASSAGES in self.index.spaces:
            self.index.embedder_for(PASSAGES).load()

    def _embed(self, images: Sequence[tuple[LoadedImage, ...]], clock: Stopwatch) -> list[Vectors | None]:
        """Of each request the vectors of its images, `(images, dim)`."""
        if IMAGES not in self.index.spaces:
            return [None for _ in images]
        with clock.measure("embed"):
            vectors = self.index.embedder_for(IMAGES).embed_images([i for several in images for i in several])
        ends = np.cumsum([len(several) for several in images])
        return [vectors[end - len(several) : end] for several, end in zip(images, ends, strict=True)]

    def _examples(
        self, vectors: Sequence[Vectors | None], left: Sequence[Left], only: Sequence[Filter]
    ) -> list[list[Evidence]]:
        owners = [owner for owner, several in enumerate(vectors) for _ in (() if several is None else several)]
        queries = [
            Query(IMAGES, vector, self.k, out.ids, out.sha256, out.articles, only=passing)
            for several, out, passing in zip(vectors, left, only, strict=True)
            for vector in (() if several is None else several)
        ]
        lists = _by_owner(self.index.search(queries), owners, len(vectors))
        return [fuse([("image", found) for found in several], self.k) for several in lists]

    def _passages(
        self,
        requests: Sequence[Request],
        examples: Sequence[Sequence[Evidence]],
        left: Sequence[Left],
        clock: Stopwatch,
    ) -> list[list[Evidence]]:
        asked: list[tuple[int, str, str]] = []  # owner, what asks, text
        for owner, (request, near) in enumerate(zip(requests, examples, strict=True)):
            asked += [(owner, "captions", e.text) for e in near]
            if request.question:
                asked.append((owner, "question", request.question))
        if not asked:
            return [[] for _ in requests]
        with clock.measure("embed"):
            vectors = self._embed_once([text for _, _, text in asked])
        with clock.measure("retrieve"):
            queries = [
                Query(
                    PASSAGES,
                    vector,
                    self.k,
                    left[owner].ids,
                    exclude_articles=left[owner].articles,
                    text=text,
                    only=self.only,
                )
                for vector, (owner, _, text) in zip(vectors, asked, strict=True)
            ]
            found = self.index.search(queries)
            named = [(why, hits) for (_, why, _), hits in zip(asked, found, strict=True)]
            lists = _by_owner(named, [owner for owner, _, _ in asked], len(requests))
            return [fuse(several, self.k) for several in lists]

    def _embed_once(self, texts: Sequence[str]) -> Vectors:
        """Vectors of `texts`, equal texts embedded once."""
        distinct = list(dict.fromkeys(texts))
        vectors = self.index.embedder_for(PASSAGES).embed_texts(distinct)
        place = {text: position for position, text in enumerate(distinct)}
        return np.ascontiguousarray(vectors[[place[text] for text in texts]])


def search(
    folder: Path, *, image: str | None = None, text: str | None = None, k: int, only: Filter = NO_FILTER
) -> list[Evidence]:
    """The `k` nearest examples to an image; or the `k` best passages, and the `k` best examples, for a text.

    A text is searched for by its vector and by its words. Raises ImageError and IndexerError.
    """
    index = open_index(folder)
    queries = []
    if image is not None:
        queries = [Query(IMAGES, index.embedder_for(IMAGES).embed_images([load(image)])[0], k, only=only)]
    elif text is not None:
        spaces = [space for space in (PASSAGES, IMAGES) if space in index.spaces]
        queries = [
            Query(space, index.embedder_for(space).embed_texts([text])[0], k, text=text, only=only) for space in spaces
        ]
    return [evidence for found in index.search(queries) for evidence in found]


def fuse(lists: Iterable[tuple[str, Sequence[Evidence]]], k: int) -> list[Evidence]:
    """Reciprocal rank fusion of named result lists: the `k` best, ranked from 1.

    A record's score stays its best cosine similarity; ties go to the higher score, then the id.
    """
    named = [(name, hits) for name, hits in lists]
    weight = reciprocal_ranks([hit.id for hit in hits] for _, hits in named)
    best: dict[str, Evidence] = {}
    names: dict[str, set[str]] = {}
    for name, hits in named:
        for hit in hits:
            names.setdefault(hit.id, set()).add(name)
            if hit.id not in best or hit.score > best[hit.id].score:
                best[hit.id] = hit
    order = sorted(weight, key=lambda id_: (-weight[id_], -best[id_].score, id_))[:k]
    return [replace(best[i], rank=rank, found_by=tuple(sorted(names[i]))) for rank, i in enumerate(order, start=1)]


def _by_owner(values: Sequence[T], owners: Sequence[int], count: int) -> list[list[T]]:
    grouped: list[list[T]] = [[] for _ in range(count)]
    for value, owner in zip(values, owners, strict=True):
        grouped[owner].append(value)
    return grouped
