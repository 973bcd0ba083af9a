"""What an arm costs: seconds, tokens, images a second, memory. Seconds and tokens are the records' own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.metrics.costs import noted
from evaluation.runs import Run
from rag.pipeline import Pipeline

MODEL = "model.json"
MIB = 2**20


@dataclass(frozen=True)
class Cost:
    """Of one arm. `seconds` are those of its descriptions, loading left out; tokens are of all of them, None where a
    server does not say.

    `peak_mib` is the most that the process had while the run was at work, with the program and the index in it,
    `gpu_peak_mib` the most that torch had on the GPU; `model_mib` is what the model's tensors hold. None where nothing
    was measured.
    """

    images: int
    seconds: float
    prompt_tokens: int | None
    new_tokens: int | None
    peak_mib: float | None
    gpu_peak_mib: float | None
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
            "gpu_peak_mib": self.gpu_peak_mib,
            "model_mib": self.model_mib,
        }


def cost_of(run: Run) -> Cost:
    """The cost of a run, from its records and from what it noted in its folder."""
    records = run.records.values()
    memory = noted(run.folder)
    model = run.folder / MODEL
    return Cost(
        images=len(records),
        seconds=sum(record["timings_s"]["total"] for record in records),
        prompt_tokens=total(record["tokens"]["prompt"] for record in records),
        new_tokens=total(record["tokens"]["new"] for record in records),
        peak_mib=memory.get("peak memory (MiB)"),
        gpu_peak_mib=memory.get("peak GPU memory (MiB)"),
        model_mib=json.loads(model.read_text(encoding="utf-8"))["model_mib"] if model.is_file() else None,
    )


def together(costs: Sequence[Cost]) -> Cost:
    """The cost of several runs; of memory the most."""
    return Cost(
        images=sum(cost.images for cost in costs),
        seconds=sum(cost.seconds for cost in costs),
        prompt_tokens=total(cost.prompt_tokens for cost in costs),
        new_tokens=total(cost.new_tokens for cost in costs),
        peak_mib=max((cost.peak_mib for cost in costs if cost.peak_mib is not None), default=None),
        gpu_peak_mib=max((cost.gpu_peak_mib for cost in costs if cost.gpu_peak_mib is not None), default=None),
        model_mib=max((cost.model_mib for cost in costs if cost.model_mib is not None), default=None),
    )


def note_model(pipeline: Pipeline, folder: Path) -> None:
    """Writes into a run's folder what its model, which is loaded, holds in memory; nothing for one of a server."""
    from vlm.cost.held import held_bytes
    from vlm.loading import Loaded

    loaded = pipeline.speaker.engine.load()
    if isinstance(loaded, Loaded):
        held = {"model_mib": round(held_bytes(loaded.model) / MIB, 1)}
        (folder / MODEL).write_text(json.dumps(held) + "\n", encoding="utf-8")


def total(counts: Iterable[int | None]) -> int | None:
    """Their sum; None where one is not known."""
    found = 0
    for count in counts:
        if count is None:
            return None
        found += count
    return found
