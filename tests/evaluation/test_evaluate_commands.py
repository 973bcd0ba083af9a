"""The commands as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from made_archive import Archive

import cli

TRUTH = ["--field", "article=case", "--truth", "modality=kind", "--truth", "plane=plane"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, ["evaluate", *arguments])


@pytest.mark.usefixtures("parrot")
def test_a_set_and_a_setting_are_told_apart(archive: Archive, tmp_path: Path) -> None:
    given = ["retrieval", "--index", str(archive.index), "--set", str(archive.records), "--set", "batch_size=2"]
    done = run(*given, "--where", "split=dev", *TRUTH, "--ks", "1", "--out", str(tmp_path), "--json")
    assert done.exit_code == 0, done.output
    made = json.loads(done.stdout)["recipe"]
    assert made["settings"]["batch_size"] == 2
    assert made["set"]["images"] == 16
    assert made["ks"] == [1]
    assert (tmp_path / "index.html").is_file()
    table = run(*given, "--where", "split=dev", *TRUTH, "--ks", "1", "--out", str(tmp_path))
    assert "nearest, k=1 - none" in table.stdout
    assert "16 of them in an earlier run" in table.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["retrieval"], "name one set of images"),
        (["retrieval", "--set", "a", "--set", "b"], "name one set of images"),
        (["retrieval", "--set", "batch_size=2"], "name one set of images"),
        (["retrieval", "--set", "no/such/set"], "error: no/such/set: no such folder, record file or YAML file"),
        (["calibrate", "--set", "a", "--out", "x.yaml", "--risk", "0.1", "--coverage", "0.5"], "not both"),
        (["calibrate", "--set", "a"], "Missing option '--out'"),
    ],
)
def test_a_wrong_request_is_one_line_and_code_2(arguments: list[str], told: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr
