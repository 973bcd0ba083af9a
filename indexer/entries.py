"""What a build finds in the index's database, puts into it, and changes."""

from __future__ import annotations

from dataclasses import dataclass

from indexer.types import Example, Passage


@dataclass(frozen=True)
class Known:
    """A record the index or the unfinished build has under an id; `taken` where this pass has come across it."""

    row: int
    content_hash: str
    source: str = ""
    taken: bool = False


@dataclass(frozen=True)
class Staged:
    """A record with what is stored beside it."""

    record: Example | Passage
    image_path: str
    content_hash: str


@dataclass(frozen=True)
class Entry:
    """A record to be written, and the number of the vector it shares; None for one of those that come with it."""

    staged: Staged
    said: bytes
    vector: int | None


@dataclass(frozen=True)
class Changes:
    """What the next generation has over the current one, in records."""

    added: int
    replaced: int
    removed: int
