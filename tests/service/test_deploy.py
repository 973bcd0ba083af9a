"""What ships the service: the image, the containers, the systemd unit. `deploy/rehearse.py` runs the image's steps."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from deploy.dockerfile import Ignored, Instruction, Stage, read

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "lumenscribe.service"
ADDRESS = re.compile(r"https?://(?!127\.0\.0\.1)")


def last_stage() -> tuple[Stage, dict[str, Instruction]]:
    _, stages = read(ROOT / "Dockerfile")
    return stages[-1], {step.kind: step for step in stages[-1].steps}


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def test_the_image_runs_as_nobody_special_and_says_how_it_is() -> None:
    stage, last = last_stage()
    assert [step.kind for step in stage.steps].index("USER") > [step.kind for step in stage.steps].index("RUN")
    assert int(last["USER"].words.split(":")[0]) >= 1000
    health = Instruction(last["HEALTHCHECK"].line, "CMD", last["HEALTHCHECK"].words.partition("CMD ")[2]).form
    assert "/health" in health[-1]
    assert last["ENTRYPOINT"].form == ["lumenscribe"]


def test_packages_come_from_the_lock_for_both_devices() -> None:
    _, (packages, _) = read(ROOT / "Dockerfile")
    steps = [step.words for step in packages.steps if step.kind == "RUN" and "pyproject.toml" in step.words]
    assert len(steps) == 1
    assert "--constraint requirements.lock" in steps[0]
    assert "cpu)" in steps[0]
    assert "cuda)" in steps[0]


@pytest.mark.parametrize("file", ["Dockerfile", ".dockerignore", "compose.yaml", "deploy/lumenscribe.service"])
def test_no_address_of_a_registry_is_written_down(file: str) -> None:
    assert not ADDRESS.search((ROOT / file).read_text())


def test_an_image_is_given_what_the_program_reads_and_nothing_else() -> None:
    ignored = Ignored(ROOT / ".dockerignore")
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    for package in given["packages"]:
        assert not ignored(PurePosixPath(package.replace(".", "/")) / "__init__.py"), package
    for module in given["py-modules"]:
        assert not ignored(PurePosixPath(f"{module}.py"))
    for kept in (
        "requirements.lock",
        "README.md",
        "benchmarks/pocket.json",
        "benchmarks/pocket.py",
        "benchmarks/experiments/x.html",
    ):
        assert not ignored(PurePosixPath(kept)), kept
    for left in (
        ".git/config", "data/indexes/a", "runs/x", ".venv/bin/python", "tests/conftest.py", "keys.yaml", ".env",
        "benchmarks/evidence_sets/a.jsonl", "vlm/__pycache__/a.pyc",
        "service/x/__pycache__/b.pyc",
    ):  # fmt: skip
        assert ignored(PurePosixPath(left)), left


def commands() -> dict[str, list[str]]:
    """What starts the service, by the file that says so."""
    _, last = last_stage()
    started = next(line for line in UNIT.read_text().replace("\\\n", " ").splitlines() if line.startswith("ExecStart="))
    return {
        "Dockerfile": last["CMD"].form,
        "compose.yaml": compose()["services"]["lumenscribe"]["command"],
        "lumenscribe.service": started.split()[1:],
    }


@pytest.mark.parametrize("file", ["Dockerfile", "compose.yaml", "lumenscribe.service"])
def test_the_command_line_takes_what_the_files_give_it(file: str) -> None:
    command = commands()[file]
    assert command[0] == "serve"
    # click reads the whole line before --help ends it: an unknown option would be an error.
    done = subprocess.run(
        [sys.executable, "cli.py", *command, "--help"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for option in (word for word in command if word.startswith("--")):
        assert option in done.stdout


def test_settings_in_the_files_are_settings() -> None:
    from service.config import load_config

    for command in commands().values():
        given = [command[at + 1] for at, word in enumerate(command) if word == "--set"]
        load_config(assignments=given)


def test_containers_have_no_right_that_they_need_not() -> None:
    services = compose()["services"]
    assert set(services) == {"lumenscribe", "cuda"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert "privileged" not in service
    assert services["cuda"]["build"]["args"] == {"DEVICE": "cuda"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_finds_no_fault_with_the_unit_but_that_nothing_is_installed_here() -> None:
    command = ["systemd-analyze", "verify", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    faults = [line for line in done.stderr.splitlines() if "is not executable" not in line]
    assert faults == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_calls_the_unit_hardly_exposed() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=15", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
