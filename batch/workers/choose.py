"""Who describes, where nobody said it: by what the model runs on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from batch.errors import BatchError
from batch.hardware import has_gpu
from batch.types import Workers
from batch.workers.here import Here
from batch.workers.processes import Processes
from rag.pipeline import Pipeline
from rag.types import Request
from vlm.config import ModelConfig
from vlm.weights import find_files

EngineKind = Literal["local", "ray"]
ServerKind = Literal["vllm"]
_SMALL = 200_000_000
"""Parameters of a model that may well be loaded once a core: under a GiB each, in 32 bits."""

_VLLM_BATCH = 64
"""Requests that Ray's processor hands to an engine in one go."""


@dataclass(frozen=True)
class Crew:
    """What was asked for: `workers` processes or actors, None as many as suit.

    Of a Ray cluster `address` is the head's, HOST:PORT, or "auto", None this machine alone; `gpus` is how many an actor
    has, None one where there are any. With `server` vllm Ray's own batch processor generates, `workers` being its
    engines. Raises BatchError for what does not go together.
    """

    engine: EngineKind = "local"
    workers: int | None = None
    address: str | None = None
    gpus: float | None = None
    server: ServerKind | None = None

    def __post_init__(self) -> None:
        if self.engine != "ray" and (self.address, self.gpus, self.server) != (None, None, None):
            raise BatchError("--ray-address, --worker-gpus and --server go with --engine ray")
        if self.server is not None and self.gpus is not None:
            raise BatchError("--worker-gpus is for workers that generate; with --server vllm its engines have one each")

    def open(self, pipeline: Pipeline, examples: Sequence[Request]) -> Workers:
        """Whoever is to describe by this pipeline. Raises BatchError for what does not go together."""
        if self.engine == "ray":
            return self._on_ray(pipeline, examples)
        model = pipeline.speaker.config
        if model is not None and model.server is not None:
            if self.workers is not None and self.workers > 1:
                raise BatchError("a model of a server takes no --workers: its server.concurrency says how much at once")
            return Here(pipeline, together=2)
        count = self.workers or processes_for(model)
        if count == 1:
            return Here(pipeline)
        return Processes(pipeline.settings, examples, count, threads_each(count))

    def _on_ray(self, pipeline: Pipeline, examples: Sequence[Request]) -> Workers:
        from batch.workers.ray_data import RayWorkers
        from batch.workers.ray_llm import RayLlmWorkers, vllm_processor

        settings = pipeline.settings
        if self.server is None:
            return RayWorkers(settings, examples, self.workers, gpus_per_actor=self.gpus, address=self.address)
        model = pipeline.speaker.config
        if model is None or model.server is not None:
            raise BatchError("--server vllm runs a model's files; one of a server already has its own engine")
        if settings.model.adapter is not None:
            raise BatchError("--server vllm takes no --adapter: merge it first")
        files, engines = str(find_files(model)), self.workers or 1
        return RayLlmWorkers(
            settings, examples, partial(vllm_processor, files, _VLLM_BATCH, engines), _VLLM_BATCH, engines,
            address=self.address,
        )  # fmt: skip


def processes_for(model: ModelConfig | None) -> int:
    """How many processes suit a model: one a core for a small one on a CPU, else one that has it all."""
    small = model is not None and model.parameters is not None and model.parameters <= _SMALL
    return len(os.sched_getaffinity(0)) if small and not has_gpu() else 1


def threads_each(count: int) -> int:
    """The share of each of `count` processes in the cores."""
    return max(1, len(os.sched_getaffinity(0)) // count)
