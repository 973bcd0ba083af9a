"""Results of every kind that a report is made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_batch import write_batch
from made_results import ATTACK, NAMES, made_scores, write_experiment, write_run

from evaluation.metrics.scored import write_scores


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A scored run of twelve images; the first picture is gone, the last image failed."""
    folder = write_run(tmp_path / "a run")
    write_scores(made_scores("a run", 11), folder)
    return folder


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """Four arms, one with a long name and one in another script; captions, texts and evidence try to be markup."""
    arms = [*NAMES, "подсказка", "提示"]
    return write_experiment(tmp_path / "tried", arms, 30, caption=ATTACK, text=f"胸部 {ATTACK}")


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    """A batch of 160 images in two sessions; 16 and a record failed, three texts are withheld."""
    return write_batch(tmp_path / "described", 160)
