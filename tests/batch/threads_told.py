"""A pipeline, imported by name, that says how many threads torch has; torch is there before the process is readied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from fakes import Told, pipeline_of

from rag.config import Settings
from rag.pipeline import Pipeline
from rag.types import Request
from vlm.types import Generation, GenerationParams, Prompt


class Counting(Told):
    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:  # noqa: ARG002
        for position in range(len(prompts)):
            yield position, Generation(f"{torch.get_num_threads()} threads.", 9, 5, "end", 0.001, -0.1)


def counting_pipeline(settings: Settings, examples: Sequence[Request]) -> Pipeline:  # noqa: ARG001
    return pipeline_of(Pipeline, settings, Counting())
