"""A run that is killed again and again has each description once, as one that never was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import fakes
from folders import Runner, failed, run, untimed

from batch.run_folder import read_run

__all__ = ["run"]
HERE = Path(__file__).parent


def test_a_run_that_is_killed_again_and_again_is_one_that_never_was(run: Runner, tmp_path: Path) -> None:
    given = fakes.images(tmp_path / "images", [*(f"i{n:03d}" for n in range(60)), "i030-bad", "i041-prompt"])
    run(given, tmp_path / "whole", block=8)
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_child.py"), str(given), str(tmp_path / "out")],
        cwd=HERE.parents[1], env=os.environ | {"PYTHONPATH": f"{HERE}:."}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert int(done.stdout) >= 9
    assert untimed(tmp_path / "out") == untimed(tmp_path / "whole")
    assert len(untimed(tmp_path / "out")) == 60
    assert failed(tmp_path / "out") == {"i030-bad": "image", "i041-prompt": "prompt"}
    left = [file.name for file in read_run(tmp_path / "out").folder.rglob("*") if ".part" in file.name]
    assert left == []
    assert run(given, tmp_path / "out", block=8).tally.left == 0
    assert run.described == 0
