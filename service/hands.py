"""Who describes a batch that the desk has gathered: threads of this process.

One thread prepares a batch while another describes one: two of them, and a lock for each half.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol, TypeVar

from batch.types import Block, Described, Failed
from batch.workers.work import finish_block, prepare_block
from imaging import ImageError
from rag.types import Request
from service.asked import Asked
from service.config import Limits
from service.opened import Opened

if TYPE_CHECKING:
    from service.desk import Ticket

T = TypeVar("T")
Outcome = Described | Failed
Piece = str


class Hands(Protocol):
    """Whoever describes. `count` batches may be given at once."""

    @property
    def count(self) -> int: ...

    def describe(self, batch: Sequence[Ticket]) -> Future[Sequence[Outcome]]:
        """The outcomes of a batch whose requests are asked alike, one each."""
        ...

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Some other work with the models of this process."""
        ...

    def close(self) -> None: ...


class Threads:
    """Two threads of this process: the next batch is prepared while this one is described."""

    count = 2

    def __init__(self, opened: Opened, limits: Limits) -> None:
        self._opened = opened
        self._limits = limits
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="describe")
        self._callers = ThreadPoolExecutor(1, thread_name_prefix="call")
        self._preparing, self._describing = threading.Lock(), threading.Lock()

    def describe(self, batch: Sequence[Ticket]) -> Future[Sequence[Outcome]]:
        return self._pool.submit(self._describe, batch)

    def call(self, work: Callable[[], T]) -> Future[T]:
        return self._callers.submit(work)

    def close(self) -> None:
        self._pool.shutdown()
        self._callers.shutdown()

    def _describe(self, batch: Sequence[Ticket]) -> Sequence[Outcome]:
        asked = batch[0].asked
        pipeline = self._opened.pipeline(asked.settings, asked.task)
        with self._preparing:
            requests, failed = decoded([ticket.asked for ticket in batch if not ticket.gone.is_set()], self._limits)
            prepared = prepare_block(pipeline, Block(0, tuple(requests)))
        with self._describing:
            outcomes = [*failed, *finish_block(pipeline, prepared).outcomes]
        self._say(batch, outcomes)
        return outcomes

    def _say(self, batch: Sequence[Ticket], outcomes: Sequence[Outcome]) -> None:
        for ticket in batch:
            for outcome in outcomes:
                if ticket.pieces is not None and isinstance(outcome, Described):
                    ticket.pieces(outcome.record.get("caption") or outcome.record.get("answer") or "")


def decoded(asked: Sequence[Asked], limits: Limits) -> tuple[list[Request], list[Failed]]:
    """The requests with their pictures, and those whose images cannot be read."""
    good: list[Request] = []
    failed: list[Failed] = []
    for one in asked:
        try:
            good.append(one.decoded(limits))
        except ImageError as error:
            failed.append(Failed(one.id, "image", str(error)))
    return good, failed
