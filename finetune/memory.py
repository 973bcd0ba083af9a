"""Whether a run fits into this machine's memory, reckoned before anything large is loaded, and what would need less.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import psutil
import torch

from finetune.config import FinetuneConfig
from finetune.errors import DoesNotFit
from vlm.config import ModelConfig
from vlm.cost.memory import GIB, Memory, Tuned, shape_of, tuned
from vlm.cost.work import Work, image_tokens


@dataclass(frozen=True)
class Task:
    """The longest of what is learned: tokens of a lesson and of its answer, pixels of an image's side; `labels` is how
    many rows of a head trimmed to labels there are."""

    tokens: int
    answer: int
    side: int
    labels: int | None = None


@dataclass(frozen=True)
class Need:
    """Bytes that a run takes at its peak, by what for, and how many are there."""

    memory: Memory
    there: int

    @property
    def fits(self) -> bool:
        return sum(self.memory.terms.values()) <= self.there

    def text(self) -> str:
        """`4.2 GiB of 23.0 GiB (weights 2.0, activations 1.9, ...)`."""
        terms = sorted(self.memory.terms.items(), key=lambda term: -term[1])
        parts = ", ".join(f"{name} {bytes_ / GIB:.2g}" for name, bytes_ in terms if bytes_ >= 0.01 * GIB)
        return f"{self.memory.gib:.2f} GiB of {self.there / GIB:.2f} GiB" + (f" ({parts})" if parts else "")


def there(device: torch.device, processes: int) -> int:
    """Bytes free on the device for one of so many processes: of its GPU, or its share of the RAM that may be taken."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available // processes)


def reckon(config: FinetuneConfig, base: ModelConfig, trained: int, task: Task, device: torch.device) -> Memory:
    """What the run takes at its peak: see `vlm.cost.memory.tuned`. Raises VlmError."""
    training = config.training
    tokens = min(task.tokens, training.max_tokens)
    seen = image_tokens(base, shape_of(base).config, task.side)
    work = Work(training.batch_size, max(tokens - seen - task.answer, 0), task.answer, task.side)
    what = Tuned(
        numbers=trained,
        in_place=config.method == "full",
        eight_bit=training.optimiser == "adamw_8bit",
        checkpointed=training.gradient_checkpointing,
        vision=config.vision == "trained",
        scored=task.labels,
    )
    return tuned(base, device, work, what)


def check_fits(need: Need, config: FinetuneConfig, again: Callable[[FinetuneConfig], Memory]) -> None:
    """Raises DoesNotFit, with what would make it fit, where it does not; `again` reckons another configuration."""
    if need.fits:
        return
    fitting = next((said for said, other in less(config) if sum(again(other).terms.values()) <= need.there), None)
    advice = f"It would with {fitting}" if fitting else "Nothing here makes it fit: take a smaller model, or a GPU"
    raise DoesNotFit(f"{config.name} does not fit in memory: it takes {need.text()}. {advice}")


def less(config: FinetuneConfig) -> Iterator[tuple[str, FinetuneConfig]]:
    """Configurations that need less, the one that costs least first, alone and then together, as `--set` has them."""
    training = config.training
    steps: list[dict[str, Any]] = []
    if not training.gradient_checkpointing:
        steps.append({"training.gradient_checkpointing": True})
    if training.batch_size > 1:
        steps.append({"training.batch_size": 1, "training.accumulation": training.batch_size * training.accumulation})
    if training.optimiser == "adamw":
        steps.append({"training.optimiser": "adamw_8bit"})
    if config.method == "full":
        steps.append({"method": "lora"})
    if config.method != "qlora":
        steps.append({"method": "qlora"})
    steps.append({"training.max_tokens": max(training.max_tokens // 2, 64)})
    for step in steps:
        yield _written(step), _with(config, step)
    together: dict[str, Any] = {}
    for step in steps:
        together |= step
        yield _written(together), _with(config, together)


def _written(changes: Mapping[str, Any]) -> str:
    return " ".join(f"--set {key}={str(value).lower()}" for key, value in changes.items())


def _with(config: FinetuneConfig, changes: Mapping[str, Any]) -> FinetuneConfig:
    own = {key: value for key, value in changes.items() if "." not in key}
    training = {key.partition(".")[2]: value for key, value in changes.items() if "." in key}
    return config.model_copy(update={**own, "training": config.training.model_copy(update=training)})
