"""What a request must not be shown as evidence: whatever would give its own answer away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from imaging import LoadedImage
from indexer import Index
from indexer.types import Vectors
from rag.types import LeftOut, Request


@dataclass(frozen=True)
class Left:
    """What a request must not be shown: its own records in the index and all of their articles.

    `counts` says for the record how many there are of each kind, `warnings` what the reader should know.
    """

    ids: frozenset[str]
    sha256: frozenset[str]
    articles: frozenset[str]
    counts: LeftOut = field(default_factory=LeftOut)
    warnings: tuple[str, ...] = ()


class Guard:
    """Finds what to leave out of the evidence of an index."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def leave_out(
        self, requests: Sequence[Request], images: Sequence[tuple[LoadedImage, ...]], vectors: Sequence[Vectors | None]
    ) -> list[Left]:
        """For each request what it must not be shown.

        `vectors` are the requests' images in the index's space of images, float32 `(images, dim)`, a row an image; None
        where the index has no such space.
        """
        return [self._one(request, own) for request, own, _ in zip(requests, images, vectors, strict=True)]

    def _one(self, request: Request, images: tuple[LoadedImage, ...]) -> Left:
        own = self._index.copies_of(images)
        given = {request.article} if request.article else set()
        articles = frozenset({e.article for e in own if e.article} | given)
        return Left(
            ids=frozenset({request.id, *(e.id for e in own)}),
            sha256=frozenset(i.sha256 for i in images),
            articles=articles,
            counts=LeftOut(same_file=len(own)),
            warnings=_own_copies(tuple(sorted(e.id for e in own)), articles),
        )


def _own_copies(own: tuple[str, ...], articles: frozenset[str]) -> tuple[str, ...]:
    if not own:
        return ()
    what = f"all of article {', '.join(sorted(articles))}" if articles else "it"
    return (f"the index holds this very image ({', '.join(own)}): {what} was left out of the evidence",)
