"""What a run does between steps: a bar, a stop that was asked for, trackers. Imports transformers."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from batch.stopping import Stop
from finetune.curve import DEV
from finetune.errors import FinetuneError
from finetune.trainer import LessonTrainer


class Bar(TrainerCallback):
    """Steps, loss and time left on stderr, and a line a look at the dev split. Of the first process alone."""

    def __init__(self) -> None:
        self._bar: Any = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._bar = tqdm(
            total=state.max_steps, initial=state.global_step, unit="step", file=sys.stderr, dynamic_ncols=True,
            disable=not state.is_world_process_zero, mininterval=0.5,
        )  # fmt: skip

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._bar.update(state.global_step - self._bar.n)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: Any, **more: Any) -> None:  # noqa: ARG002
        logs: dict[str, float] = more["logs"]
        if "loss" in logs:
            self._bar.set_postfix_str(f"loss {logs['loss']:.3f}")
        looked = {key.removeprefix("eval_"): value for key, value in logs.items() if key.startswith("eval_")}
        if looked and not self._bar.disable:
            told = ", ".join(f"{DEV}{name} {value:.4g}" for name, value in looked.items())
            self._bar.write(f"step {state.global_step}: {told}", file=sys.stderr)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: Any, **_: Any) -> None:  # noqa: ARG002
        self._bar.close()

    def close(self) -> None:
        """Also where training ended by an error."""
        if self._bar is not None:
            self._bar.close()


class StopAsked(TrainerCallback):
    """Ctrl-C or SIGTERM in one process: all of them save a checkpoint and end."""

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self.trainer: LessonTrainer | None = None
        self.heard = False

    def on_step_end(
        self,
        args: TrainingArguments,  # noqa: ARG002
        state: TrainerState,
        control: TrainerControl,
        **_: Any,
    ) -> TrainerControl:
        if self.trainer is not None and self.trainer.any_process(self._stop.asked):
            self.heard = state.global_step < state.max_steps
            control.should_save = control.should_training_stop = True
        return control


def refuse_missing(trackers: Iterable[str]) -> None:
    """Raises FinetuneError for a tracker that is not installed, with the command that installs it."""
    for name in trackers:
        if importlib.util.find_spec(name) is None:
            package = "'lumenscribe[finetune]'" if name == "tensorboard" else name
            raise FinetuneError(f"tracker {name} is not installed: pip install {package}, or leave it out of trackers")


def tracking(trackers: Iterable[str], home: Path, step: int) -> list[TrainerCallback]:
    """What writes to TensorBoard, in `home`; the steps after `step`, which a stopped run had logged, are dropped.

    Other trackers are the Trainer's own (`report_to`).
    """
    if "tensorboard" not in trackers:
        return []
    from torch.utils.tensorboard import SummaryWriter
    from transformers.integrations.integration_utils import TensorBoardCallback

    return [TensorBoardCallback(SummaryWriter(str(home / "tensorboard"), purge_step=step + 1))]
