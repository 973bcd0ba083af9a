"""Who describes with a small model on a CPU: processes, each with the models of its own and its share of the cores.

One such model cannot keep two cores busy: between its steps Python decides what is next, and only one thread of a
process can. Text that streams, searches and what the page asks besides are done by the threads of this process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from batch.types import Block, Failed
from batch.workers.choose import processes_for, threads_each
from batch.workers.processes import end_with_parent
from batch.workers.work import describe_block
from rag.opening import model_config
from service.asked import Asked
from service.config import Limits, ServiceConfig
from service.errors import CannotDescribe
from service.freed import GivesBack
from service.hands import Hands, Outcome, Threads, decoded
from service.opened import Opened

T = TypeVar("T")
Describe = Callable[[Sequence[Asked], Limits], list[Outcome]]
_DIED = "the process that described it died, again with it alone; perhaps the machine's memory ran out"


def hands_for(config: ServiceConfig, opened: Opened) -> Hands:
    """Those that the configuration names, or that suit its model."""
    count = config.desk.processes
    if count is None:
        suits = processes_for(model_config(config.resolved().model))
        count = 0 if suits == 1 else suits
    threads = Threads(opened, config.limits)
    return Processes(count, config.limits, threads) if count else threads


class Processes:
    """`count` processes. One that dies costs its batch some time: each request of it is described again, alone.

    `describe` is a function of a module, which they import by its name.
    """

    def __init__(self, count: int, limits: Limits, threads: Threads, describe: Describe | None = None) -> None:
        self._describe_there = describe or _describe
        self.count = count
        self._limits = limits
        self._threads = threads
        self._waiters = ThreadPoolExecutor(count + threads.count, thread_name_prefix="process")
        self._pool: ProcessPoolExecutor | None = None
        self._suspects: ProcessPoolExecutor | None = None
        self._mending, self._suspecting = threading.Lock(), threading.Lock()

    def load(self, asked: Asked) -> None:
        """In each process; in this one, too, so that the first text that streams need not wait."""
        pool = self._running()
        try:
            for loaded in [pool.submit(_load, asked) for _ in range(self.count)]:
                loaded.result()
        except BrokenProcessPool as error:
            raise CannotDescribe("a process died while it loaded the models; perhaps memory ran out") from error
        self._threads.load(asked)

    def describe(self, batch: Sequence[Asked]) -> Future[list[Outcome]]:
        return self._waiters.submit(self._describe, batch)

    def stream(self, asked: Asked, piece: Callable[[str], bool]) -> Future[list[Outcome]]:
        return self._threads.stream(asked, piece)

    def call(self, work: Callable[[], T]) -> Future[T]:
        return self._threads.call(work)

    def close(self) -> None:
        self._waiters.shutdown()
        for pool in (self._pool, self._suspects):
            if pool is not None:
                pool.shutdown()
        self._threads.close()

    def _describe(self, batch: Sequence[Asked]) -> list[Outcome]:
        pool = self._running()
        try:
            return pool.submit(self._describe_there, tuple(batch), self._limits).result()
        except BrokenProcessPool:
            with self._mending:
                if self._pool is pool:
                    pool.shutdown(wait=False)
                    self._pool = None
            return [outcome for asked in batch for outcome in self._alone(asked)]

    def _alone(self, asked: Asked) -> list[Outcome]:
        """In a process for such requests, one at a time, so that the one that kills it is known."""
        with self._suspecting:
            pool = self._suspects or self._opened_pool(1)
            self._suspects = pool
            try:
                return pool.submit(self._describe_there, (asked,), self._limits).result()
            except BrokenProcessPool:
                pool.shutdown(wait=False)
                self._suspects = None
                return [Failed(asked.id, "worker", f"{asked.id}: {_DIED}")]

    def _running(self) -> ProcessPoolExecutor:
        """The processes; begun with the first that is asked of them, for what is refused before needs none."""
        with self._mending:
            self._pool = self._pool or self._opened_pool(self.count)
            return self._pool

    def _opened_pool(self, count: int) -> ProcessPoolExecutor:
        spawned = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(count, spawned, initializer=_begin, initargs=(threads_each(self.count),))


_opened: list[Opened] = []
"""Of a process that describes: what it has opened."""


def _begin(threads: int) -> None:
    """Readies a process. Nothing that can fail: what fails here cannot be told."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal tells all processes; ending is the first one's affair
    os.environ["OMP_NUM_THREADS"] = str(threads)  # torch and faiss read it when they are imported
    _opened.append(Opened())
    threading.Thread(target=end_with_parent, daemon=True).start()
    GivesBack()


def _load(asked: Asked) -> None:
    _opened[0].pipeline(asked.settings, asked.task).load()


def _describe(batch: Sequence[Asked], limits: Limits) -> list[Outcome]:
    pipeline = _opened[0].pipeline(batch[0].settings, batch[0].task)
    requests, failed = decoded(batch, limits)
    return [*failed, *describe_block(pipeline, Block(0, tuple(requests))).outcomes]
