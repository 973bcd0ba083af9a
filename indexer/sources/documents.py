"""A text as a source knows it, and the passages it is cut into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from indexer.sources.chunking import chunk
from indexer.types import Passage


@dataclass(frozen=True)
class Document:
    """A whole text: an abstract, a page, an answer.

    `id` is the source's own; `article` is what its figures share with it.
    """

    id: str
    text: str
    title: str | None = None
    license: str | None = None
    attribution: str | None = None
    url: str | None = None
    year: int | None = None
    article: str | None = None


def passages_of(document: Document, source: str) -> Iterator[Passage]:
    """The passages of a document, in order: `id#0`, `id#1`, ... None where its text is empty."""
    for number, piece in enumerate(chunk(document.text, document.title)):
        yield Passage(
            id=f"{document.id}#{number}",
            text=piece,
            source=source,
            source_id=document.id,
            title=document.title,
            license=document.license,
            attribution=document.attribution,
            url=document.url,
            year=document.year,
            article=document.article,
        )
