"""What a request must not be shown as evidence: whatever would give its own answer away.

That is its own record, the same file, everything of its own article, and copies: pictures that look like it though
they were rescaled, cropped, labelled or recompressed, and those whose vector is almost its own. What is found to be a
copy takes its whole article with it, for the article describes this picture.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from imaging import COPY, LoadedImage, Sought
from indexer import Index
from indexer.types import Evidence, Example, Query, Vectors
from rag.config import GuardSettings
from rag.types import LeftOut, Request

IMAGES = "images"
"""The vector space that copies are looked for in."""
NEAREST, ALWAYS, BEHIND = 8, 4, 0.1
"""So many of the nearest images are looked at closely; beyond the first few only those whose cosine similarity is at
most this much behind the nearest's."""
NEAR_HASHES, HASH_RADIUS = 4, 10
"""Besides, so many are whose perceptual hashes differ in at most so many bits of 64."""
ROUNDS = 5
"""Where copies are found, it is looked for more beside them, so many times at most."""


@dataclass(frozen=True)
class Left:
    """What a request must not be shown: its own records in the index and all of their articles.

    `counts` says for the record how many there are of each kind, `warnings` what the reader should know. `nearest` are
    the examples nearest to the request's image without all of these, where they were looked for, so that nobody need
    search for them again.
    """

    ids: frozenset[str]
    sha256: frozenset[str]
    articles: frozenset[str]
    counts: LeftOut = field(default_factory=LeftOut)
    warnings: tuple[str, ...] = ()
    nearest: tuple[Evidence, ...] | None = None

    def without(self, ids: Collection[str]) -> Left:
        """The same with more records left out."""
        return replace(self, ids=self.ids | set(ids), nearest=None)


@dataclass
class _Case:
    """A request while copies of its images are looked for. Of each kind of copy the examples, by id."""

    request: Request
    images: tuple[LoadedImage, ...]
    same_file: dict[str, Example] = field(default_factory=dict)
    look_alike: dict[str, Example] = field(default_factory=dict)
    near_vector: dict[str, Example] = field(default_factory=dict)
    nearest: tuple[Evidence, ...] | None = None

    @property
    def copies(self) -> dict[str, Example]:
        return self.same_file | self.look_alike | self.near_vector

    @property
    def ids(self) -> frozenset[str]:
        return frozenset({self.request.id, *self.copies})

    @property
    def sha256(self) -> frozenset[str]:
        return frozenset({i.sha256 for i in self.images} | {e.image_sha256 for e in self.copies.values()})

    @property
    def articles(self) -> frozenset[str]:
        named = (self.request.article, *(e.article for e in self.copies.values()))
        return frozenset(article for article in named if article)

    def holds(self, example: Example) -> bool:
        """Whether an example is left out already."""
        return example.id in self.ids or example.image_sha256 in self.sha256 or example.article in self.articles


@dataclass(frozen=True)
class _Picture:
    """One image of a request, what is near it by its perceptual hash, and its vector `(dim,)` if there is one."""

    case: _Case
    sought: Sought
    near: Sequence[Example]
    vector: Vectors | None


class Guard:
    """Finds what to leave out of the evidence of an index."""

    def __init__(self, index: Index, settings: GuardSettings) -> None:
        self._index = index
        self._settings = settings

    def leave_out(
        self,
        requests: Sequence[Request],
        images: Sequence[tuple[LoadedImage, ...]],
        vectors: Sequence[Vectors | None],
        depth: int = NEAREST,
    ) -> list[Left]:
        """For each request what it must not be shown, with the `depth` nearest that it may be where it has one image.

        `vectors` are the requests' images in the index's space of images, float32 `(images, dim)`, a row an image; None
        where the index has no such space.
        """
        if not self._settings.enabled:
            return [
                Left(frozenset(), frozenset(), frozenset(), warnings=_switched_off(self._settings)) for _ in requests
            ]
        cases = [_Case(request, own) for request, own in zip(requests, images, strict=True)]
        for case in cases:
            self._add_own_files(case)
        self._add_copies(cases, vectors, depth)
        return [self._left(case) for case in cases]

    def _add_own_files(self, case: _Case) -> None:
        """Adds the examples of the same file, and those of the same perceptual hash, which look the same."""
        own = {image.sha256 for image in case.images}
        for example in self._index.copies_of(case.images):
            if example.image_sha256 in own:
                case.same_file[example.id] = example
            elif self._settings.look_alikes:
                case.look_alike[example.id] = example

    def _add_copies(self, cases: Sequence[_Case], vectors: Sequence[Vectors | None], depth: int) -> None:
        """Looks at what is nearest to each image; where that is a copy, at what is nearest without it."""
        if not (self._settings.look_alikes or self._settings.near_vectors):
            return
        images = [image for case in cases for image in case.images]
        owners = [case for case in cases for _ in case.images]
        rows = [row for case, several in zip(cases, vectors, strict=True) for row in _rows(case, several)]
        near = self._index.near_hashes(images, HASH_RADIUS, NEAR_HASHES)
        open_ = [
            _Picture(case, Sought(image.picture), by_hash, row)
            for case, image, by_hash, row in zip(owners, images, near, rows, strict=True)
        ]
        for _ in range(ROUNDS):
            queries = [self._query(one.case, one.vector, depth) for one in open_ if one.vector is not None]
            nearest = iter(self._index.search(queries))
            hits = [None if one.vector is None else next(nearest) for one in open_]
            again = []
            for one, found in zip(open_, hits, strict=True):
                if self._add_some(one, found or []):
                    again.append(one)
                elif found is not None and len(one.case.images) == 1:
                    one.case.nearest = tuple(found[:depth])
            open_ = again
            if not open_:
                break

    def _query(self, case: _Case, vector: Vectors, depth: int) -> Query:
        return Query(IMAGES, vector, max(NEAREST, depth), case.ids, case.sha256, case.articles)

    def _add_some(self, one: _Picture, hits: Sequence[Evidence]) -> bool:
        """Adds the copies among what is near a picture; whether there were any."""
        case, hits = one.case, hits[:NEAREST]
        alike = self._alike(one, hits) if self._settings.look_alikes else {}
        limit = self._index.near_duplicate(IMAGES) if self._settings.near_vectors and hits else None
        close = (e for hit in hits if limit is not None and hit.score >= limit for e in _examples(hit))
        near_vector = {e.id: e for e in close if e.id not in alike and not case.holds(e)}
        for found, kind in ((alike, case.look_alike), (near_vector, case.near_vector)):
            # The same file may stand in the index under other articles, too.
            files = self._index.same_files({e.image_sha256 for e in found.values()}) if found else []
            kind |= found | {e.id: e for e in files}
        return bool(alike or near_vector)

    def _alike(self, one: _Picture, hits: Sequence[Evidence]) -> dict[str, Example]:
        """What looks like a copy, of the nearest by vector and by hash, by id."""
        floor = hits[0].score - BEHIND if hits else 0.0
        nearest = (e for n, hit in enumerate(hits) if n < ALWAYS or hit.score >= floor for e in _examples(hit))
        asked = {e.id: e for e in (*nearest, *one.near) if e.thumbnail and not one.case.holds(e)}
        likeness = one.sought.likeness([e.thumbnail for e in asked.values()])
        return {e.id: e for e, like in zip(asked.values(), likeness, strict=True) if like >= COPY}

    def _left(self, case: _Case) -> Left:
        warnings = (*_said(case), *_switched_off(self._settings))
        return Left(case.ids, case.sha256, case.articles, self._counts(case), warnings, case.nearest)

    def _counts(self, case: _Case) -> LeftOut:
        """How many records of each kind there are; a record that is of several counts for the first."""
        given = [case.request.article] if case.request.article else []
        rows_with = self._index.rows_with
        counted: set[int] = set()

        def new(rows: set[int]) -> int:
            count = len(rows - counted)
            counted.update(rows)
            return count

        own_id = new(rows_with("id", [case.request.id]) | rows_with("source_id", [case.request.id]))
        same_file = new(rows_with("image_sha256", [image.sha256 for image in case.images]))
        same_article = new(rows_with("article", given) | rows_with("source_id", given))
        look_alike = new(self._rows_of(case.look_alike.values()))
        near_vector = new(self._rows_of(case.near_vector.values()))
        others = case.articles.difference(given)
        same_article += new(rows_with("article", others) | rows_with("source_id", others)) if others else 0
        return LeftOut(own_id, same_file, same_article, look_alike, near_vector)

    def _rows_of(self, copies: Iterable[Example]) -> set[int]:
        """The records of these images: each file may have several."""
        return self._index.rows_with("image_sha256", [example.image_sha256 for example in copies])


def _rows(case: _Case, vectors: Vectors | None) -> list[Vectors | None]:
    """The vector of each image of a request."""
    return [None for _ in case.images] if vectors is None else list(vectors)


def _examples(hit: Evidence) -> list[Example]:
    """What was found and the records that say the same."""
    return [record for record in (hit.record, *hit.copies) if isinstance(record, Example)]


def _said(case: _Case) -> tuple[str, ...]:
    """What the reader should know of each kind of copy."""
    kinds = {
        "this very image": case.same_file,
        "what looks like a copy of this image": case.look_alike,
        "an image whose vector is almost this one's": case.near_vector,
    }
    return tuple(_one_said(what, copies) for what, copies in kinds.items() if copies)


def _one_said(what: str, copies: dict[str, Example]) -> str:
    articles = sorted({e.article for e in copies.values() if e.article})
    all_of = f"all of article {', '.join(articles)}" if articles else "it"
    return f"the index holds {what} ({', '.join(sorted(copies))}): {all_of} was left out of the evidence"


def _switched_off(settings: GuardSettings) -> tuple[str, ...]:
    """What is not looked for, so that no record is taken for one that was guarded."""
    if not settings.enabled:
        return (
            "the leak guard is off (retrieval.guard.enabled): the evidence may hold this very image, copies of it, and "
            "its own article",
        )
    off = {
        "look_alikes": (settings.look_alikes, "pictures that look like copies of this image"),
        "near_vectors": (settings.near_vectors, "images whose vectors are almost this one's"),
    }
    return tuple(
        f"the evidence may hold {what}: retrieval.guard.{key} is off" for key, (on, what) in off.items() if not on
    )
