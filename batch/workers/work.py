"""One block: prepared, described."""

from __future__ import annotations

import time
from dataclasses import dataclass

from batch.types import Block, BlockResult, Described, Failed
from rag.pipeline import Pipeline
from rag.types import Description, Failure, Prepared


@dataclass(frozen=True)
class PreparedBlock:
    """A block that is ready to be described. `failed` cannot be; `parts` are described one after the other."""

    number: int
    parts: tuple[Prepared, ...]
    failed: tuple[Failed, ...]
    wall_s: float


def describe_block(pipeline: Pipeline, block: Block, worker: str = "") -> BlockResult:
    """All of it. Raises what ends the run."""
    return finish_block(pipeline, prepare_block(pipeline, block), worker)


def prepare_block(pipeline: Pipeline, block: Block) -> PreparedBlock:
    """Everything before generation."""
    started = time.perf_counter()
    prepared = pipeline.prepare(block.requests)
    failed = tuple(Failed(f.request.id, f.kind, f.reason) for f in prepared.failures)
    return PreparedBlock(block.number, (prepared,), failed, time.perf_counter() - started)


def finish_block(pipeline: Pipeline, block: PreparedBlock, worker: str = "") -> BlockResult:
    """Generation and all after it."""
    started = time.perf_counter()
    outcomes = tuple(_outcome(outcome) for part in block.parts for outcome in pipeline.describe(part))
    return BlockResult(block.number, (*block.failed, *outcomes), block.wall_s + time.perf_counter() - started, worker)


def _outcome(outcome: Description | Failure) -> Described | Failed:
    if isinstance(outcome, Failure):
        return Failed(outcome.request.id, outcome.kind, outcome.reason)
    return Described(outcome.request.id, outcome.to_json())
