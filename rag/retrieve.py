"""Images and questions in, numbered evidence out; what the query itself brought into the index left out.

Examples come by image. Passages come by the image itself where the index has them in its space, by the captions and
concepts of the examples and by the question, each of these by vector and by words, all fused by reciprocal rank.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from imaging import LoadedImage, load
from indexer import Index, open_index
from indexer.publish import BY_IMAGE
from indexer.types import Evidence, Example, Filter, Query, Vectors
from rag.acquisition import Fact, Narrowed, narrowed, search_narrowed
from rag.config import GuardSettings
from rag.distrust import trusted
from rag.guard import Guard, Left
from rag.neighbourhood import NEIGHBOURS, Electorate, Votes
from rag.selection import PassagesBy, Selection, fuse
from rag.types import LeftOut, Request, Stopwatch

IMAGES, PASSAGES = "images", "passages"
"""The vector spaces searched here."""

NO_FILTER = Filter()
LIKENESS_ALONE = Selection()
_MOST_CONCEPTS = 8
_CUI = re.compile(r"C\d{7}")
"""A concept that is a number of UMLS, which no passage says."""
T = TypeVar("T")


@dataclass(frozen=True)
class Found:
    """The evidence for one request, examples before passages, each kind by rank; and what to tell the reader.

    `votes` are those of the image's neighbours, more of them than are evidence; None where they were not asked.
    """

    evidence: tuple[Evidence, ...]
    warnings: tuple[str, ...] = ()
    left_out: LeftOut = field(default_factory=LeftOut)
    votes: Votes | None = None


class EvidenceFinder(Protocol):
    """Finds the evidence of a pipeline's requests: `Retriever` in an index, others where they know of it.

    `version` says what it finds it in, for the record: an index's "generation:content".
    """

    @property
    def version(self) -> str: ...

    def retrieve(
        self, requests: Sequence[Request], images: Sequence[tuple[LoadedImage, ...]], kinds: set[str], clock: Stopwatch
    ) -> list[Found]:
        """Evidence of the given kinds for each request, in their order."""
        ...

    def load(self, kinds: set[str]) -> object:
        """Loads what retrieval of these kinds of evidence needs and is not loaded yet."""
        ...


class Retriever:
    """Searches one index for batches of requests. Embedders are loaded when first needed."""

    def __init__(
        self,
        index: Index,
        k: int,
        guard: GuardSettings,
        only: Filter = NO_FILTER,
        selection: Selection = LIKENESS_ALONE,
        narrow: Sequence[Fact] = (),
        electorate: Electorate | None = None,
    ) -> None:
        self.index = index
        self._selection = selection
        self.k = k
        self.only = only
        self.narrow = narrow
        self._guard = Guard(index, guard)
        self.electorate = electorate
        self.reads: Callable[[Sequence[LoadedImage]], Vectors] | None = None
        """Makes the images' vectors where they are read for the generator, too (`rag.one_trunk`)."""

    @property
    def version(self) -> str:
        """The index's generation and content."""
        return self.index.version.rpartition("@")[2]

    def retrieve(
        self, requests: Sequence[Request], images: Sequence[tuple[LoadedImage, ...]], kinds: set[str], clock: Stopwatch
    ) -> list[Found]:
        """Evidence of the given kinds for each request; a batch of requests is one batch for every model."""
        vectors = self._embed(images, clock)
        with clock.measure("retrieve"):
            left = self._guard.leave_out(requests, images, vectors, self._depth)
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
        """Examples by image, and passages."""
        requests, vectors, narrow = [r for r, _, _ in asked], [v for _, v, _ in asked], [n for _, _, n in asked]
        with clock.measure("retrieve"):
            nearest, told = search_narrowed(partial(self._nearest, vectors, left), narrow, self.only)
            votes = [None if self.electorate is None else self.electorate.votes(found) for found in nearest]
            held = partial(self.index.vectors, IMAGES)
            examples = [
                self._selection.choose(found, self.k, held, request.question)
                for request, found in zip(requests, nearest, strict=True)
            ]
        passages: list[list[Evidence]] = [[] for _ in requests]
        if "passage" in kinds and PASSAGES in self.index.spaces:
            passages = self._passages(requests, examples, vectors, left, clock)
        return [
            Found((*(e if "example" in kinds else ()), *p), (*out.warnings, *warnings), out.counts, voted)
            for e, p, out, warnings, voted in zip(examples, passages, left, told, votes, strict=True)
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
            embed = self.reads or self.index.embedder_for(IMAGES).embed_images
            vectors = embed([image for several in images for image in several])
        ends = np.cumsum([len(several) for several in images])
        return [vectors[end - len(several) : end] for several, end in zip(images, ends, strict=True)]

    def _nearest(
        self, vectors: Sequence[Vectors | None], left: Sequence[Left], only: Sequence[Filter]
    ) -> list[list[Evidence]]:
        """For each request the examples nearest to its images, as many as are chosen from and as vote.

        What the guard has found already, with no filter, is not searched for again.
        """
        known = [out.nearest if passing == NO_FILTER else None for out, passing in zip(left, only, strict=True)]
        sought = [
            () if several is None or found is not None else several
            for several, found in zip(vectors, known, strict=True)
        ]
        queries = [
            Query(IMAGES, vector, self._depth, out.ids, out.sha256, out.articles, only=passing)
            for several, out, passing in zip(sought, left, only, strict=True)
            for vector in several
        ]
        owners = [owner for owner, several in enumerate(sought) for _ in several]
        searched = _by_owner(self.index.search(queries), owners, len(vectors))
        lists = [several if found is None else [found] for several, found in zip(searched, known, strict=True)]
        return [fuse([("image", found) for found in several], self._depth) for several in lists]

    @property
    def _depth(self) -> int:
        """How many examples are searched for.

        As many whether anybody votes or not: the lists of several images are fused at this depth.
        """
        return max(self._selection.pool(self.k, examples=True), NEIGHBOURS)

    def _passages(
        self,
        requests: Sequence[Request],
        examples: Sequence[Sequence[Evidence]],
        images: Sequence[Vectors | None],
        left: Sequence[Left],
        clock: Stopwatch,
    ) -> list[list[Evidence]]:
        asked = [
            (owner, why, text)
            for owner, (request, near) in enumerate(zip(requests, examples, strict=True))
            for why, text in self._texts(request, near)
        ]
        with clock.measure("embed"):
            vectors = self._embed_once([text for _, _, text in asked]) if asked else ()
        pool = self._selection.pool(self.k)
        queries = [
            self._passage_query(PASSAGES, vector, pool, left[owner], text)
            for vector, (owner, _, text) in zip(vectors, asked, strict=True)
        ]
        named = [(owner, why) for owner, why, _ in asked]
        if "image" in self._selection.passages_by and BY_IMAGE in self.index.spaces:
            for owner, several in enumerate(images):
                for vector in () if several is None else several:
                    queries.append(self._passage_query(BY_IMAGE, vector, pool, left[owner]))
                    named.append((owner, "image"))
        with clock.measure("retrieve"):
            hits = [(why, found) for (_, why), found in zip(named, self.index.search(queries), strict=True)]
            lists = _by_owner(hits, [owner for owner, _ in named], len(requests))
            held = partial(self.index.vectors, PASSAGES)
            return [
                self._selection.choose(fuse(several, pool), self.k, held, _subject(request, near))
                for request, near, several in zip(requests, examples, lists, strict=True)
            ]

    def _passage_query(self, space: str, vector: NDArray[np.float32], pool: int, left: Left, text: str = "") -> Query:
        return Query(space, vector, pool, left.ids, exclude_articles=left.articles, text=text, only=self.only)

    def _texts(self, request: Request, near: Sequence[Evidence]) -> Iterator[tuple[PassagesBy, str]]:
        """What passages are searched for by, and why: captions and concepts of the nearest images, the question."""
        by = self._selection.passages_by
        if "captions" in by:
            yield from (("captions", item.text) for item in near)
        concepts = Counter(
            concept
            for item in near
            if isinstance(item.record, Example)
            for concept in item.record.concepts
            if not _CUI.fullmatch(concept)
        )
        if "concepts" in by and concepts:
            yield "concepts", ", ".join(concept for concept, _ in concepts.most_common(_MOST_CONCEPTS))
        if "question" in by and request.question:
            yield "question", request.question

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
    loaded = None if image is None else load(image)
    return search_in(open_index(folder), image=loaded, text=text, k=k, only=only)


def search_in(
    index: Index, *, image: LoadedImage | None = None, text: str | None = None, k: int, only: Filter = NO_FILTER
) -> list[Evidence]:
    """`search` in an index that is open, by an image that is decoded. Raises IndexerError."""
    queries = []
    if image is not None:
        queries = [Query(IMAGES, index.embedder_for(IMAGES).embed_images([image])[0], k, only=only)]
    elif text is not None:
        spaces = [space for space in (PASSAGES, IMAGES) if space in index.spaces]
        queries = [
            Query(space, index.embedder_for(space).embed_texts([text])[0], k, text=text, only=only) for space in spaces
        ]
    return [evidence for found in index.search(queries) for evidence in found]


def _subject(request: Request, near: Sequence[Evidence]) -> str:
    """What passages are to be about, for a reranker: the question, or the nearest image's caption."""
    return request.question or (near[0].text if near else "")


def _by_owner(values: Sequence[T], owners: Sequence[int], count: int) -> list[list[T]]:
    grouped: list[list[T]] = [[] for _ in range(count)]
    for value, owner in zip(values, owners, strict=True):
        grouped[owner].append(value)
    return grouped
