"""Checkpoints are whole or not there, whatever ends the process that writes them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from torch import nn

from finetune import checkpoints
from finetune.errors import TrainingStopped


def write(folder: Path, step: int) -> Path:
    at = checkpoints.checkpoint(folder, step)
    with checkpoints.written(at) as part:
        (part / "state").write_bytes(b"x" * 100)
    return at


def test_what_is_half_written_is_no_checkpoint(tmp_path: Path) -> None:
    good = write(tmp_path, 5)

    class Killed(BaseException):
        pass

    def killed() -> None:
        with checkpoints.written(checkpoints.checkpoint(tmp_path, 10)) as part:
            (part / "state").write_bytes(b"x")
            raise Killed

    with pytest.raises(Killed):
        killed()
    assert checkpoints.whole(tmp_path) == [good]
    assert [path for path in tmp_path.iterdir() if path != good], "the half of it is there, as after a kill"
    checkpoints.sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [good]


@pytest.mark.parametrize("harm", ["cut", "gone", "no sizes"])
def test_a_damaged_checkpoint_is_not_taken(tmp_path: Path, harm: str) -> None:
    before, damaged = write(tmp_path, 5), write(tmp_path, 10)
    assert checkpoints.whole(tmp_path) == [before, damaged]
    if harm == "cut":
        (damaged / "state").write_bytes(b"x" * 99)
    else:
        (damaged / ("state" if harm == "gone" else checkpoints.SIZES)).unlink()
    assert checkpoints.whole(tmp_path) == [before]


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    good = write(tmp_path, 5)
    with (
        pytest.raises(TrainingStopped, match=r"step 10 cannot be written to .*the disk is full") as raised,
        checkpoints.written(checkpoints.checkpoint(tmp_path, 10)),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "\n" not in str(raised.value)
    assert "same command again" in str(raised.value)
    assert list(tmp_path.iterdir()) == [good]


def test_the_last_ones_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 10, 6, 8):
        write(tmp_path, step)
    checkpoints.prune(tmp_path, keep=2, best=4)
    assert [checkpoints.step_of(path) for path in checkpoints.whole(tmp_path)] == [4, 8, 10]
    assert len(list(tmp_path.iterdir())) == 3


def test_only_what_is_trained_is_kept_and_comes_back_bit_for_bit(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2).to(torch.bfloat16))
    model[0].bias.requires_grad_(False)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    checkpoints.save_trained(model, tmp_path)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)
    checkpoints.load_trained(model, tmp_path)
    assert torch.equal(model[0].bias, before["0.bias"] + 1)
    for name in ("0.weight", "1.weight", "1.bias"):
        assert torch.equal(model.state_dict()[name], before[name])


def test_another_models_checkpoint_is_refused(tmp_path: Path) -> None:
    checkpoints.save_trained(nn.Linear(3, 3), tmp_path)
    with pytest.raises(TrainingStopped, match=r"other tensors than are trained, the first of 1: weight"):
        checkpoints.load_trained(nn.Linear(4, 3), tmp_path)
