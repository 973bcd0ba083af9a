"""Documents made into passages, many at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from indexer.sources.chunking import Chunker, Cut, Text
from indexer.sources.documents import Document
from indexer.types import Passage, SourceFailure

_AT_ONCE = 16


def passages(
    items: Iterable[Document | SourceFailure], source: str, chunker: Chunker
) -> Iterator[Passage | SourceFailure]:
    """The passages of each document, `id#0`, `id#1`, ..., and the failures in their places.

    None where a document's text is empty. Holds 16 documents at most.
    """
    left = iter(items)
    while window := list(islice(left, _AT_ONCE)):
        documents = [item for item in window if isinstance(item, Document)]
        cuts = iter(chunker.cut([Text(document.text, document.title) for document in documents]))
        for item in window:
            if isinstance(item, Document):
                yield from _passages(item, next(cuts), source)
            else:
                yield item


def numbered_on(items: Iterable[Passage | SourceFailure]) -> Iterator[Passage | SourceFailure]:
    """The same with their numbers going on where another document has the same id: a page that comes in parts.

    Holds a number for each such id.
    """
    numbers: Counter[str] = Counter()
    for item in items:
        if isinstance(item, Passage):
            yield replace(item, id=f"{item.source_id}#{numbers[item.source_id]}")
            numbers[item.source_id] += 1
        else:
            yield item


def count_documents(items: Iterable[Document | SourceFailure]) -> int:
    """How many documents of different ids there are, with the failures: what `numbered_on` makes one document of."""
    ids: set[str] = set()
    failures = 0
    for item in items:
        if isinstance(item, Document):
            ids.add(item.id)
        else:
            failures += 1
    return len(ids) + failures


def _passages(document: Document, cut: Cut, source: str) -> Iterator[Passage]:
    for number, piece in enumerate(cut.pieces):
        yield Passage(
            id=f"{document.id}#{number}",
            text=piece,
            source=source,
            source_id=document.id,
            title=cut.title,
            license=document.license,
            attribution=document.attribution,
            url=document.url,
            year=document.year,
            article=document.article,
        )
