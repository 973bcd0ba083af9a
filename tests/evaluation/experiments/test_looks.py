"""Sequential stopping: an arm with a verdict is described no further, and run again it comes to the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from made_archive import Archive, Engine, Seer, speaking

import cli
from evaluation.experiments.config import read
from evaluation.experiments.looks import look_ends
from evaluation.experiments.plan import plan
from evaluation.runs import read_run
from vlm.types import Prompt


class SeesWithoutEvidence(Seer):
    """Right where the prompt shows no evidence, and never where it does."""

    def answer(self, prompt: Prompt) -> str:
        text = " ".join(part for message in prompt.messages for part in message.parts if isinstance(part, str))
        return "An image." if "[1]" in text else super().answer(prompt)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    return speaking(monkeypatch, SeesWithoutEvidence())


def written(archive: Archive, folder: Path) -> str:
    made = {
        "images": {"name": str(archive.records), "fields": ["article=case"], "truth": ["modality=kind", "plane=plane"]},
        "settings": {"retrieval.index": str(archive.index), "batch_size": 2, "check.text_embedder": None},
        "arms": {"with": {}, "without": {"retrieval.enabled": False}, "one": {"retrieval.k": 1}},
        "baseline": "with",
        "metrics": ["rouge1"],
        "primary": {"metric": "content", "margin": 0.1},
        "sequential": {"every": 5},
    }
    file = folder / "try.yaml"
    file.write_text(yaml.safe_dump(made, sort_keys=False))
    return str(file)


def test_looks_wait_for_the_end_of_an_article(archive: Archive, tmp_path: Path) -> None:
    images = plan(read(written(archive, tmp_path)), "try").images
    ends = look_ends(images, 5)
    assert ends == [6, 12, 18, 24, 30, 36, 40]
    assert [case.id for case in images.cases] != sorted(
        (case.id for case in images.cases), key=lambda id_: int(id_[1:])
    )


def test_a_sure_arm_stops_and_the_others_go_on(archive: Archive, tmp_path: Path, engine: Engine) -> None:
    file, out = written(archive, tmp_path), tmp_path / "out"
    done = CliRunner().invoke(cli.main, ["experiment", "run", file, "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    stopped = said["arms"]["without"]["stopped_after"]
    assert said["verdicts"]["without"] == "better"
    assert stopped < 40
    assert len(read_run(out / "arms" / "without").records) == stopped == said["arms"]["without"]["n"]
    assert len(read_run(out / "arms" / "one").records) == 40  # as bad as the baseline: never sure of being better
    assert list(said["comparisons"]) == ["content"]  # others are not corrected for stopping
    assert f"without: better after {stopped} images" in done.stderr
    engine.asked = 0
    again = CliRunner().invoke(cli.main, ["experiment", "run", file, "--out", str(out)])
    assert engine.asked == 0
    assert f"without (stopped after {stopped})" in again.stdout
    assert "looks, always-valid" in again.stdout
