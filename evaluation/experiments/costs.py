"""What an arm costs: seconds, tokens, images a second, memory. Seconds and tokens are the records' own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.runs import Run
from rag.pipeline import Pipeline
from vlm.cost.machine import forget_peak, peak_mib

SESSIONS = "sessions.jsonl"
MIB = 2**20


@dataclass(frozen=True)
class Cost:
    """Of one arm. `seconds` are those of its descriptions, loading left out; tokens are of all of them, None where a
    server does not say.

    `peak_mib` is the most that the process had (on a GPU: that torch had there) while the arm was at work, with the
    program and the index in it; `model_mib` what the model's tensors hold. None where nothing was measured.
    """

    images: int
    seconds: float
    prompt_tokens: int | None
    new_tokens: int | None
    peak_mib: float | None
    model_mib: float | None

    @property
    def images_a_second(self) -> float | None:
        return self.images / self.seconds if self.seconds else None

    def to_json(self) -> dict[str, Any]:
        rate = self.images_a_second
        return {
            "images": self.images,
            "seconds": round(self.seconds, 2),
            "images_a_second": None if rate is None else round(rate, 3),
            "prompt_tokens": self.prompt_tokens,
            "new_tokens": self.new_tokens,
            "peak_mib": self.peak_mib,
            "model_mib": self.model_mib,
        }


def cost_of(run: Run) -> Cost:
    """The cost of a run, from its records and from what `session` wrote into its folder."""
    records = run.records.values()
    sessions = [json.loads(line) for line in _lines(run.folder / SESSIONS)]
    return Cost(
        images=len(records),
        seconds=sum(record["timings_s"]["total"] for record in records),
        prompt_tokens=_total(record["tokens"]["prompt"] for record in records),
        new_tokens=_total(record["tokens"]["new"] for record in records),
        peak_mib=max((one["peak_mib"] for one in sessions), default=None),
        model_mib=max((one["model_mib"] for one in sessions if one["model_mib"] is not None), default=None),
    )


def together(costs: Sequence[Cost]) -> Cost:
    """The cost of several runs; of memory the most."""
    return Cost(
        images=sum(cost.images for cost in costs),
        seconds=sum(cost.seconds for cost in costs),
        prompt_tokens=_total(cost.prompt_tokens for cost in costs),
        new_tokens=_total(cost.new_tokens for cost in costs),
        peak_mib=max((cost.peak_mib for cost in costs if cost.peak_mib is not None), default=None),
        model_mib=max((cost.model_mib for cost in costs if cost.model_mib is not None), default=None),
    )


@contextmanager
def session(pipeline: Pipeline, folder: Path) -> Iterator[None]:
    """Around work of an arm: writes what memory it took into the folder, also where the work was broken off."""
    import torch

    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    else:
        forget_peak()
    try:
        yield
    finally:
        peak = torch.cuda.max_memory_allocated() / MIB if on_gpu else peak_mib()
        line = {"peak_mib": round(peak, 1), "model_mib": _model_mib(pipeline)}
        with (folder / SESSIONS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def _model_mib(pipeline: Pipeline) -> float | None:
    """What the tensors of the pipeline's model hold; None for a model that is not in this process."""
    from vlm.cost.held import held_bytes
    from vlm.loading import Loaded

    loaded = pipeline.speaker.engine.load()
    return round(held_bytes(loaded.model) / MIB, 1) if isinstance(loaded, Loaded) else None


def _total(counts: Iterator[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split("\n")[:-1] if file.is_file() else []
