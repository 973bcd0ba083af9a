"""What a run will do, reckoned before the model's weights are loaded. Knows nothing of how it is done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finetune.config import FinetuneConfig
from finetune.fitting import Measured
from finetune.lesson import Lesson
from finetune.memory import Need, Task
from imaging import LoadedImage
from vlm.cost.memory import GIB

_NAMED = 6
"""Trained tensors that the plan names."""


@dataclass(frozen=True)
class Plan:
    """Records, tokens, steps, what is trained, memory, and a lesson as the model reads it."""

    config: FinetuneConfig
    splits: Mapping[str, Measured]
    steps: int
    steps_an_epoch: int
    trained: Mapping[str, int]
    frozen: int
    need: Need
    task: Task
    example: str
    processes: int

    def to_json(self) -> dict[str, Any]:
        splits = {
            name: {
                "records": len(measured.kept), "tokens": measured.tokens, "longest": max(measured.lengths),
                "shortened": len(measured.shortened), "left_out": measured.left_out,
            }
            for name, measured in self.splits.items()
        }  # fmt: skip
        return {
            "name": self.config.name,
            "splits": splits,
            "steps": self.steps,
            "epochs": round(self.steps / self.steps_an_epoch, 3),
            "trained": sum(self.trained.values()),
            "trained_tensors": list(self.trained),
            "frozen": self.frozen,
            "memory_gib": round(self.need.memory.gib, 3),
            "memory_terms_gib": {name: round(size / GIB, 3) for name, size in self.need.memory.terms.items()},
            "memory_there_gib": round(self.need.there / GIB, 3),
            "example": self.example,
        }

    def text(self) -> str:
        """For people."""
        training, said = self.config.training, self.to_json()
        lines = [f"{self.config.name}: {self.config.method} of {self.config.model}"]
        for name, split in said["splits"].items():
            lines.append(
                f"{name}: {split['records']:,} records, {split['tokens']:,} tokens, the longest {split['longest']:,}; "
                f"{split['shortened']} with less evidence to fit, {split['left_out']} left out"
            )
        batch = training.batch_size * training.accumulation * self.processes
        lines.append(f"steps: {self.steps:,} of {batch} records, {said['epochs']:g} epochs")
        names = ", ".join(list(self.trained)[:_NAMED])
        more = f" and {len(self.trained) - _NAMED} more" if len(self.trained) > _NAMED else ""
        lines.append(f"trained: {said['trained']:,} numbers in {len(self.trained)} tensors, {self.frozen:,} frozen")
        lines.append(f"         {names}{more}")
        lines.append(f"memory: {self.need.text()}{'' if self.need.fits else ': it does not fit'}")
        return "\n".join([*lines, "", "a prompt and its answer, as the model reads them:", "", self.example])


def steps_of(config: FinetuneConfig, records: int, processes: int) -> tuple[int, int]:
    """Steps of the optimiser in all, and in one pass over so many records; as the Trainer counts them."""
    batches = math.ceil(math.ceil(records / config.training.batch_size) / processes)
    an_epoch = max(math.ceil(batches / config.training.accumulation), 1)
    return config.training.max_steps or math.ceil(config.training.epochs * an_epoch), an_epoch


def shown(lesson: Lesson) -> str:
    """A lesson as text: its messages, images named, and its answer."""
    lines = []
    for message in lesson.prompt.messages:
        parts = [_shown_image(part) if isinstance(part, LoadedImage) else part for part in message.parts]
        lines.append(f"[{message.role}] {''.join(parts)}")
    return "\n".join([*lines, f"[answer] {lesson.answer}"])


def _shown_image(image: LoadedImage) -> str:
    width, height = image.picture.size
    return f"<image {width} x {height}>"
