"""A run that is killed, stopped or out of disk goes on to the same end; several processes learn what one does."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState

from batch.stopping import Stop
from finetune import checkpoints, curve, trainer
from finetune.errors import TrainingStopped
from finetune.train import train
from tests.finetune.run_makers import config_of, ended, in_child, make_config, make_data, run

Folders = Callable[[str], Path]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, folder_of: Folders) -> Path:
    folder = tmp_path_factory.mktemp("made")
    return make_config(folder, make_data(folder / "data"), folder_of("llava"), "llava")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Path:
    """A run that nobody disturbed, over an epoch and a half."""
    out = tmp_path_factory.mktemp("runs") / "whole"
    run(file, out)
    return out


def assert_same_end(one: Path, other: Path) -> None:
    """The same adapter and curve, bit for bit, and the same figures."""
    for name in ("adapter/adapter_model.safetensors", "adapter/adapter_config.json", "curve.csv"):
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    figures = [json.loads((folder / "result.json").read_text()) for folder in (one, other)]
    for name in ("steps", "best_step", "before", "after", "last", "trained"):
        assert figures[0][name] == figures[1][name], name


def test_killed_while_it_writes_and_while_it_learns_it_ends_the_same(whole: Path, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"

    def killed_writing() -> None:
        real = checkpoints._seal

        def seal(part: Path) -> None:
            if part.name.endswith("checkpoint-4"):
                os.kill(os.getpid(), signal.SIGKILL)
            real(part)

        checkpoints._seal = seal
        run(file, out)

    def killed_learning() -> None:
        real = trainer.LessonTrainer.compute_loss

        def loss(self: trainer.LessonTrainer, *args: object, **more: object) -> torch.Tensor:
            if self.state.global_step == 4 and self._seen:  # in the middle of the fifth step
                os.kill(os.getpid(), signal.SIGKILL)
            return real(self, *args, **more)  # type: ignore[arg-type]

        trainer.LessonTrainer.compute_loss = loss  # type: ignore[method-assign]
        run(file, out)

    assert ended(in_child(killed_writing)) == -signal.SIGKILL
    names = {path.name for path in (out / "checkpoints").iterdir()}
    assert names == {"checkpoint-2", ".writing-checkpoint-4"}
    assert ended(in_child(killed_learning)) == -signal.SIGKILL
    assert [checkpoints.step_of(path) for path in checkpoints.whole(out / "checkpoints")] == [2, 4]
    told: list[str] = []
    run(file, out, tell=told.append)
    assert any("going on from step 4 of 6" in line for line in told)
    assert_same_end(whole, out)


class StopsAfter(Stop):
    """Asked to stop when it was looked at so many times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._left = looks

    @property
    def asked(self) -> bool:
        self._left -= 1
        return self._left < 0


def test_stopped_it_saves_where_it_is_and_goes_on_from_there(whole: Path, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "stopped"
    stopped = train(config_of(file), out, lambda _: None, StopsAfter(3))  # before training, and after steps 1 and 2
    assert (stopped.stopped_at, stopped.result) == (3, None)
    assert [checkpoints.step_of(path) for path in checkpoints.whole(out / "checkpoints")] == [2, 3]
    before = curve.seconds(json.loads((out / "checkpoints/checkpoint-3/trainer_state.json").read_text())["log_history"])
    result = run(file, out).result
    assert_same_end(whole, out)
    assert result is not None
    assert result["seconds"] > before > 0


def test_a_full_disk_stops_it_in_one_line_and_it_goes_on(whole: Path, file: Path, tmp_path: Path) -> None:
    out = tmp_path / "full"
    message = tmp_path / "message"

    def with_little_room() -> None:
        real = trainer.LessonTrainer._save_checkpoint

        def save(self: trainer.LessonTrainer, *args: object) -> None:
            if self.state.global_step == 4:
                resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
            real(self, *args)  # type: ignore[arg-type]

        trainer.LessonTrainer._save_checkpoint = save  # type: ignore[method-assign]
        try:
            run(file, out)
        except TrainingStopped as error:
            message.write_text(str(error))
            raise

    assert ended(in_child(with_little_room)) == 1
    told = message.read_text()
    assert "\n" not in told
    assert "step 4 cannot be written" in told
    assert [checkpoints.step_of(path) for path in checkpoints.whole(out / "checkpoints")] == [2]
    run(file, out)
    assert_same_end(whole, out)


@pytest.fixture
def alone_again() -> Iterator[None]:
    """What accelerate knows of this process is not what its children shall know."""
    PartialState._reset_state()
    AcceleratorState._reset_state()
    yield
    PartialState._reset_state()
    AcceleratorState._reset_state()


@pytest.mark.usefixtures("alone_again")
def test_two_processes_learn_what_one_does_with_twice_the_batches(file: Path, tmp_path: Path) -> None:
    exact = ("lora.dropout=0", "training.max_steps=4", "training.batch_size=1")
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
    several = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": "true"}
    children = [
        in_child(
            lambda: run(file, tmp_path / "two", *exact, "training.accumulation=1"),
            **several, RANK=str(rank), LOCAL_RANK=str(rank),
        )
        for rank in (0, 1)
    ]  # fmt: skip
    assert [ended(child) for child in children] == [0, 0]
    run(file, tmp_path / "one", *exact, "training.accumulation=2")
    assert json.loads((tmp_path / "two/result.json").read_text())["processes"] == 2
    curves = []
    for name in ("one", "two"):
        with (tmp_path / name / "curve.csv").open() as rows:
            curves.append(list(csv.DictReader(rows)))
    assert len(curves[0]) == len(curves[1]) == 5
    for one, two in zip(*curves, strict=True):
        assert one.keys() == two.keys()
        for key in one:
            if one[key] or two[key]:
                assert float(one[key]) == pytest.approx(float(two[key]), rel=1e-5, abs=1e-7), (one["step"], key)
