"""A server in a process of its own, watched from outside: whether it is ready, what memory it holds, what it leaves."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from machine import ROOT

HOST = "127.0.0.1"
FLAT = 1.05
READY_S = 900
"""A first start builds the starter index, on a machine that may have other work."""


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port: int = unused.getsockname()[1]
        return port


class Server:
    """A server from its start until it is ended. `path` answers 200 once it is ready; its output goes to `log`.

    Raises RuntimeError where it ends before that, or is not ready within READY_S.
    """

    def __init__(self, command: Sequence[str], port: int, path: str, log: Path, env: dict[str, str]) -> None:
        self.port = port
        self._log, self._written = log, log.open("wb")
        began = time.monotonic()
        self.process = psutil.Popen(
            command, cwd=ROOT, stdout=self._written, stderr=subprocess.STDOUT, env={**os.environ, **env}
        )
        while not self._answers(path):
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.said()}")
            if time.monotonic() - began > READY_S:
                self.process.kill()
                raise RuntimeError(f"not ready after {READY_S} s:\n{self.said()}")
            time.sleep(0.5)
        self.ready_s = time.monotonic() - began

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection(HOST, self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def said(self, lines: int = 30) -> str:
        """The last lines of its output."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def tree(self) -> list[psutil.Process]:
        """It and the processes that it started."""
        return [self.process, *self.process.children(recursive=True)]

    def memory_mib(self) -> float:
        """What they hold together, each page counted once (PSS); without what is swapped out."""
        held = 0
        for process in self.tree():
            try:
                held += process.memory_full_info().pss
            except psutil.NoSuchProcess:
                continue
        return float(held / 2**20)

    def open_files(self) -> int:
        """How many descriptors they have open together, connections included."""
        return sum(process.num_fds() for process in self.tree() if process.is_running())

    def end(self, within_s: float = 120) -> int:
        """Asks it to end, as an init system would. Returns its exit code; -9 where it had to be killed."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(within_s)
            except (psutil.TimeoutExpired, subprocess.TimeoutExpired):
                for process in self.tree():
                    process.kill()
                self.process.wait()
        self._written.close()
        return int(self.process.returncode)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.end()


def lumenscribe(work: Path, *settings: str, keys: str = "") -> Server:
    """The service on a free port of the loopback, all it writes under `work`, with `--set` for each setting."""
    port = free_port()
    (work / "tmp").mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "cli.py", "serve", "--set", f"port={port}", "--set", f"data={work / 'data'}"]
    for setting in settings:
        command += ["--set", setting]
    env = {"TMPDIR": str(work / "tmp"), "LUMENSCRIBE_KEYS": keys}
    return Server(command, port, "/ready", work / "service.log", env)


@dataclass
class Watch:
    """Samples a server's memory until it is ended, every `every_s` seconds."""

    server: Server
    every_s: float = 2.0
    samples: list[tuple[float, float]] = field(default_factory=list)
    """`(seconds since the start, MiB)`."""
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Watch:
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._ended.wait(self.every_s):
            if self.server.process.poll() is not None:
                return
            self.samples.append((time.monotonic() - self._began, self.server.memory_mib()))

    def told(self) -> dict[str, Any]:
        """Its course: medians of quarters, the peak, and how much the last quarter is over the second."""
        held = [mib for _, mib in self.samples]
        if len(held) < 4:
            return {"mib": [round(mib, 1) for mib in held]}
        cut = [held[len(held) * n // 4 : len(held) * (n + 1) // 4] for n in range(4)]
        quarters = [round(statistics.median(part), 1) for part in cut]
        return {
            "quarters_mib": quarters,
            "peak_mib": round(max(held), 1),
            "last_over_second": round(quarters[3] / quarters[1], 4),
        }


def is_flat(told: dict[str, Any]) -> bool:
    """Whether memory, as `Watch.told` has it, grew no more than `FLAT` from the second quarter to the last."""
    return bool(told["last_over_second"] <= FLAT)


def files_under(*folders: Path) -> dict[str, int]:
    """Every file there is, and its bytes."""
    found: dict[str, int] = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                found[str(path.relative_to(folder.parent))] = path.stat().st_size
    return found
