"""On a Ray cluster: pipelines as actors, blocks in and results out through Ray Data's streaming `map_batches`.

Retrieval is the workers' work as generation is. Nothing is written there: results come to this process, whose one
writer commits them. A worker or a machine that is lost costs the blocks it had not finished; Ray describes them again.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any

from batch.errors import RunStopped
from batch.types import Block, BlockResult
from batch.workers.ray_cluster import Fitted, Size, cluster, ray_module
from rag.config import Settings
from rag.opening import model_config, open_pipeline
from rag.types import Request
from vlm.errors import one_line

_AT_AN_ACTOR = 2
"""Blocks that an actor has: the one it describes and the one it describes next."""
_UNDER_WAY = 3
"""Blocks under way for each actor, with results that wait to be committed."""


class RayWorkers:
    """Actors of a Ray cluster. `examples` is one request of each task that blocks have.

    `address` is the head's, HOST:PORT, or "auto" for the cluster that this machine has joined; None begins one on this
    machine alone, which ends with the work. `actors` None is as many as fit; `gpus_per_actor` None is one where the
    cluster has GPUs and the model is no server's, and below 1 several actors share one. `opener` opens a worker's
    pipeline.
    """

    def __init__(
        self,
        settings: Settings,
        examples: Sequence[Request],
        actors: int | None = None,
        cpus_per_actor: float = 1.0,
        gpus_per_actor: float | None = None,
        address: str | None = None,
        opener: Any = open_pipeline,
    ) -> None:
        self._given = (settings, tuple(examples), opener)
        if gpus_per_actor is None and model_config(settings.model).server is not None:
            gpus_per_actor = 0.0
        self._size = Size(actors, cpus_per_actor, gpus_per_actor)
        self._address = address

    def describe(self, blocks: Iterable[Block]) -> Generator[BlockResult, None, None]:
        """Results as they are done. Raises RunStopped, and the error of a worker that ends the run.

        Nothing of Ray is begun where there is no block. Blocks are taken from `blocks` in this thread.
        """
        coming = iter(blocks)
        first = next(coming, None)
        if first is None:
            return
        with cluster(self._address, self._size) as fitted:
            try:
                yield from self._described(first, coming, fitted)
            except ray_module().exceptions.RayError as error:
                raise RunStopped(f"Ray gave up: {cause(error)} Run again to go on") from error

    def _described(self, first: Block, coming: Iterator[Block], fitted: Fitted) -> Iterator[BlockResult]:
        table = Table(first, coming, lambda blocks, _: blocks >= fitted.actors * _UNDER_WAY)
        laid = table.fill()
        rows = self._data_set(table.desk, fitted, laid).iter_batches(batch_size=None, prefetch_batches=0)
        for row in rows:
            for position, packed in zip(row["position"], row["result"], strict=True):
                said: BlockResult | Exception | None = pickle.loads(packed)  # noqa: S301 - our own worker wrote it
                if isinstance(said, Exception):
                    raise said
                if said is not None and table.clear(int(position)):
                    yield said
                    table.fill()

    def _data_set(self, desk: Any, fitted: Fitted, blocks: int) -> Any:
        """Rows `position`, `result`: one for each block that is laid on the desk, as it is done. `blocks` lie
        there, or more.

        Ray Data begins an actor that died again, and what it was at, without end; the desk counts how often.
        """
        ray = ray_module()
        from batch.workers.ray_actor import Describer, Given
        from batch.workers.ray_desk import DeskSource

        settings, examples, opener = self._given
        actors = min(fitted.actors, blocks)
        with streaming(ray, actors):
            return ray.data.read_datasource(DeskSource(desk), override_num_blocks=1, num_cpus=0).map_batches(
                Describer,
                batch_size=None,
                fn_constructor_args=(Given(settings, examples, os.getcwd(), opener), desk),
                compute=ray.data.ActorPoolStrategy(size=actors, max_tasks_in_flight_per_actor=_AT_AN_ACTOR),
                num_cpus=fitted.cpus,
                num_gpus=fitted.gpus,
            )


@contextmanager
def streaming(ray: Any, actors: int) -> Iterator[None]:
    """Data sets that are made here hand on each row when it is there, and say nothing."""
    context = ray.data.DataContext.get_current().copy()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.target_max_block_size = 1  # byte: rows do not wait until there are 128 MiB of them
    context.max_consecutive_actor_init_deaths = actors  # a machine may be lost while models are loaded
    with ray.data.DataContext.current(context):
        yield


class Table:
    """The driver's side of a desk: lays blocks down until there are enough, and clears what is done.

    `enough` is told how many blocks and how many requests lie there.
    """

    def __init__(self, first: Block, coming: Iterator[Block], enough: Callable[[int, int], bool]) -> None:
        ray = ray_module()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        from batch.workers.ray_desk import Desk

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        self.desk = ray.remote(num_cpus=0)(Desk).options(scheduling_strategy=here).remote()
        self.open: dict[int, Block] = {}
        self._coming = chain((first,), coming)
        self._enough = enough
        self._next, self._requests, self._closed = 0, 0, False

    def fill(self) -> int:
        """Lays down blocks until there are enough or none is left; returns how many lie there."""
        while not self._closed and not self._enough(len(self.open), self._requests):
            block = next(self._coming, None)
            if block is None:
                self.desk.close.remote(self._next)
                self._closed = True
            else:
                self.desk.lay.remote(self._next, pickle.dumps(block))
                self.open[self._next] = block
                self._requests += len(block.requests)
                self._next += 1
        return len(self.open)

    def clear(self, position: int) -> bool:
        """Whether the block there was still open; its result is then the first."""
        block = self.open.pop(position, None)
        if block is None:
            return False
        self._requests -= len(block.requests)
        self.desk.clear.remote(position)
        return True


def cause(error: Exception) -> str:
    """The last line of Ray's error, which is often a whole traceback: what happened."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    return one_line(lines[-1] if lines else type(error).__name__)
