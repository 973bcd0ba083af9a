"""One block: prepared, described, and each request that breaks it found and set apart.

What is wrong with one request (it does not fit in memory, a server refuses it or takes too long over it) is that
request's failure. What is wrong with all of them is the run's end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from batch.errors import RunStopped
from batch.types import Block, BlockResult, Described, Failed, Kind
from rag.config import Settings
from rag.pipeline import Pipeline
from rag.types import Description, Failure, Prepared, PreparedRequest, Request
from vlm.errors import OutOfMemory, PromptError, ServerTimeout, VlmError, one_line

Opener = Callable[[Settings, Sequence[Request]], Pipeline]
"""Opens a pipeline. Workers import it by its name, so it is a function of a module that they have."""

_SILENT_IN_A_ROW = 3
"""So many requests in a row, each asked alone, that a server gives no answer to: then it is the server."""


@dataclass(frozen=True)
class PreparedBlock:
    """A block that is ready to be described. `failed` cannot be; `parts` are described one after the other.

    There is one part, but where memory did not suffice to prepare the block whole. `wall_s` is what it took.
    """

    number: int
    parts: tuple[Prepared, ...]
    failed: tuple[Failed, ...]
    wall_s: float


def describe_block(pipeline: Pipeline, block: Block, worker: str = "") -> BlockResult:
    """All of it. Raises what ends the run: IndexerError, VlmError, RunStopped."""
    return finish_block(pipeline, prepare_block(pipeline, block), worker)


def prepare_block(pipeline: Pipeline, block: Block) -> PreparedBlock:
    """Everything before generation."""
    started = time.perf_counter()
    parts, failed = _prepared(pipeline, block.requests)
    failed += [_failed(failure) for part in parts for failure in part.failures]
    return PreparedBlock(block.number, tuple(parts), tuple(failed), time.perf_counter() - started)


def finish_block(pipeline: Pipeline, block: PreparedBlock, worker: str = "") -> BlockResult:
    """Generation and all after it. What ends the run is raised, or said in the result where it has outcomes to keep."""
    started = time.perf_counter()
    outcomes: list[Described | Failed] = list(block.failed)
    stopped = None
    try:
        for part in block.parts:
            for outcome in _described(pipeline, part):
                outcomes.append(outcome)  # noqa: PERF402 - what came before an error is kept
    except (VlmError, RunStopped) as error:
        if len(outcomes) == len(block.failed):
            raise
        stopped = str(error)
    wall_s = block.wall_s + time.perf_counter() - started
    return BlockResult(block.number, tuple(outcomes), wall_s, worker, stopped)


def ends_the_run(block: Future[BlockResult]) -> bool:
    """Whether what came of a block, which is done, is the run's end: others that are done are handed over first."""
    return block.exception() is not None or block.result().stopped is not None


def _prepared(pipeline: Pipeline, requests: tuple[Request, ...]) -> tuple[list[Prepared], list[Failed]]:
    """The requests in as few parts as memory allows, and those that do not fit alone."""
    try:
        return [pipeline.prepare(requests)], []
    except MemoryError as error:
        if len(requests) == 1:
            return [], [_broken_by(requests[0], error)]
    half = len(requests) // 2
    first, failed = _prepared(pipeline, requests[:half])
    second, more = _prepared(pipeline, requests[half:])
    return first + second, failed + more


def _described(pipeline: Pipeline, prepared: Prepared) -> Iterator[Described | Failed]:
    left = {item.request.id: item for item in prepared.items}
    try:
        for outcome in pipeline.describe(prepared):
            del left[outcome.request.id]
            yield _outcome(outcome)
    except (OutOfMemory, MemoryError, PromptError, ServerTimeout):
        yield from _one_by_one(pipeline, list(left.values()), prepared.timings_s)


def _one_by_one(
    pipeline: Pipeline, items: list[PreparedRequest], timings_s: dict[str, float]
) -> Iterator[Described | Failed]:
    """Each alone, so that what breaks the others shows. Raises RunStopped where nothing is answered any more.

    What was silent has failed by then, so that the next run goes on behind it.
    """
    silent = 0
    for item in items:
        try:
            (outcome,) = pipeline.describe(Prepared((item,), (), timings_s))
        except (OutOfMemory, MemoryError, PromptError, ServerTimeout) as error:
            yield _broken_by(item.request, error)
            silent = silent + 1 if isinstance(error, ServerTimeout) else 0
            if silent == _SILENT_IN_A_ROW:
                raise RunStopped(
                    f"{error} So it was for {silent} images in a row, which count as failed and are tried again with "
                    f"--retry-failed."
                ) from error
        else:
            silent = 0
            yield _outcome(outcome)


def _broken_by(request: Request, error: VlmError | MemoryError) -> Failed:
    """A request that breaks its block, by what came of it alone."""
    kind: Kind = (
        "prompt" if isinstance(error, PromptError) else "time" if isinstance(error, ServerTimeout) else "memory"
    )
    said = one_line(error, 400) if str(error) else "this machine's memory ran out with it alone"
    return Failed(request.id, kind, f"{request.id}: {said}")


def _outcome(outcome: Description | Failure) -> Described | Failed:
    return _failed(outcome) if isinstance(outcome, Failure) else Described(outcome.request.id, outcome.to_json())


def _failed(failure: Failure) -> Failed:
    return Failed(failure.request.id, failure.kind, failure.reason)
