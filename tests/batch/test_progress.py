"""How a run tells how far it is, where nobody looks at a terminal."""

from __future__ import annotations

import json

import pytest

from batch.progress import Bar, Lines, Tally


def test_a_bar_in_a_log_is_lines(capsys: pytest.CaptureFixture[str]) -> None:
    bar = Bar()
    for described in (2, 3, 9):
        bar.show(Tally(10, described, 1))
    bar.show(Tally(10, 9, 1), last=True)
    said = capsys.readouterr().err
    first, last = said.splitlines()
    assert "\r" not in said
    assert "3/10" in first
    assert "10/10" in last
    assert "failed=1" in last


def test_lines_have_the_rate_of_this_session(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(every_s=0.0)
    for tally in (Tally(10, 5, 1), Tally(10, 7, 1)):
        lines.show(tally)
    lines.show(Tally(10, 9, 1), last=True)
    first, second, last = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["images_per_s"], first["seconds_left"]) == (0.0, None)
    assert second["left"] == 2
    assert second["images_per_s"] > 0
    assert (last["left"], last["seconds_left"]) == (0, 0)
    assert last["memory_mib"][0] > 10
