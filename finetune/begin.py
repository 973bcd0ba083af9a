"""All of a run that comes before the model's weights: what is wrong with it, its folder, its lessons, its plan.

Imports torch and transformers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from finetune.adapt import Adapted, adapt, base_config, precision
from finetune.callbacks import refuse_missing
from finetune.config import FinetuneConfig
from finetune.encode import Encoder
from finetune.errors import FinetuneError
from finetune.fitting import Fit, FittingLessons, Measured, measure
from finetune.lessons import open_lessons
from finetune.loss import LabelHead, answer_loss
from finetune.memory import Need, Task, reckon, there
from finetune.plan import Plan, shown, steps_of
from finetune.processes import Processes
from finetune.records import TrainingRecord, fingerprint, read_split
from finetune.run_folder import default_folder, identity, refuse_another
from finetune.trainer import Loss
from rag.starter import Tell
from vlm.config import ModelConfig
from vlm.cost.memory import Memory
from vlm.loading import Loaded, sketch
from vlm.weights import find_files
from vlm.weights import fingerprint as model_fingerprint

Head = Encoder | LabelHead
_CHOOSES = {"rouge1": {"caption"}, "accuracy": {"ask", "classify"}}
"""The tasks that have each figure by which a checkpoint may be chosen."""


@dataclass(frozen=True)
class Asked:
    """A run that nothing is wrong with as far as can be told.

    `made` is what shapes it, `home` its folder, `files` the folder of the model.
    """

    config: FinetuneConfig
    base: ModelConfig
    files: Path
    splits: Mapping[str, Sequence[TrainingRecord]]
    fingerprints: Mapping[str, str]
    made: Mapping[str, Any]
    home: Path


@dataclass(frozen=True)
class Opened:
    """The lessons of a run, and what it will do with them."""

    train: FittingLessons
    dev: FittingLessons
    head: Head
    plan: Plan

    @property
    def loss(self) -> Loss:
        """What is minimised: that of answers, or of choices among labels."""
        return self.head.loss if isinstance(self.head, LabelHead) else partial(answer_loss, self.head.family)


def ask(config: FinetuneConfig, out: Path | None, processes: Processes) -> Asked:
    """Looks at what a run needs and where it goes. Loads nothing.

    Raises FinetuneError (RecordsError, AdaptError), ConfigError and VlmError.
    """
    refuse_missing(config.trackers)
    _check_precision(config, processes.device)
    base = base_config(config)
    splits = {name: read_split(config.data.folder, split) for name, split in _names(config).items()}
    splits["train"] = splits["train"][: config.data.max_records]
    _check_best(config, splits["dev"])
    files = find_files(base)
    fingerprints = {f"data.{name}": fingerprint(config.data.folder, split) for name, split in _names(config).items()}
    fingerprints["model.files"] = model_fingerprint(files)
    made = identity(config, fingerprints, processes.count)
    home = out or default_folder(config, made)
    if processes.first:  # the others would see it at work there
        refuse_another(home, made)
    return Asked(config, base, files, splits, fingerprints, made, home)


def open_run(asked: Asked, processes: Processes, tell: Tell) -> Opened:
    """Finds evidence, measures every lesson, reckons steps and memory. The model is sketched, its weights not read.

    Raises FinetuneError, and what opening an index or a prompt raises.
    """
    config = asked.config
    adapted = _sketched(config, asked.base)
    head = _head(asked, adapted.loaded)
    fit = Fit.of(config.training, head.length)
    train, of_train = _lessons(asked, "train", fit, processes, tell)
    dev, of_dev = _lessons(asked, "dev", fit, processes, tell)
    steps, an_epoch = steps_of(config, len(train), processes.count)
    task = _task(train, of_train, head)
    trained = sum(adapted.trained.values())
    need = Need(reckon(config, asked.base, trained, task, processes.device), there(processes.device, processes.count))
    plan = Plan(
        config=config,
        splits={"train": of_train, "dev": of_dev},
        steps=steps,
        steps_an_epoch=an_epoch,
        trained=adapted.trained,
        frozen=adapted.frozen,
        need=need,
        task=task,
        example=shown(train[0]),
        processes=processes.count,
    )
    return Opened(train, dev, head, plan)


def reckon_again(plan: Plan, device: torch.device) -> Callable[[FinetuneConfig], Memory]:
    """What another configuration of the same run would take."""

    def again(other: FinetuneConfig) -> Memory:
        base = base_config(other)
        trained = plan.trained if other.method == plan.config.method else _sketched(other, base).trained
        return reckon(other, base, sum(trained.values()), plan.task, device)

    return again


def _names(config: FinetuneConfig) -> dict[str, str]:
    return {"train": config.data.train, "dev": config.data.dev}


def _check_precision(config: FinetuneConfig, device: torch.device) -> None:
    asked = precision(config)
    if asked == "fp16" and device.type == "cpu":
        raise FinetuneError("training.precision=fp16 needs a GPU, and there is none here. Take auto, bf16 or fp32")
    if asked == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise FinetuneError("training.precision=bf16: this GPU cannot. Take auto, fp16 or fp32")


def _check_best(config: FinetuneConfig, dev: Sequence[TrainingRecord]) -> None:
    chosen = config.checking.best
    if chosen == "loss":
        return
    if not config.checking.texts:
        raise FinetuneError(f"checking.best={chosen} is told by answers, and checking.texts is 0. Set it to 32")
    if not _CHOOSES[chosen] & {record.task for record in dev}:
        raise FinetuneError(f"checking.best={chosen}, but no record of {config.data.dev} has it. Take loss")


def _sketched(config: FinetuneConfig, base: ModelConfig) -> Adapted:
    return adapt(sketch(base, find_files(base)), base, config)


def _head(asked: Asked, loaded: Loaded) -> Head:
    """The encoder of answers; of records that all are choices among the same labels, a head of these."""
    encoder = Encoder(
        asked.base.how, loaded.processor, loaded.tokenizer, loaded.control, loaded.stop_ids,
        asked.config.training.max_tokens,
    )  # fmt: skip
    labels = {record.labels for split in asked.splits.values() for record in split}
    if len(labels) == 1 and all(labels):
        return LabelHead(encoder, next(iter(labels)))
    return encoder


def _task(lessons: FittingLessons, measured: Measured, head: Head) -> Task:
    """The longest of what is learned."""
    longest, side = max(measured.lengths), max(measured.side, 1)
    if isinstance(head, LabelHead):
        return Task(longest, 0, side, len(head.tokens))
    return Task(longest, max(map(len, head.cut([record.answer for record in lessons.records]))) + 1, side)


def _lessons(asked: Asked, name: str, fit: Fit, processes: Processes, tell: Tell) -> tuple[FittingLessons, Measured]:
    """A split's lessons that fit; evidence and lengths are kept in the run's folder."""
    records, training = asked.splits[name], name == "train"

    def opened() -> tuple[FittingLessons, Measured]:
        lessons = open_lessons(asked.config, records, asked.home, training=training, tell=tell)
        with tqdm(
            total=len(records), desc=f"reading {name}", unit="record", leave=False, delay=2, mininterval=1
        ) as bar:
            measured = measure(lessons, fit, asked.home / f"lengths-{name}.json", bar.update)
        return FittingLessons(lessons, measured.kept, fit), measured

    return processes.in_turn(opened)
