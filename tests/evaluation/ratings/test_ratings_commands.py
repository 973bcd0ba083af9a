"""The commands as a person types them, keys piped in."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_ratings import ARMS, made_run

import cli
from commands.ratings import ratings_make, ratings_to_dataset
from evaluation.ratings.dataset import Rules
from evaluation.ratings.making import Sample
from evaluation.ratings.store import read_ratings
from evaluation.ratings.types import Answer


def run(*arguments: str, keys: str | None = None) -> Result:
    return CliRunner().invoke(cli.main, list(arguments), input=keys)


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Two run folders on disk, as --run options."""
    given = []
    for name in ARMS:
        made = made_run(tmp_path / "images", name)
        folder = tmp_path / name
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"key": made.key, **made.made}))
        (folder / "images.jsonl").write_text("".join(json.dumps(asdict(c)) + "\n" for c in made.cases))
        (folder / "descriptions.jsonl").write_text("".join(json.dumps(r) + "\n" for r in made.records.values()))
        given += ["--run", str(folder)]
    return given


def test_a_task_is_made_rated_shown_exported_imported_and_made_data_of(runs: list[str], tmp_path: Path) -> None:
    file, out = str(tmp_path / "t.sqlite"), str(tmp_path / "out.csv")
    made = run("ratings", "make", *runs, "--out", file, "--items", "10", "--repeat", "0.2")
    assert made.exit_code == 0, made.output
    assert f"Rate it: python cli.py rate {file}" in made.stderr
    rated = run("rate", file, "--rater", "anna", keys="543c a comment\n544eA better text.\n111sq")
    assert rated.exit_code == 0, rated.output
    assert "5 of 12, 4 answered" in rated.stdout
    run("rate", file, "--rater", "ben", keys="543" * 12)
    assert len(read_ratings(Path(file)).ratings) == 16
    shown = run("ratings", "show", file)
    assert shown.exit_code == 0, shown.output
    for told in (
        "single, 10 items, 0 gold, 2 shown twice; 16 ratings",
        "anna      12      3        1",
        *ARMS,
        "ordinal",
    ):
        assert told in shown.stdout
    figures = json.loads(run("ratings", "show", file, "--json").stdout)
    assert figures["raters"][0]["edited"] == 1
    assert set(figures["scores"]) == set(ARMS)
    assert run("ratings", "export", file, "--out", out).exit_code == 0
    again = run("ratings", "import", file, out)
    assert again.stdout == "0 new, 16 there already, 0 replaced\n"
    data = run("ratings", "to-dataset", file, "--kind", "sft", "--out", str(tmp_path / "sft.jsonl"), "--least", "3")
    assert data.exit_code == 0, data.output
    lines = [json.loads(line) for line in (tmp_path / "sft.jsonl").read_text().splitlines()]
    assert "A better text." in {line["completion"][0]["content"][0]["text"] for line in lines}
    assert f"{len(lines)} examples" in data.stderr


def test_pairs_are_made_and_strengths_shown(runs: list[str], tmp_path: Path) -> None:
    file = str(tmp_path / "t.sqlite")
    assert run("ratings", "make", *runs, "--out", file, "--pairwise").exit_code == 0
    assert "strengths need comparisons of two articles or more" in run("ratings", "show", file).stdout
    for rater in ("anna", "ben"):
        run("rate", file, "--rater", rater, keys="1231213" * 6)
    shown = run("ratings", "show", file).stdout
    assert "log-strength [95 %]" in shown
    assert " - ".join(sorted(ARMS)) in shown or " - ".join(sorted(ARMS, reverse=True)) in shown
    assert "nominal" in shown
    figures = json.loads(run("ratings", "show", file, "--json").stdout)
    assert figures["strengths"]["comparisons"] == 60
    studio = run("ratings", "export", file, "--format", "label-studio", "--out", str(tmp_path / "ls.json"))
    assert "ls.xml" in studio.stderr
    assert '<Choice value="A" alias="first"/>' in (tmp_path / "ls.xml").read_text()


def test_keys_that_end_leave_what_was_rated(runs: list[str], tmp_path: Path) -> None:
    file = str(tmp_path / "t.sqlite")
    run("ratings", "make", *runs, "--out", file, "--pairwise")
    cut = run("rate", file, "--rater", "anna", keys="12")
    assert (cut.exit_code, "Your ratings are kept." in cut.stderr) == (0, True)
    on = run("rate", file, "--rater", "anna", keys="pvq")
    assert "3 of" in on.stdout.splitlines()[0]
    assert "\u2580" in on.stdout
    assert "evidence of A:" in on.stdout


def test_enter_keeps_the_comment_and_the_text_that_there_were(
    runs: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "t.sqlite")
    run("ratings", "make", *runs, "--out", file)
    run("rate", file, "--rater", "anna", keys="ca comment\neA better text.\n543q")
    monkeypatch.setattr("commands.ratings._line", lambda _, before: before)  # a terminal, and enter at once
    run("rate", file, "--rater", "anna", keys="bce\rq")
    (kept,) = read_ratings(Path(file)).ratings
    assert kept.answer == Answer(5, 4, 3, comment="a comment", edited="A better text.")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["rate", "none.sqlite", "--rater", "a"], "error: none.sqlite: no such file. Make a task"),
        (["ratings", "show", "none.sqlite"], "error: none.sqlite: no such file"),
        (["ratings", "make", "--run", "nowhere", "--out", "x.sqlite"], "error: nowhere holds no run"),
        (["ratings", "make", "--run", "a/r", "--run", "b/r", "--out", "x.sqlite"], "two runs are called 'r': name one"),
        (["ratings", "make", "--out", "x.sqlite"], "Missing option '--run'"),
        (["ratings", "to-dataset", "none.sqlite", "--kind", "dpo", "--out", "x"], "'dpo' is not one of"),
    ],
)
def test_a_wrong_request_is_told_and_code_2(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_what_the_commands_take_by_default_is_what_the_functions_take() -> None:
    """They name it again, since `--help` loads nothing heavy."""
    made = {each.name: each.default for each in ratings_make.params}
    sample = Sample()
    assert {name: made[name] for name in ("items", "seed", "evidence", "repeat")} == {
        "items": sample.items, "seed": sample.seed, "evidence": sample.evidence, "repeat": sample.repeated,
    }  # fmt: skip
    data = {each.name: each.default for each in ratings_to_dataset.params}
    assert (data["least"], data["margin"]) == (Rules().least, Rules().margin)


def test_an_arm_can_be_named(runs: list[str], tmp_path: Path) -> None:
    file = str(tmp_path / "t.sqlite")
    done = run("ratings", "make", "--run", f"tuned={runs[1]}", "--run", runs[3], "--out", file)
    assert done.exit_code == 0, done.output
    assert [arm.name for arm in read_ratings(Path(file)).task.arms] == ["tuned", ARMS[1]]
