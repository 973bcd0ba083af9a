"""What an experiment's file may say, and what is refused with the near name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from made_archive import Archive

import configs
from configs import ConfigError
from evaluation.errors import ExperimentError
from evaluation.experiments.config import dotted, read
from evaluation.experiments.plan import Experiment, drawn, plan
from evaluation.experiments.search_config import read as read_search

PRIMARY = {"metric": "rouge1"}
TWO = {"a": {}, "b": {"retrieval.k": 1}}


def file(folder: Path, **data: Any) -> str:
    path = folder / "try.yaml"
    path.write_text(
        yaml.safe_dump({"images": "medpix", "baseline": "a", "primary": PRIMARY, "arms": TWO} | data, sort_keys=False)
    )
    return str(path)


def planned(archive: Archive, folder: Path, **data: Any) -> Experiment:
    images = {"name": str(archive.records), "where": ["split=dev"], "fields": ["article=case"]}
    return plan(read(file(folder, **{"images": images} | data)), "try")


@pytest.mark.parametrize("name", configs.names("experiments"))
def test_every_shipped_experiment_can_be_read(name: str) -> None:
    if name.startswith("search_"):
        assert read_search(name).start
    else:
        assert len(read(name).all_arms()) > 1


def test_settings_are_written_nested_dotted_or_as_on_the_command_line() -> None:
    same = [
        {"retrieval": {"k": 3, "guard": {"enabled": False}}},
        {"retrieval.k": 3, "retrieval.guard.enabled": False},
        ["retrieval.k=3", "retrieval.guard.enabled=false"],
    ]
    assert [dotted(given) for given in same] == [{"retrieval.k": 3, "retrieval.guard.enabled": False}] * 3


def test_a_grid_makes_an_arm_of_each_combination(archive: Archive, tmp_path: Path) -> None:
    grid = {
        "retrieval.k": [1, 2],
        "retrieval": {"with": {"retrieval.enabled": True}, "without": ["retrieval.enabled=false"]},
    }
    made = planned(archive, tmp_path, grid=grid, arms={"long": {"prompt.length": "long"}}, baseline="k=1-with")
    assert [arm.name for arm in made.arms] == ["k=1-with", "k=1-without", "k=2-with", "k=2-without", "long"]
    asked = [(arm.settings.retrieval.k, arm.settings.retrieval.enabled) for arm in made.arms]
    assert asked == [(1, True), (1, False), (2, True), (2, False), (5, True)]


def test_an_arm_is_laid_over_the_settings_of_the_experiment(archive: Archive, tmp_path: Path) -> None:
    made = planned(archive, tmp_path, settings={"batch_size": 2, "retrieval.k": 4})
    assert [arm.settings.retrieval.k for arm in made.arms] == [4, 1]
    assert {arm.settings.batch_size for arm in made.arms} == {2}
    assert len({arm.hash for arm in made.arms}) == 2


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"armz": {}}, "try.yaml: unknown key 'armz'; did you mean 'arms'?"),
        ({"primary": {"metric": "rouge1", "margn": 1}}, "unknown key 'primary.margn'; did you mean 'margin'?"),
        ({"images": {"name": "medpix", "wher": []}}, "unknown key 'images.wher'; did you mean 'where'?"),
        ({"primary": {"metric": "rouge1", "margin": 0}}, "primary.margin"),
        ({"arms": {"a": {}, "b": ["retrieval.k"]}}, "write a setting as key=value"),
        ({"arms": {"a": {}, "b/c": {}}}, "is to name a folder"),
        ({"pairs": [["a", "b"]], "sequential": {"every": 5}}, "pairs are judged on the whole sample"),
        ({"primary": {"metric": "content", "over": "shuffled"}, "sequential": {"every": 5}}, "texts out anew"),
        ({"primary": {"metric": "cider"}, "sequential": {"every": 5}}, "cider weighs words by all references (idf)"),
        ({"primary": {"metric": "bertscore"}, "sequential": {"every": 5}}, "bertscore weighs words"),
    ],
)
def test_a_wrong_file_is_refused_with_the_key(tmp_path: Path, data: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read(file(tmp_path, **data))
    assert told in str(refused.value)


def test_looks_may_be_at_a_metric_that_leaves_an_image_its_value(tmp_path: Path) -> None:
    primary, looks = {"metric": "bertscore"}, {"every": 5}
    asked = read(file(tmp_path, primary=primary, sequential=looks, metric_settings=["bertscore.idf=false"]))
    assert asked.sequential is not None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"baseline": "aa"}, "baseline: no arm is named 'aa'; did you mean 'a'?"),
        ({"pairs": [["a", "c"]]}, "pairs.0: no arm is named 'c'"),
        ({"arms": {"a": {}}}, "two arms or more"),
        ({"arms": {"a": {}, "A": {"retrieval.k": 1}}}, "Folders know no upper case apart"),
        ({"arms": {"a": {}, "b": {"prompt.length": "medium"}}}, "arms a and b have the same settings"),
        ({"grid": {"prompt.template": ["a"]}}, "arm a is in the grid already"),
        ({"grid": {"model.url": ["http://x/v1", "b"]}}, "Write the factor as a mapping of labels"),
        ({"grid": {"retrieval.k": []}}, "grid.retrieval.k has no levels"),
        ({"grid": {"retrieval.k": [1, 1]}}, "grid.retrieval.k has a level twice"),
    ],
)
def test_arms_that_cannot_be_compared_are_refused(
    archive: Archive, tmp_path: Path, data: dict[str, Any], told: str
) -> None:
    with pytest.raises(ExperimentError) as refused:
        planned(archive, tmp_path, **data)
    assert told in str(refused.value)


def test_a_misspelt_setting_names_the_arm_and_the_near_one(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"arm b: unknown key 'retrieval.kk'; did you mean 'k'"):
        planned(archive, tmp_path, arms={"a": {}, "b": {"retrieval.kk": 1}})


def test_fewer_images_are_whole_articles_and_the_same_each_time(archive: Archive, tmp_path: Path) -> None:
    images = {"name": str(archive.records), "fields": ["article=case"], "most": 11}
    asked = read(file(tmp_path, images=images)).images
    first, again = drawn(asked), drawn(asked)
    other = drawn(asked.model_copy(update={"seed": 1}))
    assert first.cases == again.cases != other.cases
    assert len(first.cases) == 10  # articles of two
    groups = [case.group for case in first.cases]
    assert all(groups.count(group) == 2 for group in groups)
    whole = drawn(asked.model_copy(update={"most": None}))
    assert [case.id for case in whole.cases] == [f"r{n}" for n in range(40)]
