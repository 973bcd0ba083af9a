"""`evaluate compare`: scored runs, read from their folders."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import cli
from evaluation.errors import StatisticsError
from evaluation.metrics.scored import Recipe, Scored, write_scores
from evaluation.runs import IMAGES, RUN
from evaluation.sets import Case
from evaluation.statistics.compare import compare
from evaluation.statistics.runs import Compared, Entry, compare_runs, read_entries
from evaluation.statistics.table import compared_text

N = 120
RECIPES = {
    "rouge1": Recipe("ROUGE-1", "F", "1"),
    "right": Recipe("right", "exact match", "1"),
    "edits": Recipe("edits", "words changed", "1", lower_is_better=True),
}


def scored(name: str, shift: float = 0.0, seed: int = 0) -> Scored:
    rng, luck = np.random.default_rng(9), np.random.default_rng(seed)
    base = rng.beta(2, 8, N)
    values = {
        "rouge1": base + luck.normal(shift, 0.03, N),
        "right": (luck.random(N) < 0.5 + shift * 5).astype(float),
        "edits": luck.poisson(8 - 60 * shift, N).astype(float),
    }
    ids, groups = tuple(f"i{n}" for n in range(N)), tuple(f"a{n // 2}" for n in range(N))
    return Scored(name, ids, groups, values, RECIPES)


def only(run: Scored, kept: Sequence[int]) -> Scored:
    return replace(
        run,
        ids=tuple(run.ids[n] for n in kept),
        groups=tuple(run.groups[n] for n in kept),
        values={name: values[list(kept)] for name, values in run.values.items()},
    )


def compared(*runs: Scored, **options: object) -> Compared:
    return compare_runs({run.name: Entry(run, {}) for run in runs}, **options)  # type: ignore[arg-type]


def test_runs_are_paired_by_id_whatever_their_order() -> None:
    one, two = scored("one"), scored("two", 0.05, 1)
    found = compared(one, only(two, range(N - 1, -1, -1)), metrics=["rouge1"])
    expected = compare(one.values["rouge1"], two.values["rouge1"], one.groups).difference
    assert found.comparisons["rouge1"]["two"].difference == expected
    assert found.comparisons["rouge1"]["two"].verdict == "better"
    assert found.absent == {}


def test_images_that_are_not_in_all_runs_are_named_and_left_out() -> None:
    found = compared(scored("one"), only(scored("two", 0.05, 1), range(10, N)), only(scored("three"), range(N - 1)))
    assert found.images == N - 11
    assert found.absent == {"two": [f"i{n}" for n in range(10)], "three": [f"i{N - 1}"]}
    assert "not in two, left out: i0, i1, i2, i3, i4 and 5 more" in compared_text(found)


def test_each_kind_of_metric_has_its_test_and_its_better_direction() -> None:
    found = compared(scored("one"), scored("two", 0.05, 1), margins={"rouge1": 0.2}, tests={"edits": "wilcoxon"})
    of = {metric: each["two"] for metric, each in found.comparisons.items()}
    assert {metric: each.test.split()[0] for metric, each in of.items()} == {
        "rouge1": "sign-flip", "right": "McNemar", "edits": "Wilcoxon",
    }  # fmt: skip
    assert {metric: each.verdict for metric, each in of.items()} == {
        "rouge1": "equivalent", "right": "better", "edits": "better",
    }  # fmt: skip
    assert of["edits"].difference.value < 0
    text = compared_text(found)
    assert "equivalent within 0.2" in text
    assert "edits, lower is better" in text


def test_three_runs_are_holm_adjusted_and_two_are_as_they_are() -> None:
    one, two, three = scored("one"), scored("two", 0.0, 1), scored("three", 0.0, 2)
    alone, family = compared(one, two), compared(one, two, three)
    assert alone.comparisons["rouge1"]["two"].p_adjusted == alone.comparisons["rouge1"]["two"].p
    assert (family.comparisons["rouge1"]["two"].p_adjusted or 0) > family.comparisons["rouge1"]["two"].p
    assert "Holm across 2 runs" in compared_text(family)


def test_a_metric_that_a_run_has_not_is_named_with_its_reason() -> None:
    two = scored("two", 0.05, 1)
    without = {name: values for name, values in two.values.items() if name != "right"}
    two = replace(two, values=without, missing={"right": "no extra here: pip install x"})
    found = compared(scored("one"), two)
    assert found.blank == {"right": "two has no values of it: no extra here: pip install x"}
    assert "right was not compared: two has no values of it: no extra here: pip install x" in compared_text(found)
    with pytest.raises(StatisticsError, match=r"no metric can be compared: right: two has no values"):
        compared(scored("one"), two, metrics=["right"])


def test_a_metric_that_was_computed_in_another_way_is_left_blank_and_the_others_are_compared() -> None:
    two = scored("two", 0.05, 1)
    two = replace(two, recipes={**RECIPES, "rouge1": replace(RECIPES["rouge1"], text="F, idf over the 9 references")})
    found = compared(scored("one"), two)
    assert list(found.comparisons) == ["right", "edits"]
    assert found.blank["rouge1"].startswith(
        "it was computed in another way, text 'F' in one and 'F, idf over the 9 references' in two"
    )
    with pytest.raises(StatisticsError, match=r"no metric can be compared: rouge1: it was computed in another way"):
        compared(scored("one"), two, metrics=["rouge1"])


def test_costs_are_not_judged() -> None:
    recipes = {**RECIPES, "edits": replace(RECIPES["edits"], unit="words")}
    one, two = (replace(scored(name, seed=seed), recipes=recipes) for seed, name in enumerate(("one", "two")))
    found = compared(one, two)
    assert list(found.comparisons) == ["rouge1", "right"]
    assert found.blank == {}
    asked = compared(one, two, metrics=["right", "edits"])
    assert list(asked.comparisons) == ["right"]
    assert asked.blank["edits"].startswith("it is a cost")


def test_images_without_a_value_in_one_run_are_counted() -> None:
    two = scored("two", 0.05, 1)
    two.values["rouge1"][:4] = np.nan
    found = compared(scored("one"), two)
    assert found.comparisons["rouge1"]["two"].n == N - 4
    assert "rouge1: 4 images have no value in two or the baseline" in compared_text(found)


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (replace(scored("b"), ids=tuple(f"x{n}" for n in range(N))), "a and b have no image in common"),
        (replace(scored("b"), ids=("i0",) * 2 + scored("b").ids[2:]), "b scores images more than once: i0"),
        (replace(scored("b"), groups=("z", *scored("b").groups[1:])), "other articles for i0"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused_in_a_line(second: Scored, message: str) -> None:
    with pytest.raises(StatisticsError, match=message) as error:
        compared(scored("a"), second)
    assert "\n" not in str(error.value)


def test_other_references_are_refused() -> None:
    entries = {"a": Entry(scored("a"), {"i3": "CT"}), "b": Entry(scored("b"), {"i3": "MR"})}
    with pytest.raises(StatisticsError, match="a and b have other references for i3"):
        compare_runs(entries)


def test_references_are_those_of_the_run_in_the_folder(tmp_path: Path) -> None:
    write_scores(scored("run"), tmp_path)
    (tmp_path / RUN).write_text(json.dumps({"key": "k"}))
    case = Case("i0", "i0.png", "CT of the chest.", None, {}, None)
    (tmp_path / IMAGES).write_text(json.dumps(asdict(case)) + "\n")
    assert read_entries([tmp_path])[tmp_path.name].references == {"i0": "CT of the chest."}


def test_folders_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    folders = [tmp_path / "x" / "run", tmp_path / "y" / "run"]
    for folder in folders:
        write_scores(scored("run"), folder)
    assert list(read_entries(folders)) == [str(folder) for folder in folders]
    with pytest.raises(StatisticsError, match="is given twice"):
        read_entries([folders[0], folders[0]])


def run(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(cli.main, ["evaluate", "compare", *words])
    return done.exit_code, done.stdout, str(done.exception or "") + done.stderr


def test_the_command_prints_verdicts_and_writes_them(tmp_path: Path) -> None:
    for name, shift in (("none", 0.0), ("nearest", 0.05), ("random", 0.0)):
        write_scores(scored(name, shift, len(name)), tmp_path / name)
    folders = [str(tmp_path / name) for name in ("none", "nearest", "random")]
    code, out, _ = run(*folders, "--baseline", "random", "--metric", "rouge1", "--out", str(tmp_path / "out"))
    assert code == 0
    assert "baseline random" in out
    assert [line.split()[-1] for line in out.splitlines() if " [+" in line or " [-" in line] == [
        "inconclusive",
        "better",
    ]
    written = json.loads((tmp_path / "out" / "results.json").read_text())
    assert written["metrics"]["rouge1"]["comparisons"]["nearest"]["verdict"] == "better"
    code, out, _ = run(*folders, "--json", "--margin", "rouge1=0.5", "--out", str(tmp_path / "out"))
    found = json.loads(out)["metrics"]["rouge1"]["comparisons"]
    assert {name: each["verdict"] for name, each in found.items()} == {"nearest": "equivalent", "random": "equivalent"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name two runs or more"),
        (["--margin", "rouge1"], "is no METRIC=VALUE"),
        (["--margin", "rouge1=much"], "is no number"),
        (["--test", "rouge1=t"], "there is no test 't'"),
        (["--metric", "rouge"], "no run has the metric rouge; there are edits, right, rouge1"),
        (["--baseline", "three"], "there is no arm 'three'"),
    ],
)
def test_a_wrong_request_is_a_line(tmp_path: Path, words: list[str], message: str) -> None:
    for name in ("one", "two"):
        write_scores(scored(name), tmp_path / name)
    folders = [str(tmp_path / name) for name in (("one", "two") if words else ("one",))]
    code, _, said = run(*folders, *words, "--out", str(tmp_path / "out"))
    assert code != 0
    assert message in said
    assert not (tmp_path / "out").exists()


def test_a_folder_without_scores_says_how_to_make_them(tmp_path: Path) -> None:
    code, _, said = run(str(tmp_path), str(tmp_path / "b"))
    assert code != 0
    assert "holds no scores" in said
