"""On a Ray cluster with Ray's own LLM batch processor: it generates, workers prepare before it and check after it.

A processor is anything that turns a data set with a column `asked` into one with a column `answered`; see
`batch.workers.ray_llm_actor` for what is in them.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

from batch.errors import RunStopped
from batch.types import Block, BlockResult, Described, Failed
from batch.workers.ray_cluster import INSTALL, Fitted, Size, cluster, ray_module
from batch.workers.ray_data import Table, cause, streaming
from rag.config import Settings
from rag.errors import RequestError
from rag.opening import open_pipeline
from rag.types import Request
from vlm.errors import one_line

Processor = Callable[[Any], Any]
_STAGES = 8
"""Batches for which requests are under way: each stage of a processor waits for a batch to be full, so that with fewer
none would ever be."""
_AT_AN_ACTOR = 2
REFUSED = "the engine refuses it: "
"""Before an engine's own words, in the reason of a request that it gave no answer to."""
_REFUSED_AT_ONCE = 16
"""So many requests that an engine refuses before it has answered any: then it is the engine."""
LIGHT = {"num_cpus": 0.1}
"""Of what packs and unpacks rows around a processor, so that it finds room beside the workers."""


class RayLlmWorkers:
    """`actors` prepare and one checks, without a GPU (None: one for every two CPUs); `processor` is made when there is
    a cluster, and generates.

    `batch_size` is the processor's, `replicas` how many engines it has. Labels are not scored by it. The rest is as
    with `RayWorkers`.
    """

    def __init__(
        self,
        settings: Settings,
        examples: Sequence[Request],
        processor: Callable[[], Processor],
        batch_size: int = 64,
        replicas: int = 1,
        actors: int | None = None,
        address: str | None = None,
        opener: Any = open_pipeline,
    ) -> None:
        if any(request.labels for request in examples):
            raise RequestError("--server vllm writes answers and does not score labels. Take --engine ray without it")
        self._given = (settings, tuple(examples), opener)
        self._processor = processor
        self._batch_size = batch_size
        self._requests = batch_size * replicas * _STAGES
        self._actors, self._address = actors, address

    def describe(self, blocks: Iterable[Block]) -> Generator[BlockResult, None, None]:
        """Results as they are done. Raises RunStopped, for an engine that refuses whatever it is asked, too, and the
        error of a worker that ends the run."""
        coming = iter(blocks)
        first = next(coming, None)
        if first is None:
            return
        with cluster(self._address, Size(self._actors, gpus=0)) as fitted:
            try:
                preparers = self._actors or max(1, fitted.actors // 2)  # the rest is the processor's
                yield from self._described(first, coming, replace(fitted, actors=preparers))
            except ray_module().exceptions.RayError as error:
                raise RunStopped(f"Ray gave up: {cause(error)} Run again to go on") from error

    def _described(self, first: Block, coming: Iterator[Block], fitted: Fitted) -> Iterator[BlockResult]:
        table = Table(first, coming, lambda blocks, asked: blocks > fitted.actors and asked >= self._requests)
        laid = table.fill()
        open_blocks: dict[int, _Open] = {}
        refusals = _Refusals()
        for rows in self._data_set(table.desk, fitted, laid).iter_batches(batch_size=None, prefetch_batches=0):
            for position, place, packed in zip(rows["position"], rows["place"], rows["result"], strict=True):
                said: Described | Failed | Exception = pickle.loads(packed)  # noqa: S301 - our own worker wrote it
                if isinstance(said, Exception):
                    raise said
                refusals.hear(said)
                block = table.open.get(int(position))
                if block is None:
                    continue
                known = open_blocks.setdefault(int(position), _Open())
                known.outcomes[int(place)] = said
                if len(known.outcomes) == len(block.requests):
                    del open_blocks[int(position)]
                    table.clear(int(position))
                    yield BlockResult(block.number, tuple(known.outcomes.values()), perf_counter() - known.since)
                    table.fill()

    def _data_set(self, desk: Any, fitted: Fitted, blocks: int) -> Any:
        ray = ray_module()
        from batch.workers.ray_actor import Given
        from batch.workers.ray_desk import DeskSource
        from batch.workers.ray_llm_actor import Finisher, Preparer

        settings, examples, opener = self._given
        given = Given(settings, examples, os.getcwd(), opener)
        with streaming(ray, fitted.actors):
            asked = ray.data.read_datasource(DeskSource(desk), override_num_blocks=1, num_cpus=0).map_batches(
                Preparer,
                batch_size=None,
                fn_constructor_args=(given, desk),
                compute=ray.data.ActorPoolStrategy(
                    size=min(fitted.actors, blocks), max_tasks_in_flight_per_actor=_AT_AN_ACTOR
                ),
                num_cpus=fitted.cpus,
            )
            return self._processor()(asked).map_batches(
                Finisher,
                batch_size=None,
                fn_constructor_args=(given,),
                compute=ray.data.ActorPoolStrategy(size=1, max_tasks_in_flight_per_actor=_AT_AN_ACTOR),
                **LIGHT,
            )


@dataclass
class _Open:
    """A block of which not all requests have come back: outcomes by their place; since when there are any."""

    outcomes: dict[int, Described | Failed] = field(default_factory=dict)
    since: float = field(default_factory=perf_counter)


@dataclass
class _Refusals:
    """How many requests an engine has refused that answered none so far."""

    count: int = 0
    answers: bool = False

    def hear(self, said: Described | Failed) -> None:
        """Raises RunStopped where it is not the requests that are wrong."""
        if isinstance(said, Described):
            self.answers = True
        elif not self.answers and said.reason.startswith(start := f"{said.id}: {REFUSED}"):
            self.count += 1
            if self.count == _REFUSED_AT_ONCE:
                raise RunStopped(
                    f"the engine answers none of its first {self.count} requests: {said.reason.removeprefix(start)}. "
                    f"What was done is kept: mend it, and run again with --retry-failed"
                )


def vllm_processor(model_source: str, batch_size: int, replicas: int, **engine: Any) -> Processor:
    """vLLM engines on the cluster's GPUs, by Ray. `engine` are vLLM's own arguments. Needs `ray[llm]`."""
    llm = llm_module()
    made: Processor = llm.build_processor(
        llm.vLLMEngineProcessorConfig(
            model_source=model_source,
            engine_kwargs=engine,
            batch_size=batch_size,
            concurrency=replicas,
            prepare_multimodal_stage=True,
            should_continue_on_error=True,
        ),
        preprocess=_for_vllm,
        postprocess=_of_vllm,
        preprocess_map_kwargs=LIGHT,
        postprocess_map_kwargs=LIGHT,
    )
    return made


def llm_module() -> Any:
    """Ray's library for language models. Raises RunStopped with the install line where it is not there."""
    try:
        return importlib.import_module("ray.data.llm")
    except ImportError as error:
        raise RunStopped(f"--server vllm needs: {INSTALL} 'ray[llm]' ({one_line(error)})") from error


def _for_vllm(row: dict[str, Any]) -> dict[str, Any]:
    asked = json.loads(row["asked"])
    params = dict(asked["params"])
    if asked["schema"] is not None:
        params["structured_outputs"] = {"json": asked["schema"]}
    return {"messages": asked["messages"], "sampling_params": params}


def _of_vllm(row: dict[str, Any]) -> dict[str, Any]:
    new = int(row["num_generated_tokens"])
    return answered_row(
        row,
        text=row["generated_text"],
        prompt_tokens=int(row["num_input_tokens"]),
        new_tokens=new,
        cut=new >= json.loads(row["asked"])["params"]["max_tokens"],
        seconds=float(row["time_taken_llm"]),
    )


def answered_row(
    row: dict[str, Any], text: str, prompt_tokens: int, new_tokens: int, cut: bool, seconds: float = 0.0
) -> dict[str, Any]:
    """The columns of a row that go on from a processor, with what it `answered` (`ray_llm_actor.Answered`)."""
    answered = {
        "text": text, "prompt_tokens": prompt_tokens, "new_tokens": new_tokens, "cut": cut, "seconds": seconds,
        "refused": "",
    }  # fmt: skip
    return {key: row[key] for key in ("position", "place", "prepared")} | {"answered": json.dumps(answered)}
