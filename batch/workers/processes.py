"""In processes of this machine, each with the whole pipeline and its share of the cores.

That is for small models on a CPU: one such model cannot keep two cores busy. A process that dies costs the blocks that
were under way, which are done again one at a time: the one that kills a process again is taken apart, and the request
that does it fails alone.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from batch.errors import RunStopped
from batch.types import Block, BlockResult, Failed
from batch.workers.work import Opener, describe_block, ends_the_run
from rag.config import Settings
from rag.opening import open_pipeline
from rag.pipeline import Pipeline
from rag.types import Request

_AHEAD = 1
"""Blocks that wait for each process, so that none waits for its next."""
_DEATHS_IN_A_ROW = 8
"""So often the processes may die with nothing done in between before it is they that are wrong."""
_DIED = "the process that described it died, again with it alone; perhaps the machine's memory ran out"


class Processes:
    """`count` processes, each with `threads` threads and the pipeline that `opener` opens.

    `examples` is one request of each task that blocks have.
    """

    def __init__(
        self,
        settings: Settings,
        examples: Sequence[Request],
        count: int,
        threads: int,
        opener: Opener = open_pipeline,
    ) -> None:
        self._given = _Given(settings, tuple(examples), threads, opener)
        self._count = count

    def describe(self, blocks: Iterable[Block]) -> Generator[BlockResult, None, None]:
        """Results as they are done. Raises what ends the run, and RunStopped where processes die all the time."""
        work = _Work(iter(blocks), self._count * (1 + _AHEAD))
        pool, under_way = self._pool(), dict[Future[BlockResult], Block]()
        try:
            while True:
                dead = False
                for block in work.next(len(under_way)):
                    try:
                        with _signals_held():
                            under_way[pool.submit(_describe, block)] = block
                    except BrokenProcessPool:  # one died since; what is under way hears of it below
                        dead = True
                        work.not_begun(block)
                        break
                if not under_way and not dead:
                    pool.shutdown()  # waits, so that nothing of the pool is left for Python to complain of
                    return
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in sorted(done, key=ends_the_run):
                    if isinstance(future.exception(), BrokenProcessPool):
                        dead = True
                        break
                    yield from work.done(under_way.pop(future), future.result())
                if dead:
                    pool.shutdown(wait=False)
                    yield from work.died(list(under_way.values()))
                    pool, under_way = self._pool(), {}
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _pool(self) -> ProcessPoolExecutor:
        spawned = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(self._count, mp_context=spawned, initializer=_begin, initargs=(self._given,))


@contextmanager
def _signals_held() -> Iterator[None]:
    """Processes that begin inside never hear Ctrl-C, which a terminal tells them all, nor a SIGTERM to all of them:
    it is this one's affair, which hears of it afterwards and lets blocks be finished. See `_end_when_told`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@dataclass
class _Work:
    """What is still to be described; after a death, which block is to blame.

    `suspects` were under way when a process died. They are done one at a time, before anything else; the one that is
    under way so is `accused`.
    """

    coming: Iterator[Block]
    most: int
    suspects: deque[Block] = field(default_factory=deque)
    taken_apart: dict[int, _TakenApart] = field(default_factory=dict)
    accused: Block | None = None
    deaths: int = 0

    def next(self, under_way: int) -> Iterator[Block]:
        """The blocks to begin now, beside those under way."""
        if self.suspects:
            if not under_way:
                self.accused = self.suspects.popleft()
                yield self.accused
            return
        self.accused = None
        while under_way < self.most and (block := next(self.coming, None)) is not None:
            under_way += 1
            yield block

    def not_begun(self, block: Block) -> None:
        """The processes were dead before they got this block: it comes again, and is not to blame."""
        self.suspects.appendleft(block)
        self.accused = None

    def done(self, block: Block, result: BlockResult) -> Iterator[BlockResult]:
        """Hands on a result, that of a block which was taken apart once all its parts are there."""
        self.deaths = 0
        yield from self._gathered(block, result)

    def died(self, under_way: Sequence[Block]) -> Iterator[BlockResult]:
        """A process died with these blocks under way. Raises RunStopped where they die all the time."""
        self.deaths += 1
        if self.deaths >= _DEATHS_IN_A_ROW:
            raise RunStopped(
                f"the processes that describe died {self.deaths} times with nothing done in between, perhaps for want "
                f"of memory. Try fewer: --workers 1"
            )
        guilty = self.accused
        if guilty is None:
            self.suspects.extendleft(sorted(under_way, key=lambda block: block.number, reverse=True))
            return
        if len(guilty.requests) == 1:
            (request,) = guilty.requests
            failed = Failed(request.id, "worker", f"{request.id}: {_DIED}")
            yield from self._gathered(guilty, BlockResult(guilty.number, (failed,), 0.0))
            return
        self.taken_apart[guilty.number] = _TakenApart(len(guilty.requests))
        self.suspects.extendleft(replace(guilty, requests=(request,)) for request in reversed(guilty.requests))

    def _gathered(self, block: Block, result: BlockResult) -> Iterator[BlockResult]:
        parts = self.taken_apart.get(block.number)
        if parts is None:
            yield result
        elif (whole := parts.add(result)) is not None:
            del self.taken_apart[block.number]
            yield whole


@dataclass
class _TakenApart:
    """The results of a block whose requests are described one by one."""

    requests: int
    results: list[BlockResult] = field(default_factory=list)

    def add(self, result: BlockResult) -> BlockResult | None:
        """The block's result once it is whole."""
        self.results.append(result)
        if len(self.results) < self.requests:
            return None
        outcomes = tuple(outcome for part in self.results for outcome in part.outcomes)
        stopped = next((part.stopped for part in self.results if part.stopped), None)
        wall_s = sum(part.wall_s for part in self.results)
        return replace(result, outcomes=outcomes, wall_s=wall_s, stopped=stopped)


@dataclass(frozen=True)
class _Given:
    """What a process opens its pipeline with."""

    settings: Settings
    examples: tuple[Request, ...]
    threads: int
    opener: Opener


_opened: list[_Given | Pipeline] = []
"""Of a process that describes: what its pipeline is opened with, then the pipeline."""


def _begin(given: _Given) -> None:
    """Readies a process. Nothing that can fail: what fails here cannot be told."""
    _opened.append(given)
    os.environ["OMP_NUM_THREADS"] = str(given.threads)  # torch and faiss read it when they are imported
    if torch := sys.modules.get("torch"):  # by a script of somebody's own, which this process imports, too
        torch.set_num_threads(given.threads)
    threading.Thread(target=end_with_parent, daemon=True).start()
    threading.Thread(target=_end_when_told, daemon=True).start()


def end_with_parent() -> None:
    """Ends this process when the one that began it is gone, killed perhaps: it would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _end_when_told() -> None:
    """Ends this process at a SIGTERM of the one that began it, which ends its pool so; at no other's."""
    parent = os.getppid()
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
        pass
    os._exit(1)


def _describe(block: Block) -> BlockResult:
    (opened,) = _opened
    if isinstance(opened, _Given):
        opened = opened.opener(opened.settings, opened.examples)
        _opened[:] = [opened]
    return describe_block(opened, block, str(os.getpid()))
