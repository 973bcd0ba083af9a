"""The prompt search: halving on one part of the articles, the winner confirmed on the other, the cost counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from made_archive import Archive, Engine, Seer, speaking

import cli
from evaluation.errors import ExperimentError
from evaluation.experiments.plan import drawn
from evaluation.experiments.search import search, split
from evaluation.experiments.search_config import read
from evaluation.runs import read_run
from rag.prompts import PromptTemplate
from vlm.types import Prompt

ASK = "Describe this image in {{{length}}}, in {{{language}}}."


class Obeys(Seer):
    """Says what the image shows where it is asked to look, and something else where it is not."""

    def answer(self, prompt: Prompt) -> str:
        text = " ".join(part for message in prompt.messages for part in message.parts if isinstance(part, str))
        return super().answer(prompt) if "Look closely" in text else "An image."


@pytest.fixture
def obeys(monkeypatch: pytest.MonkeyPatch) -> Engine:
    return speaking(monkeypatch, Obeys())


def written(archive: Archive, folder: Path, **data: Any) -> str:
    made = {
        "images": {"name": str(archive.records), "fields": ["article=case"], "truth": ["modality=kind", "plane=plane"]},
        "settings": {"retrieval.enabled": False, "batch_size": 2, "check.text_embedder": None},
        "start": "few_shot",
        "choices": {"wish": {"of": ASK, "or": ["Caption it.", "Look closely.", "Write."]}},
        "primary": {"metric": "content", "margin": 0.1},
        "winner": "better",
    }
    file = folder / "try.yaml"
    file.write_text(yaml.safe_dump(made | data, sort_keys=False))
    return str(file)


def test_the_better_wording_wins_and_is_confirmed_on_other_articles(
    archive: Archive, tmp_path: Path, obeys: Engine
) -> None:
    found, out = search(written(archive, tmp_path), tmp_path / "out", print)
    assert found.winner.origin == "wish 2"
    assert found.confirmation is not None
    assert (found.confirmation.verdict, found.confirmation.difference.value) == ("better", 1.0)
    searched = {case.group for case in found.images.cases}
    confirmed = {case.group for case in found.held_back.cases}
    assert searched
    assert confirmed
    assert not searched & confirmed
    assert {case.group for case in read_run(out / "confirm" / "start").cases} == confirmed
    assert [len(each.means) for each in found.rounds] == [4, 2]
    assert found.rounds[-1].images == len(found.images.cases)
    assert found.file is not None
    template = PromptTemplate.load(str(found.file))
    assert template.config.parent == PromptTemplate.load("few_shot").version
    assert template.hash == found.winner.template.hash
    assert "better, content +1.000" in template.config.note
    described = found.rounds[0].images * 4 + (found.rounds[1].images - found.rounds[0].images) * 2
    described += 2 * len(found.held_back.cases)
    assert found.cost.images == obeys.asked == described < found.exhaustive + 2 * len(found.held_back.cases)
    assert (found.cost.prompt_tokens, found.cost.new_tokens) == (10 * described, 5 * described)
    assert obeys.loads == 1


def test_a_search_that_is_run_again_describes_nothing_twice(archive: Archive, tmp_path: Path, obeys: Engine) -> None:
    file = written(archive, tmp_path)
    told: list[str] = []
    first, _ = search(file, tmp_path / "out", told.append)
    assert len(told) == len(set(told)), "what every pipeline tells is told once"
    obeys.asked = 0
    again, _ = search(file, tmp_path / "out", print)
    assert obeys.asked == 0
    assert again.rounds == first.rounds
    assert again.confirmation is not None
    assert first.confirmation is not None
    assert again.confirmation.difference == first.confirmation.difference
    with pytest.raises(ExperimentError, match=r"metric_settings was \[\], is \['seed=1'\].*--out"):
        search(written(archive, tmp_path, metric_settings=["seed=1"]), tmp_path / "out", print)
    with pytest.raises(ExperimentError, match=r"holds another search: seed was 0, is 1.*--out"):
        search(written(archive, tmp_path, seed=1), tmp_path / "out", print)
    candidate = tmp_path / "out" / "candidates" / "choice-01.yaml"
    candidate.write_text(candidate.read_text().replace("Caption it", "Caption this"))
    written(archive, tmp_path)
    with pytest.raises(ExperimentError, match=r"choice-01\.yaml was edited"):
        search(file, tmp_path / "out", print)


@pytest.mark.usefixtures("seer")
def test_where_no_wording_is_better_the_start_stays(archive: Archive, tmp_path: Path) -> None:
    done = CliRunner().invoke(
        cli.main, ["experiment", "search", written(archive, tmp_path), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    start = PromptTemplate.load("few_shot").version
    assert f"no wording was better than {start}: there is nothing to confirm" in done.stdout
    assert not (tmp_path / "out" / "better.yaml").exists()
    assert not (tmp_path / "out" / "confirm").exists()
    assert json.loads((tmp_path / "out" / "results.json").read_text())["confirmation"] is None


@pytest.mark.parametrize("confirm", [0.01, 0.4, 0.99])
def test_an_article_is_in_one_part(archive: Archive, tmp_path: Path, confirm: float) -> None:
    images = drawn(read(written(archive, tmp_path)).images)
    parts = split(images, confirm, seed=0)
    groups = [{case.group for case in part.cases} for part in parts]
    assert all(groups)
    assert not groups[0] & groups[1]
    assert sum(len(part.cases) for part in parts) == len(images.cases)
    assert split(images, confirm, seed=0) == parts != split(images, confirm, seed=1)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"choices": {}}, "give choices, proposals or both"),
        ({"settings": {"prompt.template": "few_shot"}}, "name the template to begin with as `start`"),
        ({"winer": "x"}, "unknown key 'winer'; did you mean 'winner'?"),
        ({"primary": {"metric": "content"}, "start": "fewshot"}, "did you mean 'few_shot'"),
    ],
)
def test_a_wrong_search_is_one_line_and_code_2(
    archive: Archive, tmp_path: Path, data: dict[str, Any], told: str
) -> None:
    done = CliRunner().invoke(
        cli.main, ["experiment", "search", written(archive, tmp_path, **data), "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
