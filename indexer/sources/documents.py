"""A text as a source knows it, before it is cut into passages."""

from __future__ import annotations

from dataclasses import dataclass


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
