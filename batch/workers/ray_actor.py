"""A worker of a Ray cluster: opens and loads its pipeline once, then turns blocks into results."""

from __future__ import annotations

import logging
import os
import pickle
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from batch.errors import BatchError, RunStopped
from batch.types import Block, BlockResult, Described, Failed
from batch.workers.ray_desk import wait
from batch.workers.work import Opener, describe_block
from configs import ConfigError
from indexer.errors import IndexerError
from rag.config import Settings
from rag.errors import RagError
from rag.opening import open_pipeline
from rag.pipeline import Pipeline
from rag.types import Request
from vlm.errors import VlmError, one_line

log = logging.getLogger(__name__)

WHOLE = 2
"""So often a block is begun whole. If its worker died each time, its requests are begun one by one."""
ENDS_THE_RUN = (BatchError, ConfigError, IndexerError, RagError, VlmError)
"""Errors that say in a line what is wrong and what to do."""
_DIED = "the worker that described it died, again with it alone; perhaps the machine's memory ran out"


@dataclass(frozen=True)
class Given:
    """What a worker opens its pipeline with, and the folder that relative paths are taken from."""

    settings: Settings
    examples: tuple[Request, ...]
    folder: str
    opener: Opener = open_pipeline


class Describer:
    """Called by Ray Data with a row of `DeskSource`; answers with `position` and `result`, a pickled BlockResult.

    An error that ends the run is answered in place of a result: raised here, it would come to the driver as Ray's.
    """

    def __init__(self, given: Given, desk: Any) -> None:
        self._desk = desk
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        if Path(given.folder).is_dir():
            os.chdir(given.folder)
        self._pipeline = _opened(given)

    def __call__(self, rows: dict[str, Any]) -> dict[str, list[Any]]:
        """`rows` is one row; the values are of length 1."""
        position, packed = int(rows["position"][0]), bytes(rows["block"][0])
        return {"position": [position], "result": [pickle.dumps(self._answer(position, packed))]}

    def _answer(self, position: int, packed: bytes) -> BlockResult | Exception | None:
        if isinstance(self._pipeline, Exception):
            return self._pipeline
        begun = wait(self._desk.begin.remote(position))
        if not begun:
            return None  # its result has reached the driver already
        block: Block = pickle.loads(packed)  # noqa: S301 - the driver wrote it
        try:
            if begun <= WHOLE:
                return describe_block(self._pipeline, block, self._name)
            return self._one_by_one(self._pipeline, position, block)
        except ENDS_THE_RUN as error:
            return error
        except Exception as error:  # noqa: BLE001 - it is raised in the driver
            return stopped(error)

    def _one_by_one(self, pipeline: Pipeline, position: int, block: Block) -> BlockResult:
        """Each request alone. One that was begun so before and did not end has killed its worker, and has failed."""
        known = wait(self._desk.alone.remote(position))
        outcomes: list[Described | Failed] = []
        wall_s, stopped = 0.0, None
        for place, request in enumerate(block.requests):
            if place not in known:
                wait(self._desk.tell_alone.remote(position, place, None))
                done = describe_block(pipeline, Block(block.number, (request,)))
                wait(self._desk.tell_alone.remote(position, place, pickle.dumps(done)))
            elif known[place] is None:
                done = BlockResult(block.number, (Failed(request.id, "worker", f"{request.id}: {_DIED}"),), 0.0)
            else:
                done = pickle.loads(known[place])  # noqa: S301 - a worker wrote it
            outcomes += done.outcomes
            wall_s += done.wall_s
            stopped = stopped or done.stopped
        return BlockResult(block.number, tuple(outcomes), wall_s, self._name, stopped)


def _opened(given: Given) -> Pipeline | Exception:
    """The pipeline with its models loaded, or why there is none."""
    try:
        pipeline = given.opener(given.settings, given.examples)
        pipeline.load()
    except ENDS_THE_RUN as error:
        return error
    except Exception as error:  # noqa: BLE001 - it is raised in the driver
        return stopped(error)
    return pipeline


def stopped(error: Exception) -> RunStopped:
    """An error that nobody foresaw, as the end of the run. Where it was is in Ray's log of the worker."""
    log.error("a worker failed", exc_info=error)
    return RunStopped(f"a worker failed ({socket.gethostname()}): {type(error).__name__}: {one_line(error)}")
