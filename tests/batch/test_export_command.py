"""`export`, as a user runs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from held_runs import HeldRun, described, failed, held_run, image_file

import batch.run_folder
import cli

Run = Callable[..., Result]


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeldRun:
    image = image_file(tmp_path, "a.png")
    run = held_run([described(image, "a", "text a"), described(image, "b", "")], [failed("c")])
    monkeypatch.setattr(batch.run_folder, "read_run", lambda *_: run)
    return run


@pytest.fixture
def run(held: HeldRun) -> Run:
    assert held.plan
    return lambda *args: CliRunner().invoke(cli.main, ["export", "runs/x", *map(str, args)], catch_exceptions=False)


def test_a_table_is_written_and_what_is_not_in_it_said(run: Run, tmp_path: Path) -> None:
    done = run("--format", "csv", "--out", tmp_path / "o.csv")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "1 of 3 images have no description: 1 failed, 0 to do",
        f"wrote {tmp_path / 'o.csv'}: 2 rows",
    ]


def test_a_submission_with_gaps_is_refused_in_one_line(run: Run, tmp_path: Path) -> None:
    done = run("--format", "imageclef", "--out", tmp_path / "o.csv")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: 2 of 3 ids have no caption: 1 abstained, 1 failed; the first is 'b'.")
    assert done.stderr.count("\n") == 1
    assert run("--format", "imageclef", "--out", tmp_path / "o.csv", "--empty", "unclear").exit_code == 0
    assert (tmp_path / "o.csv").read_text() == "ID,Caption\na,text a\nb,unclear\nc,unclear\n"


def test_a_data_set_that_lacks_images_ends_with_1(
    run: Run, held: HeldRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("--format", "hf", "--out", tmp_path / "whole").exit_code == 0
    of_other = described(image_file(tmp_path, "z.png"), "b", "text b")
    image_file(tmp_path, "z.png", shade=7)
    lacking = replace(held, held=(held.held[0], of_other))
    monkeypatch.setattr(batch.run_folder, "read_run", lambda *_: lacking)
    done = run("--format", "hf", "--out", tmp_path / "set")
    assert done.exit_code == 1
    assert "left out for their images: 1 another than was described; the first is 'b'\n" in done.stderr
    assert done.stderr.endswith(": 1 rows\n")
