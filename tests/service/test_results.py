"""Committed results: listed, and read by names that are never paths."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.errors import NotThere
from service.results import Result, Results


def test_what_is_committed_is_there_by_name_with_what_its_script_measured() -> None:
    found = {result.name: result for result in Results().all()}
    assert found["ratings"].about is not None
    assert found["ratings"].about.startswith("Do Bradley-Terry intervals cover")
    assert found["models_pocket"].about is None
    assert {"finetune.medpix", "finetune.gpu"} <= found.keys()
    assert found["experiments.pocket_prompts"].page
    assert not found["experiments.search_pocket"].page
    assert Results().note == ""
    for name, result in found.items():
        text = Results().json(name)
        assert json.loads(text)
        assert len(text.encode()) == result.nbytes
    assert Results().page("experiments.pocket_prompts").lstrip().lower().startswith("<!doctype html>")


@pytest.mark.parametrize(
    "name", ["../pyproject", "ratings.json", "/etc/passwd", "experiments/pocket_prompts", "", "*", "."]
)
def test_a_name_is_no_path(name: str) -> None:
    for read in (Results().json, Results().page):
        with pytest.raises(NotThere, match="there is no result"):
            read(name)


def test_an_installed_program_says_that_it_has_none(tmp_path: Path) -> None:
    none = Results(tmp_path / "benchmarks")
    assert none.all() == []
    assert "installed without its benchmarks" in none.note
    with pytest.raises(NotThere, match="installed without its benchmarks"):
        none.json("ratings")


def test_a_result_without_a_page_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    assert Results(tmp_path).all() == [Result("a", None, 2, False)]
    with pytest.raises(NotThere, match="a has no page"):
        Results(tmp_path).page("a")
