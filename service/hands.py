"""Who describes a batch that the desk has gathered: threads of this process.

One thread prepares a batch while another describes one: two of them, and a lock for each half.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Protocol, TypeVar

from batch.types import Block, Described, Failed
from batch.workers.work import finish_block, prepare_block
from imaging import ImageError
from rag.pipeline import Pipeline
from rag.types import Description, Prepared, Request
from service.asked import Asked
from service.config import Limits
from service.opened import Opened
from vlm.errors import OutOfMemory, PromptError, one_line

T = TypeVar("T")
Outcome = Described | Failed


class Hands(Protocol):
    """Whoever describes. `count` batches may be given at once, of requests that are asked alike."""

    @property
    def count(self) -> int: ...

    def load(self, asked: Asked) -> None:
        """Loads what such requests need, and returns once it is loaded. Raises what opening and loading raise."""
        ...

    def describe(self, batch: Sequence[Asked]) -> Future[list[Outcome]]:
        """The outcomes, one each; of requests that describing stopped before there is none."""
        ...

    def stream(self, asked: Asked, piece: Callable[[str], bool]) -> Future[list[Outcome]]:
        """One outcome. `piece` hears the text as it is written; where it says False, the model stops."""
        ...

    def call(self, work: Callable[[], T]) -> Future[T]:
        """Some other work with what is opened in this process, one at a time."""
        ...

    def close(self) -> None:
        """Finishes what was begun."""
        ...


class Threads:
    """Two threads of this process: the next batch is prepared while this one is described."""

    count = 2

    def __init__(self, opened: Opened, limits: Limits) -> None:
        self._opened = opened
        self._limits = limits
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="describe")
        self._callers = ThreadPoolExecutor(1, thread_name_prefix="call")
        self._preparing, self._describing = threading.Lock(), threading.Lock()

    def load(self, asked: Asked) -> None:
        self._opened.pipeline(asked.settings, asked.task).load()

    def describe(self, batch: Sequence[Asked]) -> Future[list[Outcome]]:
        return self._pool.submit(self._describe, batch)

    def stream(self, asked: Asked, piece: Callable[[str], bool]) -> Future[list[Outcome]]:
        return self._pool.submit(self._stream, asked, piece)

    def call(self, work: Callable[[], T]) -> Future[T]:
        return self._callers.submit(work)

    def close(self) -> None:
        self._pool.shutdown()
        self._callers.shutdown()

    def _describe(self, batch: Sequence[Asked]) -> list[Outcome]:
        with self._preparing:
            pipeline = self._opened.pipeline(batch[0].settings, batch[0].task)
            requests, failed = decoded(batch, self._limits)
            prepared = prepare_block(pipeline, Block(0, tuple(requests)))
        with self._describing:
            return [*failed, *finish_block(pipeline, prepared).outcomes]

    def _stream(self, asked: Asked, piece: Callable[[str], bool]) -> list[Outcome]:
        with self._preparing:
            pipeline = self._opened.pipeline(asked.settings, asked.task)
            requests, failed = decoded([asked], self._limits)
            prepared = pipeline.prepare(requests)
        failed += [Failed(asked.id, failure.kind, failure.reason) for failure in prepared.failures]
        with self._describing:
            return failed or _written(pipeline, prepared, asked.id, piece)


def decoded(batch: Sequence[Asked], limits: Limits) -> tuple[list[Request], list[Outcome]]:
    """The requests with their pictures, and those whose images cannot be read."""
    good: list[Request] = []
    failed: list[Outcome] = []
    for asked in batch:
        try:
            good.append(asked.decoded(limits))
        except ImageError as error:
            failed.append(Failed(asked.id, "image", str(error)))
    return good, failed


def _written(pipeline: Pipeline, prepared: Prepared, id_: str, piece: Callable[[str], bool]) -> list[Outcome]:
    """Tells the text as it is written; the outcome, or nothing where nobody listens any more."""
    try:
        with closing(pipeline.stream_prepared(prepared)) as pieces:
            for said in pieces:
                if isinstance(said, str):
                    if not piece(said):
                        return []
                elif isinstance(said, Description):
                    return [Described(id_, said.to_json())]
                else:
                    return [Failed(id_, said.kind, said.reason)]
    except PromptError as error:
        return [Failed(id_, "prompt", one_line(error))]
    except (OutOfMemory, MemoryError) as error:
        return [Failed(id_, "memory", one_line(error))]
    return []
