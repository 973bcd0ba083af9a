"""Jobs of tests: images and zips made on the spot, a service's jobs whose process has an engine that is fake."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from batch.run_folder import read_run
from rag.config import Settings, resolve
from service.jobs import JobAsked, JobFile, Jobs, JobSettings, JobView
from service.jobs.results import renamed

HERE = Path(__file__).parent
DELAY = "BATCH_TEST_DELAY_S"
"""The environment variable that says how long an image takes."""
PLAIN = ("--no-rag", "--set", "check.text_embedder=null")
_BATCH = (
    "import sys, batch.runner, cli, fakes\n"
    "batch.runner.open_pipeline = fakes.told_pipeline\n"
    "sys.argv[1:] = ['batch', *sys.argv[1:], '--block', '2']\n"
    "cli.program()\n"
)
COMMAND = (sys.executable, str(HERE / "fake_job.py"))
SETTINGS: Settings = resolve(None, ["check.text_embedder=null"], retrieval__enabled=False)
LIMITS = JobSettings(
    max_images=2000, max_image_mib=256, max_total_mib=1024, upload_s=60, uploads_at_once=4, max_open=20, max_kept=100,
    min_free_mib=0, workers=None, block=2, nice=0, keep_days=30,
)  # fmt: skip


def png(shade: int) -> bytes:
    """A small image of one brightness."""
    file = io.BytesIO()
    Image.fromarray(np.full((8, 9), shade % 256, np.uint8)).save(file, "PNG")
    return file.getvalue()


def upload(name: str, data: bytes) -> JobFile:
    return JobFile(name, io.BytesIO(data))


def uploads(count: int) -> list[JobFile]:
    """`i00.png` and so on, each of its own brightness."""
    return [upload(f"i{number:02d}.png", png(number)) for number in range(count)]


def zipped(members: Mapping[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return file.getvalue()


def archive(members: Mapping[str, bytes]) -> JobFile:
    return upload("images.zip", zipped(members))


def made(root: Path, limits: JobSettings = LIMITS) -> Jobs:
    return Jobs(root, limits, COMMAND)


def create(jobs: Jobs, images: Sequence[JobFile] = (), packed: JobFile | None = None, owner: str = "") -> JobView:
    return jobs.create(owner, JobAsked(), SETTINGS, {"k": 3}, images, packed)


def until(jobs: Jobs, id_: str, *states: str, seconds: float = 90.0) -> JobView:
    """The job once it is in one of the states."""
    end = time.monotonic() + seconds
    while (view := jobs.get(id_, "")).standing.state not in states:
        assert time.monotonic() < end, view
        time.sleep(0.05)
    return view


def until_described(jobs: Jobs, id_: str, count: int, seconds: float = 90.0) -> JobView:
    """The job once so many of its images are described."""
    end = time.monotonic() + seconds
    while (view := jobs.get(id_, "")).described < count:
        assert time.monotonic() < end, view
        time.sleep(0.02)
    return view


def untimed(records: Any) -> list[dict[str, Any]]:
    """Records without what differs from run to run."""
    return [record | {"timings_s": None} for record in records]


def batch_of(folder: Path, images: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What `cli.py batch` writes of these images in a folder, with the same fake engine; each by its path in it."""
    given = folder / "given"
    for name, data in images.items():
        (given / name).parent.mkdir(parents=True, exist_ok=True)
        (given / name).write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", _BATCH, str(given), "--out", str(folder / "out"), *PLAIN],
        capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": f"{HERE.parent / 'batch'}:."}, cwd=HERE.parents[1],
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    found = [json.loads(result.record) for result in read_run(folder / "out").descriptions()]
    return [renamed(record, {f"{given}/": ""}) for record in found]
