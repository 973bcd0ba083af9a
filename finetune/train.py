"""A run from its configuration to an adapter: data, plan, model, training, what is left in the folder.

Imports torch and transformers.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from batch.stopping import Stop
from finetune import checkpoints, curve, outputs
from finetune.adapt import Adapted, adapt, checkpoint_activations, precision, save
from finetune.begin import Asked, Opened, ask, open_run, reckon_again
from finetune.callbacks import Bar, StopAsked, tracking
from finetune.config import FinetuneConfig
from finetune.errors import DoesNotFit, TrainingStopped
from finetune.looks import DevLook
from finetune.memory import check_fits, less
from finetune.plan import Plan
from finetune.processes import Processes
from finetune.run_folder import ADAPTER, CHECKPOINTS, LAST, RESULT, alone, read_json, settle
from finetune.trainer import Collate, Learner, LessonTrainer, Watched, best_step, is_over, read_state
from rag.starter import Tell
from vlm.cost.machine import peak_mib
from vlm.engine import TransformersEngine
from vlm.loading import load
from vlm.quiet import quiet

_SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
_OPTIMISERS = {"adamw": "adamw_torch_fused", "adamw_8bit": "adamw_bnb_8bit"}


@dataclass(frozen=True)
class Trained:
    """What became of a run: its folder and figures, or, where it was stopped, the step that it goes on from."""

    folder: Path
    result: dict[str, Any] | None
    stopped_at: int | None = None


def plan(config: FinetuneConfig, out: Path | None, tell: Tell) -> Plan:
    """What the run would do. Evidence and lengths that are found for it are kept in the run's folder.

    Raises FinetuneError, ConfigError, VlmError, IndexerError and RagError.
    """
    processes = Processes()
    with quiet():
        asked = ask(config, out, processes)
        with _at_home(asked, processes):
            return open_run(asked, processes, processes.heard(tell)).plan


def train(config: FinetuneConfig, out: Path | None, tell: Tell, stop: Stop) -> Trained:
    """Makes the run, or goes on with it where it was; of a finished one it tells the figures.

    Raises what `plan` does, DoesNotFit, and TrainingStopped where going on makes no sense or is not possible now.
    """
    processes = Processes()
    tell = processes.heard(tell)
    with quiet():
        asked = ask(config, out, processes)
        with _at_home(asked, processes):
            home = asked.home
            if (home / RESULT).is_file():
                tell(f"{home} is finished already; these are its figures")
                return Trained(home, read_json(home / RESULT))
            opened = open_run(asked, processes, tell)
            check_fits(opened.plan.need, config, reckon_again(opened.plan, processes.device))
            if stop.asked and processes.count == 1:
                return Trained(home, None, stopped_at=_step(home))
            if processes.first:
                outputs.write_beginning(home, config, outputs.data_of(config, asked.splits, asked.fingerprints))
                checkpoints.sweep(home / CHECKPOINTS)
            return _Run(asked, opened, processes, tell, stop).made()


class _Run:
    """A run whose lessons are open: loads, trains, saves."""

    def __init__(self, asked: Asked, opened: Opened, processes: Processes, tell: Tell, stop: Stop) -> None:
        self._asked, self._opened, self._processes, self._tell, self._stop = asked, opened, processes, tell, stop
        self._config, self._home = asked.config, asked.home

    def made(self) -> Trained:
        adapted = self._adapted()
        learner = Learner(adapted.model, self._opened.loss)
        last = checkpoints.last(self._home / CHECKPOINTS)
        state = None if last is None else read_state(last)
        if state is None or not is_over(state, self._config.checking.patience):
            state, stopped = self._trained(adapted, learner, last)
            if stopped:
                return Trained(self._home, None, stopped_at=state.global_step)
        with self._processes.first_alone() as first:
            return Trained(self._home, self._finished(adapted, learner, state) if first else {})

    def _adapted(self) -> Adapted:
        """The model in memory, ready to be trained."""
        base = self._asked.base
        adapted = adapt(load(base, self._asked.files, None, training=True), base, self._config)
        self._tell(adapted.summary)
        if self._config.training.gradient_checkpointing and not checkpoint_activations(adapted):
            self._tell(f"{base.name} knows no gradient checkpointing: it trains without")
        return adapted

    def _trained(self, adapted: Adapted, learner: Learner, last: Path | None) -> tuple[TrainerState, bool]:
        """The state after training, and whether somebody stopped it. Goes on from checkpoint `last`."""
        step = 0 if last is None else checkpoints.step_of(last)
        if step:
            self._tell(f"going on from step {step} of {self._opened.plan.steps}")
        if self._config.training.workers:  # else tokenizers warn of each process that is made
            os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        bar, asked_to_stop = Bar(), StopAsked(self._stop)
        trackers = tracking(self._config.trackers, self._home, step) if self._processes.first else []
        trainer = LessonTrainer(
            learner,
            _arguments(self._config, self._home, begins=last is None),
            Collate(self._opened.head),
            self._opened.train,
            Watched(self._config.checking, self._home, self._look(adapted)),
            callbacks=[bar, asked_to_stop, *trackers],
        )
        asked_to_stop.trainer = trainer
        trainer.remove_callback(PrinterCallback)
        try:
            trainer.train(resume_from_checkpoint=None if last is None else str(last))
        except torch.OutOfMemoryError as error:
            raise DoesNotFit(
                f"{self._config.name}: the GPU's memory was full after step {trainer.state.global_step}, though "
                f"{self._opened.plan.need.text()} were reckoned. Take {next(less(self._config))[0]}"
            ) from error
        finally:
            bar.close()
        return trainer.state, asked_to_stop.heard

    def _look(self, adapted: Adapted) -> DevLook:
        size = self._config.training.batch_size
        engine = TransformersEngine.of(replace(adapted.loaded, model=adapted.model), self._asked.base, size)
        return DevLook(self._opened.dev, Collate(self._opened.head), engine, self._config.checking.texts, size)

    def _finished(self, adapted: Adapted, learner: Learner, state: TrainerState) -> dict[str, Any]:
        """Writes the adapters of the best and the last step, curve, card and figures; then checkpoints go."""
        config, home = self._config, self._home
        kept = checkpoints.whole(home / CHECKPOINTS)
        last = kept[-1]
        best = checkpoints.checkpoint(last.parent, best_step(state) or checkpoints.step_of(last))
        if best != last:
            checkpoints.load_trained(learner, last)
            save(adapted, home / LAST)
        checkpoints.load_trained(learner, best)
        save(adapted, home / ADAPTER)
        step = checkpoints.step_of(best)
        curve.write_csv(home, state.log_history)
        curve.draw(home, state.log_history, config.name, step, self._tell)
        result = self._result(adapted, state, step)
        outputs.write_end(home, config, self._asked.base, result)
        shutil.rmtree(last.parent)
        if result["after"]["loss"] >= result["before"]["loss"]:
            self._tell("the dev loss was never lower than before training: this adapter does not help")
        return result

    def _result(self, adapted: Adapted, state: TrainerState, step: int) -> dict[str, Any]:
        """result.json: how it was trained, and the figures on dev before, at the best step and at the last."""
        looks = curve.looks(state.log_history)
        cuda = torch.cuda.is_available()
        peak = torch.cuda.max_memory_allocated() / 2**20 if cuda else peak_mib()
        return {
            "name": self._config.name,
            "adapter": str(self._home / ADAPTER),
            "method": self._config.method,
            "steps": state.global_step,
            "best_step": step,
            "before": looks.get(0, {}),
            "after": looks[step],
            "last": looks[max(looks)],
            "trained": sum(adapted.trained.values()),
            "frozen": adapted.frozen,
            "records": len(self._opened.train),
            "dev_records": len(self._opened.dev),
            "left_out": {name: split.left_out for name, split in self._opened.plan.splits.items()},
            "evidence": self._config.resolved_settings().retrieval.enabled,
            "precision": precision(self._config),
            "processes": self._processes.count,
            "seconds": round(curve.seconds(state.log_history), 1),
            "peak_mib": round(peak),
            "reckoned_mib": round(self._opened.plan.need.memory.gib * 1024),
        }


def _arguments(config: FinetuneConfig, home: Path, *, begins: bool) -> TrainingArguments:
    """The run as transformers' Trainer is told of it; `begins` with a look at dev where it does not go on."""
    training, checking = config.training, config.checking
    cuda, arithmetic = torch.cuda.is_available(), precision(config)
    return TrainingArguments(
        output_dir=str(home),
        per_device_train_batch_size=training.batch_size,
        gradient_accumulation_steps=training.accumulation,
        num_train_epochs=training.epochs,
        max_steps=training.max_steps or -1,
        learning_rate=training.learning_rate,
        lr_scheduler_type=_SCHEDULES[training.schedule],
        warmup_steps=min(training.warmup, 0.999),  # a share, as long as it is below 1
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        optim=_OPTIMISERS[training.optimiser],
        bf16=arithmetic == "bf16",
        fp16=arithmetic == "fp16",
        use_cpu=not cuda,
        seed=training.seed,
        dataloader_num_workers=training.workers,
        dataloader_pin_memory=cuda,
        remove_unused_columns=False,
        eval_strategy="steps",
        eval_steps=checking.every_steps,
        eval_on_start=begins,
        save_strategy="steps",
        save_steps=checking.every_steps,
        metric_for_best_model=checking.best,
        greater_is_better=checking.best != "loss",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to=[name for name in config.trackers if name != "tensorboard"] or "none",
        run_name=config.name,
        disable_tqdm=True,
        log_level="error",
        # A batch of texts alone passes by what reads images.
        ddp_find_unused_parameters=config.projector or config.vision == "trained",
    )


def _step(home: Path) -> int:
    """The step that the run goes on from."""
    last = checkpoints.last(home / CHECKPOINTS)
    return checkpoints.step_of(last) if last else 0


@contextlib.contextmanager
def _at_home(asked: Asked, processes: Processes) -> Iterator[None]:
    """While this run's processes are the only ones at work in its folder."""
    if not processes.first:
        yield
        return
    with _one_line_for_the_disk(asked.home), alone(asked.home):
        settle(asked.home, asked.made)
        yield


@contextlib.contextmanager
def _one_line_for_the_disk(home: Path) -> Iterator[None]:
    """Turns what the system says of writing into the run's folder into TrainingStopped."""
    try:
        yield
    except OSError as error:
        if error.errno not in (*checkpoints.NO_ROOM, errno.EACCES, errno.EROFS):
            raise
        raise TrainingStopped(
            f"{home} cannot be written: {checkpoints.why(home, error)}. Run the same command again once it can: it "
            f"goes on where it was"
        ) from error
