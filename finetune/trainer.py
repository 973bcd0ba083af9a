"""transformers' Trainer over our lessons: our loss, our looks at the dev split, our checkpoints, our guards.

The Trainer keeps the loop, the optimiser, the schedule, mixed precision and several processes. Imports transformers.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn
from torch.utils.data import Sampler
from transformers import Trainer, TrainerState, TrainingArguments

from finetune import checkpoints, curve
from finetune.config import CheckingConfig
from finetune.encode import IGNORED
from finetune.guards import check_running, refuse_no_number
from finetune.lesson import Lesson
from finetune.run_folder import CHECKPOINTS

STATE = "trainer_state.json"

Batch = dict[str, Any]
Encode = Callable[[Sequence[Lesson]], Mapping[str, torch.Tensor]]
Loss = Callable[[Any, Mapping[str, torch.Tensor], "int | torch.Tensor | None"], torch.Tensor]
"""Model, batch and the number to divide by -> the loss; of None the mean over the batch's own answer tokens."""


class Lessons(Protocol):
    """What is learned, by position; what a position shows may change with the epoch."""

    def __len__(self) -> int: ...

    def __getitem__(self, position: int) -> Lesson: ...

    def set_epoch(self, epoch: int) -> None: ...


class Learner(nn.Module):
    """A model whose forward pass is its loss, so that what wraps modules (several processes, mixed precision) wraps
    all of it."""

    def __init__(self, model: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self._loss = loss

    def forward(self, items: int | torch.Tensor | None = None, **batch: torch.Tensor) -> torch.Tensor:
        """The summed loss of a batch's answers divided by `items`, a scalar."""
        return self._loss(self.model, batch, items)


@dataclass(frozen=True)
class Collate:
    """Lessons as a batch, with the ids of their records for messages."""

    encode: Encode

    def __call__(self, lessons: Sequence[Lesson]) -> Batch:
        return {"ids": [lesson.id for lesson in lessons], **self.encode(lessons)}


class Order(Sampler[int]):
    """A permutation an epoch, of the seed and the epoch alone: a run that goes on meets the same batches."""

    def __init__(self, size: int, seed: int) -> None:
        self._size, self._seed, self._epoch = size, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """From now on that epoch's order."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Any:
        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        return iter(torch.randperm(self._size, generator=generator).tolist())


@dataclass(frozen=True)
class Watched:
    """What a run is watched by beside the Trainer: `look` gives figures on the dev split, alike in all processes."""

    checking: CheckingConfig
    home: Path
    look: Callable[[Learner, LessonTrainer], dict[str, float]]

    @property
    def checkpoints(self) -> Path:
        return self.home / CHECKPOINTS


class LessonTrainer(Trainer):
    """The Trainer of a run. Lessons are collated by `collate`; `dev` is looked at by `watched.look`."""

    loss_is_scaled_for_ga = True  # by the answer tokens of the whole step, over all processes

    def __init__(
        self, learner: Learner, args: TrainingArguments, collate: Collate, train: Lessons, watched: Watched, **more: Any
    ) -> None:
        self._learner, self._lessons = learner, train
        self._order = Order(len(train), args.seed)
        self._watched = watched
        self._seen: list[tuple[list[str], torch.Tensor]] = []
        """Of the step under way: the ids and the loss of each batch."""
        self._logged_at = time.monotonic()
        super().__init__(model=learner, args=args, data_collator=collate, train_dataset=train, eval_dataset=[], **more)

    # ---- data

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:  # noqa: ARG002 - the Trainer's signature
        return self._order

    def _run_epoch(self, *args: Any, epoch: int, **more: Any) -> None:  # type: ignore[override] # as it is called
        self._order.set_epoch(epoch)
        self._lessons.set_epoch(epoch)
        super()._run_epoch(*args, epoch=epoch, **more)  # type: ignore[no-untyped-call, misc]

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> torch.Tensor:
        """The answer tokens of a step, of all its batches and processes."""
        self._seen = []
        items = torch.stack([count_items(batch) for batch in batch_samples]).sum().to(device)
        return self.accelerator.gather(items).sum() if self.args.world_size > 1 else items

    # ---- the step

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,  # noqa: ARG002 - the Trainer's signature
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        batch = {key: value for key, value in inputs.items() if key != "ids"}
        # Gradients are averaged over processes, but the loss is divided by the tokens of all of them already.
        loss: torch.Tensor = model(items=num_items_in_batch, **batch) * self.args.world_size
        self._seen.append((inputs["ids"], loss.detach()))
        return loss

    def _clip_grad_norm(self, model: nn.Module) -> Any:
        """Before the optimiser moves anything: a step with a loss or gradient that is no number is not taken."""
        norm = super()._clip_grad_norm(model)  # type: ignore[no-untyped-call]
        losses = torch.stack([loss for _, loss in self._seen])
        scaler = getattr(self.accelerator, "scaler", None)
        # In fp16 the scaler finds its scale by gradients that overflow, and leaves such a step out.
        good = scaler.get_scale() >= 1 if scaler is not None else bool(torch.as_tensor(norm).isfinite())
        if not self._all(good and bool(losses.isfinite().all())):
            bad = [id_ for (ids, _), loss in zip(self._seen, losses.tolist(), strict=True) if not math.isfinite(loss)
                   for id_ in ids]  # fmt: skip
            bad_anywhere = [id_ for several in self.of_all(bad) for id_ in several]
            what = "the loss" if bad_anywhere else "a gradient"
            raise refuse_no_number(self.state.global_step + 1, what, bad_anywhere or self._ids(), self._kept())
        return norm

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        now = time.monotonic()
        spent = curve.seconds(self.state.log_history) + now - self._logged_at
        super().log(logs, start_time)
        self.state.log_history[-1][curve.SECONDS] = spent
        self._logged_at = now
        if "loss" in logs:
            check_running(self.state.log_history, self._watched.checking.diverged, self._ids(), self._kept())

    def floating_point_ops(self, inputs: Any) -> int:  # noqa: ARG002 - the Trainer's signature
        return 0  # what it would reckon knows nothing of frozen layers

    # ---- looks at the dev split

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Figures on the dev split, named as the Trainer names them."""
        figures = self._watched.look(self._learner, self)
        metrics = {f"eval_{name}": value for name, value in figures.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        if self.args.should_save:
            curve.write_csv(self._watched.home, self.state.log_history)
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Also whether it is time to end: told before the look's checkpoint is written, so that one knows it too."""
        better = bool(super()._determine_best_metric(metrics, trial))
        if is_over(self.state, self._watched.checking.patience):
            self.control.should_training_stop = True
        return better

    # ---- checkpoints

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:  # noqa: ARG002 - the Trainer's signature
        folder, step = self._watched.checkpoints, self.state.global_step
        first = self.args.should_save
        with checkpoints.written(checkpoints.checkpoint(folder, step), first, self.accelerator.wait_for_everyone) as at:
            if first:
                checkpoints.save_trained(self._learner, at)
                self.state.save_to_json(str(at / STATE))
            self._save_optimizer_and_scheduler(str(at))
            self._save_scaler(str(at))
            self._save_rng_state(str(at))
        if first:
            checkpoints.prune(folder, self._watched.checking.keep, self.state.best_global_step)
            curve.write_csv(self._watched.home, self.state.log_history)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        checkpoints.load_trained(self._learner, Path(resume_from_checkpoint))

    # ---- several processes

    def _all(self, good: bool) -> bool:
        """Whether it is so in every process."""
        if self.args.world_size == 1:
            return good
        flag = torch.tensor(int(good), device=self.args.device)
        torch.distributed.all_reduce(flag, torch.distributed.ReduceOp.MIN)
        return bool(flag)

    def any_process(self, asked: bool) -> bool:
        """Whether it is so in one process at least; all must ask at the same time."""
        return not self._all(not asked)

    def of_all(self, value: Any) -> list[Any]:
        """What each process says."""
        if self.args.world_size == 1:
            return [value]
        values: list[Any] = [None] * self.args.world_size
        torch.distributed.all_gather_object(values, value)
        return values

    # ---- words

    def _ids(self) -> list[str]:
        return [id_ for ids, _ in self._seen for id_ in ids]

    def _kept(self) -> str:
        """What of the run is safe, as a sentence."""
        last = checkpoints.last(self._watched.checkpoints)
        if last is None:
            return "No checkpoint had been written yet."
        return f"What was learned until step {checkpoints.step_of(last)} is in {last}."


def count_items(batch: Batch) -> torch.Tensor:
    """How many tokens of answers a batch teaches, int64 scalar. A choice among labels is one."""
    items: torch.Tensor = (batch["labels"] != IGNORED).sum()
    return items


def read_state(checkpoint: Path) -> TrainerState:
    """Steps, log and best look of a checkpoint."""
    state: TrainerState = TrainerState.load_from_json(str(checkpoint / STATE))
    return state


def best_step(state: TrainerState) -> int | None:
    """The step whose look at the dev split was the best; None before the first."""
    return state.best_global_step or None


def is_over(state: TrainerState, patience: int | None) -> bool:
    """Whether nothing is left to do: all steps taken, or `patience` looks in a row brought nothing better.

    The look before training does not count.
    """
    looks = {int(entry["step"]) for entry in state.log_history if "eval_loss" in entry}
    in_vain = [step for step in looks if step > (best_step(state) or 0)]
    return state.global_step >= state.max_steps or (patience is not None and len(in_vain) >= patience)
