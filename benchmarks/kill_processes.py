"""The processes of `kill_steps.py` as `scale_kills.py` starts, watches and ends them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Literal

STEPS = Path(__file__).parent / "kill_steps.py"
SIDE_FILES = ("records.sqlite-journal", "records.sqlite-wal", "records.sqlite-shm")
Span = Literal["any moment", "embedding", "publishing", "switching"]
"""When to kill: at a time since the start, since the first batch, at one of the calls after the last batch, or at a
time since the first new file."""


class Build:
    """A build in a process of its own, watched from its start."""

    def __init__(self, config: Path, folder: Path, log: Path, kill_at: int = 0) -> None:
        self._folder, self._log = folder, log
        self._there = {file.name for file in folder.iterdir()}
        self._logged = log.stat().st_size if log.exists() else 0
        self._start = time.monotonic()
        command = [sys.executable, str(STEPS), "build", str(config), str(log), str(kill_at)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.end_s = 0.0

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self._start, 3)

    def until(self, span: Span) -> bool:
        """Waits until the build is in a span: its first batch, or its first new file. False where it ended before."""
        while self._process.poll() is None:
            if span == "any moment" or (self._embedding() if span == "embedding" else self._switching()):
                return True
            time.sleep(0.001)
        return False

    def kill_in(self, seconds: float | None) -> bool:
        """SIGKILL, so many seconds from now (None: it will kill itself); false where the build ended before."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        code = self._process.wait()
        if code > 0:
            raise RuntimeError(f"{self._folder}: the build ended with {code}")
        return code < 0

    def report(self) -> dict[str, int]:
        """Waits for the end, and gives what the build said."""
        said = self._process.stdout.readline() if self._process.stdout else ""
        self.end_s = self.seconds
        if self._process.wait() != 0:
            raise RuntimeError(f"{self._folder}: the build ended with {self._process.returncode}")
        found: dict[str, int] = json.loads(said)
        return found

    def _embedding(self) -> bool:
        return self._log.exists() and self._log.stat().st_size > self._logged

    def _switching(self) -> bool:
        return any(f.name not in self._there and f.name not in SIDE_FILES for f in self._folder.iterdir())


class Reader:
    """The reader's process, from its first search until the block's end; then `seen` is what it saw."""

    def __init__(self, work: Path, folder: Path) -> None:
        self._stop = work / "stop"
        self._stop.unlink(missing_ok=True)
        files = [folder, work / "expected.json", work / "questions.json", self._stop]
        self._process = subprocess.Popen(
            [sys.executable, str(STEPS), "read", *map(str, files)], stdout=subprocess.PIPE, text=True
        )
        self.seen: dict[str, Any] = {}

    def __enter__(self) -> Reader:
        if self._process.stdout is None or self._process.stdout.readline() != "reading\n":
            raise RuntimeError("the reader did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.touch()
        self.seen = json.loads(self._process.communicate()[0])
