"""`batch`, as a user runs it: with the embedded model, in a process of its own where that matters."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fakes
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import batch.runner
import cli
from batch.run_folder import read_run

ROOT = Path(__file__).parents[2]
PLAIN = ["--no-rag", "--set", "check.text_embedder=null", "--set", "generation.max_new_tokens=4"]


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("given")
    noise = np.random.default_rng(0)
    for n in range(3):
        Image.fromarray(noise.integers(0, 255, (32, 40, 3), np.uint8)).save(folder / f"i{n}.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def command(given: Path, out: Path, *options: str) -> list[str]:
    return [sys.executable, "cli.py", "batch", str(given), "--out", str(out), *PLAIN, *options]


@pytest.fixture(scope="module")
def done(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch folder, made in this process."""
    out = tmp_path_factory.mktemp("done") / "out"
    args = command(given, out, "--workers", "1", "--block", "2", "--progress", "json", "--json")[2:]
    ended = CliRunner().invoke(cli.main, args, catch_exceptions=False)
    assert ended.exit_code == 0
    summary = json.loads(ended.stdout)
    assert (summary["records"], summary["described"], summary["left"]) == (3, 3, 0)
    assert summary == read_run(out).summary
    told = [json.loads(line) for line in ended.stderr.splitlines() if line.startswith("{")]
    assert [line["left"] for line in (told[0], told[-1])] == [3, 0]
    assert {line["total"] for line in told} == {3}
    assert told[-1]["seconds_left"] == 0
    assert "1 files are no images by their ending and were skipped: notes.txt" in ended.stderr
    return out


def test_the_same_again_loads_nothing_heavy_and_says_so(given: Path, done: Path) -> None:
    script = (
        "import sys; sys.argv = sys.argv[1:]\n"
        "import cli\n"
        "try: cli.main()\n"
        "except SystemExit as end: code = end.code\n"
        "heavy = {'torch', 'transformers', 'faiss', 'open_clip', 'sentence_transformers'} & set(sys.modules)\n"
        "assert not heavy and not code, (heavy, code)\n"
    )
    arguments = command(given, done)[1:]
    again = subprocess.run([sys.executable, "-c", script, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert f"{read_run(done).folder}: nothing is left to do\n" in again.stderr
    assert again.stdout.startswith(f"run {read_run(done).name} of {given}: 3 of 3 described, 0 failed, 0 left\n")


def test_another_length_is_a_run_beside_and_what_failed_ends_with_1(
    given: Path, done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch.runner, "open_pipeline", fakes.told_pipeline)
    first = read_run(done).name
    args = command(given, done, "--set", "prompt.length=short", "--progress", "none")[2:]
    assert CliRunner().invoke(cli.main, args).exit_code == 0
    assert read_run(done).name != first
    assert len(list(read_run(done, first).descriptions())) == 3
    (done / "current").write_text(first)
    bad = fakes.images(tmp_path / "bad", ["a", "bad"])
    ended = CliRunner().invoke(cli.main, command(bad, tmp_path / "out")[2:])
    assert ended.exit_code == 1
    assert "1 of 2 described, 1 failed, 0 left" in ended.stdout
    assert "  1 failed: not an image in a format read here" in ended.stdout


@pytest.mark.parametrize(
    ("names", "options", "line"),
    [
        ([], [], "error: {given}: an empty folder"),
        (["bad"], ["--set", "prompt.lenght=short"], "did you mean"),
        (["a-dead"], [], "error: http://localhost:1 cannot be reached. Is it up?"),
    ],
)
def test_what_is_wrong_is_told_in_one_line_and_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: list[str], options: list[str], line: str
) -> None:
    monkeypatch.setattr(batch.runner, "open_pipeline", fakes.told_pipeline)
    given = fakes.images(tmp_path / "images", names)
    ended = CliRunner().invoke(cli.main, command(given, tmp_path / "out", "--progress", "none", *options)[2:])
    assert ended.exit_code == 2
    assert line.format(given=given) in ended.stderr
    assert ended.stderr.count("\n") == 1


FAKE = (
    "import sys; import batch.runner, cli, fakes\n"
    "batch.runner.open_pipeline = fakes.told_pipeline\n"
    "sys.argv[1:] = ['batch', *sys.argv[1:]]\n"
    "cli.program()\n"
)


def begin(given: Path, out: Path, *options: str, **more: object) -> subprocess.Popen[str]:
    """The command with a fake model that takes a twentieth of a second an image."""
    arguments = [str(given), "--out", str(out), *PLAIN, "--block", "1", "--progress", "json", *options]
    return subprocess.Popen(
        [sys.executable, "-c", FAKE, *arguments],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": f"{Path(__file__).parent}:.", fakes.DELAY: "0.05"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more,  # type: ignore[call-overload]
    )  # fmt: skip


def until_committed(out: Path, process: subprocess.Popen[str]) -> None:
    while not list(out.glob("*/shards/*.parquet")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_ctrl_c_keeps_what_is_under_way_and_a_second_run_is_refused_meanwhile(tmp_path: Path) -> None:
    given, out = fakes.images(tmp_path / "images", [f"i{n:03d}" for n in range(200)]), tmp_path / "out"
    with begin(given, out) as process:
        until_committed(out, process)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(batch.runner, "open_pipeline", fakes.told_pipeline)
            second = CliRunner().invoke(cli.main, command(given, out)[2:])
        assert second.exit_code == 2
        assert second.stderr == (
            f"error: {out}: another batch is writing to it ({out / 'batch.lock'} is held). Wait for its end\n"
        )
        process.send_signal(signal.SIGINT)
        told, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "stopping: what is under way is finished and kept." in said
    assert "Traceback" not in said
    run = read_run(out)
    described = len(list(run.descriptions()))
    assert 1 <= described < 200
    assert f"{described} of 200 described, 0 failed, {200 - described} left" in told
    assert run.summary is not None
    assert run.summary["described"] == described


def test_a_disk_that_is_full_ends_with_one_line_and_the_run_goes_on(tmp_path: Path) -> None:
    import resource

    given, out = fakes.images(tmp_path / "images", [f"i{n:02d}" for n in range(40)]), tmp_path / "out"

    def small() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LEDGER_FULL, LEDGER_FULL))

    with begin(given, out, preexec_fn=small) as process:
        _, said = process.communicate(timeout=120)
    assert process.returncode == 2, said
    *page, line = [line for line in said.splitlines() if not line.startswith("{")]
    assert all(f"{read_run(out).folder}/summary.html" in told for told in page)  # for which there may be room
    assert line.startswith("error: ")
    assert "cannot be written or read: " in line
    assert line.endswith("What was done is kept; mend it and run the same command again")
    kept = len(list(read_run(out).descriptions()))
    assert 0 < kept < 40
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch.runner, "open_pipeline", fakes.told_pipeline)
        again = CliRunner().invoke(cli.main, command(given, out)[2:], catch_exceptions=False)
    assert again.exit_code == 0
    assert len(list(read_run(out).descriptions())) == 40
    assert [session["described"] for session in (read_run(out).summary or {})["sessions"]][-1] == 40 - kept


LEDGER_FULL = 44 << 10
"""Bytes of a file: more than a shard or an empty ledger has, fewer than a ledger of forty blocks."""


def test_a_folder_that_cannot_be_written_to_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch.runner, "open_pipeline", fakes.told_pipeline)
    given = fakes.images(tmp_path / "images", ["a"])
    (tmp_path / "file").write_text("in the way")
    ended = CliRunner().invoke(cli.main, command(given, tmp_path / "file" / "out")[2:])
    assert ended.exit_code == 2
    assert ended.stderr.count("\n") == 1
    assert "cannot be written or read: Not a directory" in ended.stderr
    out = tmp_path / "out"
    assert CliRunner().invoke(cli.main, command(given, out)[2:]).exit_code == 0
    fakes.paint(given / "b.png", 5)
    out.chmod(0o500)
    (read_run(out).folder).chmod(0o500)
    try:
        if os.access(out, os.W_OK):
            pytest.skip("whoever runs this may write to any folder")
        ended = CliRunner().invoke(cli.main, command(given, out)[2:])
    finally:
        out.chmod(0o700)
        read_run(out).folder.chmod(0o700)
    assert ended.exit_code == 2
    assert "cannot be written or read: Permission denied" in ended.stderr
    assert CliRunner().invoke(cli.main, command(given, out)[2:]).exit_code == 0
    assert len(list(read_run(out).descriptions())) == 2
