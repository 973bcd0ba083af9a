"""A record as its source has it: what is asked, what the right answer is, and where its images lie."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from indexer.images import ImageRef
from rag.prompts import Task

Why = Literal["row", "id", "question", "answer", "image", "leak"]
"""What a record was left out for: it cannot be read, its id is another's, its question or answer is missing or none of
those asked for, an image cannot be had, or it would give a dev or test record away."""


@dataclass(frozen=True, slots=True)
class Found:
    """A record whose images are still to be read. `split` is the source's own, None where it has none.

    `question`, `labels`, `schema` (JSON text), `article`, `kind` and the last three are those of a TrainingRecord.
    """

    id: str
    task: Task
    answer: str
    images: tuple[ImageRef, ...] = ()
    question: str = ""
    labels: tuple[str, ...] = ()
    schema: str | None = None
    article: str | None = None
    kind: str | None = None
    split: str | None = None
    source: str = ""
    license: str = ""
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A record that is in no split, and why. `id` is its own or its place in the source ("line 12")."""

    id: str
    why: Why
    reason: str


@dataclass(frozen=True)
class Origin:
    """What is prepared. `records` come in the source's order and are read once; `notes` are lines for
    people, of reading them."""

    name: str
    records: Iterable[Found | LeftOut]
    notes: list[str] = field(default_factory=list)
