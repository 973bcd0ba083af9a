"""`batch` as the `batch*.py` scripts here start and watch it: the real command, in a process of its own."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import ROOT

_PR_SET_CHILD_SUBREAPER = 36
"""https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html"""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal), seconds by the clock until its first process ended,
    and seconds of CPU of all its processes, as `wait4` tells them."""

    code: int
    wall_s: float
    cpu_s: float


class Command:
    """A command under way, the leader of a process group. What it prints goes to `out` and `err`, which are files.

    Processes that outlive the first become children of this one, which waits for them: their CPU is counted, and none
    is still at work when the next command begins.
    """

    def __init__(self, words: Sequence[str], out: Path, err: Path, env: Mapping[str, str] | None = None) -> None:
        if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise OSError("prctl(PR_SET_CHILD_SUBREAPER) is refused here")
        self._began = time.perf_counter()
        with out.open("wb") as to, err.open("wb") as beside:
            self._process = subprocess.Popen(
                words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=to, stderr=beside, start_new_session=True,
                env={**os.environ, **(env or {})},
            )  # fmt: skip
        self._ended: Ended | None = None

    @property
    def pid(self) -> int:
        """Of the first process, and of the group."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.perf_counter() - self._began

    def poll(self) -> Ended | None:
        """How it ended, if it has."""
        if self._ended is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self._process.returncode = code
                wall_s = self.seconds
                self._ended = Ended(code, wall_s, usage.ru_utime + usage.ru_stime + self._orphans_cpu_s())
        return self._ended

    def _orphans_cpu_s(self) -> float:
        seconds = 0.0
        with suppress(ChildProcessError):  # there are no more
            while True:
                *_, usage = os.wait4(-self.pid, 0)
                seconds += usage.ru_utime + usage.ru_stime
        return seconds

    def wait(self, seconds: float | None = None) -> Ended | None:
        """How it ended, None where it is still under way after so many seconds."""
        until = None if seconds is None else time.perf_counter() + seconds
        while (ended := self.poll()) is None and (until is None or time.perf_counter() < until):
            time.sleep(0.02)
        return ended

    def end(self) -> Ended:
        """Waits for the end."""
        while (ended := self.wait()) is None:
            pass
        return ended

    def tell(self, signal_: int, *, all_of_it: bool = False) -> None:
        """A signal to the first process, or to every process of the group."""
        if self.poll() is None:
            (os.killpg if all_of_it else os.kill)(self.pid, signal_)


def batch(given: Path | str, out: Path, *options: str) -> list[str]:
    """The words of the command."""
    return [sys.executable, str(ROOT / "cli.py"), "batch", str(given), "--out", str(out), *options]


def lines_of(err: Path) -> list[dict[str, Any]]:
    """What `--progress json` told. Other lines, and one that is not whole, are passed over."""
    lines = err.read_text(encoding="utf-8", errors="replace").splitlines()
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def said(err: Path) -> list[str]:
    """The other lines: what people are told."""
    lines = err.read_text(encoding="utf-8", errors="replace").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("{")]
