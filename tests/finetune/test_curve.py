"""The curve as a table and as a picture."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from PIL import Image

from evaluation.report.training import is_log, read_log
from finetune import curve

HISTORY = [
    {"step": 0, "eval_loss": 3.0, "eval_rouge1": 0.1},
    *(
        {"step": step, "epoch": step / 4, "loss": 3 / step, "learning_rate": 1e-4, "grad_norm": 1.0}
        for step in range(1, 9)
    ),
    {"step": 4, "epoch": 1.0, "eval_loss": 2.0, "eval_rouge1": 0.2},
    {"step": 8, "epoch": 2.0, "eval_loss": 2.5, "eval_rouge1": 0.15},
    {"step": 8, "train_runtime": 3.0},
]


def test_a_row_a_step(tmp_path: Path) -> None:
    curve.write_csv(tmp_path, HISTORY)
    with (tmp_path / curve.CURVE).open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["step"]) for row in rows] == list(range(9))
    assert rows[4] == {
        "step": "4", "epoch": "1", "loss": "0.75", "learning_rate": "0.0001", "grad_norm": "1", "dev_loss": "2",
        "dev_rouge1": "0.2",
    }  # fmt: skip
    assert rows[3]["dev_loss"] == "" == rows[0]["loss"]
    assert curve.looks(HISTORY) == {
        0: {"loss": 3.0, "rouge1": 0.1}, 4: {"loss": 2.0, "rouge1": 0.2}, 8: {"loss": 2.5, "rouge1": 0.15},
    }  # fmt: skip


def test_report_shows_it_as_a_training(tmp_path: Path) -> None:
    curve.write_csv(tmp_path, HISTORY)
    assert is_log(tmp_path / curve.CURVE)
    assert read_log(tmp_path / curve.CURVE).losses == ["loss", "dev_loss", "dev_rouge1"]


def test_the_picture_is_drawn_and_without_matplotlib_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    curve.draw(tmp_path, HISTORY, "test", 4, told.append)
    with Image.open(tmp_path / curve.PICTURE) as picture:
        assert picture.width > 500
    assert not told
    (tmp_path / curve.PICTURE).unlink()
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    curve.draw(tmp_path, HISTORY, "test", 4, told.append)
    assert not (tmp_path / curve.PICTURE).exists()
    assert len(told) == 1
    assert "pip install 'lumenscribe[finetune]'" in told[0]
