"""What is described, what comes of it, and who does the work."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from rag.types import FailureKind, Request

Kind = FailureKind | Literal["record", "memory", "time", "worker"]
"""Why something has no description: its record in the input cannot be used; the image cannot be read; the request or
its prompt cannot be put to the model; the answer is not what was asked for; memory ran out with it alone; it took too
long; the process that described it died."""


@dataclass(frozen=True)
class Item:
    """One record of the input.

    The `images` of the request are strings that `indexer.images.image_ref` reads, for workers anywhere; `request.id`
    is unique in an input. `stamp` changes when an image may have: a file's size and time, a zip member's checksum.
    """

    request: Request
    stamp: str


@dataclass(frozen=True)
class Unusable:
    """A record of the input that cannot be described: its id, or its place ("line 12") where it has none; and why."""

    id: str
    reason: str
    image: str = ""
    article: str | None = None


class Input(Protocol):
    """What `batch` was given. `name` is for people; iterating reads it anew, always in the same order.

    `notes` are lines for people, of the last iteration.

    Iterating raises InputError for what makes all of it unusable. It reads no pixels.
    """

    @property
    def name(self) -> str: ...

    @property
    def notes(self) -> Sequence[str]: ...

    def __iter__(self) -> Iterator[Item | Unusable]: ...


@dataclass(frozen=True)
class Block:
    """Requests that are prepared, described and committed together; `number` counts blocks of the plan from 0."""

    number: int
    requests: tuple[Request, ...]


@dataclass(frozen=True)
class Described:
    """A description: its record, as `caption --json` prints it."""

    id: str
    record: Mapping[str, Any]


@dataclass(frozen=True)
class Failed:
    """A request without a description, and why, in one line."""

    id: str
    kind: Kind
    reason: str


@dataclass(frozen=True)
class BlockResult:
    """What came of a block, an outcome a request. `wall_s` is how long its worker was at it, `worker` which one.

    `stopped` says why no more can be described, in one line: a server that died. Requests may then be without an
    outcome.
    """

    number: int
    outcomes: tuple[Described | Failed, ...]
    wall_s: float
    worker: str = field(default="")
    stopped: str | None = None


class Workers(Protocol):
    """Whoever describes blocks: threads here, processes, a Ray cluster.

    `describe` yields results as they are done, in any order, each block's once. It takes the next block when there is
    somebody to work on it, so that memory is bounded. Raises RunStopped where no more can be described; what was
    yielded by then is whole. Closing the iterator stops the work.
    """

    def describe(self, blocks: Iterable[Block]) -> Generator[BlockResult, None, None]: ...
