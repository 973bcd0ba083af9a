"""The process that runs a job, as the service holds it: begun, asked to stop, killed, and what it said at its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from configs import ROOT
from service.jobs.shelf import LOG
from service.jobs.types import JobSettings

COMMAND = (sys.executable, "-P", "-m", "service.jobs.run")
"""What runs a job; its folder and the limits follow. `-P`: nothing is imported from where the service was started."""

_LOOKED_EVERY_S = 0.2


@dataclass(frozen=True)
class Ended:
    """How a job's process ended.

    `left` images have no outcome, None where it did not say; `reason` says why it cannot go on; `how` is for people.
    """

    left: int | None
    reason: str | None
    how: str


class JobProcess:
    """A process at work on the job in `folder`, in a session of its own: what it began ends with it."""

    def __init__(self, command: Sequence[str], folder: Path, limits: JobSettings) -> None:
        self.over = threading.Event()
        self._kill_at: float | None = None
        paths = [str(ROOT.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
        read_end, self._write_end = os.pipe()  # when this process ends, however it does, the other reads the end of it
        try:
            with (folder / LOG).open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own program, on a folder that we named
                    [*command, str(folder), limits.model_dump_json()],
                    stdin=read_end, stdout=subprocess.PIPE, stderr=log, start_new_session=True,
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                )  # fmt: skip
        except OSError:
            os.close(self._write_end)
            raise
        finally:
            os.close(read_end)

    def ask_to_stop(self, within_s: float) -> None:
        """What is under way is finished and kept; what takes longer than that is killed."""
        if self._kill_at is None:
            self._kill_at = time.monotonic() + within_s
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """At once. What is committed is kept."""
        self._signal(signal.SIGKILL)

    def wait(self) -> Ended:
        """Until it is over."""
        while True:
            try:
                out, _ = self._process.communicate(timeout=_LOOKED_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                late = self._kill_at is not None and time.monotonic() > self._kill_at
                if late or self._process.poll() is not None:  # it is gone, and what it began is not
                    self.kill()
        self.over.set()
        os.close(self._write_end)
        return _ended(out, self._process.returncode)

    def _signal(self, number: int) -> None:
        if not self.over.is_set():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)


def _ended(out: bytes, code: int) -> Ended:
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    lines = out.splitlines()
    try:
        said = json.loads(lines[-1]) if lines else {}
        return Ended(said.get("left"), said.get("reason"), how)
    except (ValueError, AttributeError):
        return Ended(None, None, how)
