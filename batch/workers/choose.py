"""Who describes, where nobody said it: by what the model runs on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from batch.errors import BatchError
from batch.types import Workers
from batch.workers.here import Here
from batch.workers.processes import Processes
from rag.pipeline import Pipeline
from rag.types import Request

EngineKind = Literal["local", "ray"]
_SMALL = 200_000_000
"""Parameters of a model that may well be loaded once a core: under a GiB each, in 32 bits."""


@dataclass(frozen=True)
class Crew:
    """What was asked for: `workers` processes or actors, None as many as suit."""

    engine: EngineKind = "local"
    workers: int | None = None

    def open(self, pipeline: Pipeline, examples: Sequence[Request]) -> Workers:
        """Whoever is to describe by this pipeline. Raises BatchError for what does not go together."""
        model = pipeline.speaker.config
        of_server = model is not None and model.server is not None
        if of_server:
            if self.workers is not None and self.workers > 1:
                raise BatchError(
                    "a model of a server needs no --workers: server.concurrency says how much is asked at once"
                )
            return Here(pipeline, together=2)
        cores = len(os.sched_getaffinity(0))
        small = model is not None and model.parameters is not None and model.parameters <= _SMALL
        count = self.workers or (cores if small and not _has_gpu() else 1)
        if count == 1:
            return Here(pipeline)
        return Processes(pipeline.settings, examples, count, max(1, cores // count))


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()
