"""What the tests of web APIs share: impatient manners, and servers that fail first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from indexer.sources.fetching import Manners
from tests.web_server import Answer, Asked, WebServer

ATTEMPTS = 4

PASSING = [
    Answer(b"slow down", 429, "text/plain", {"Retry-After": "0"}),
    Answer(b"slow down", 429, "text/plain"),
    Answer(b"oops", 500, "text/plain"),
    Answer(b"oops", 503, "text/plain", {"Retry-After": "0"}),
]
"""Answers that every client here must ask again after."""


def quick(name: str) -> Manners:
    """Manners that hardly wait, and give up where a server asks for a second."""
    return Manners(name, per_second=1e6, attempts=ATTEMPTS, first_wait_s=0.001, longest_wait_s=0.5)


def first(faults: list[Answer], answer: Callable[[Asked], Answer]) -> Callable[[Asked], Answer]:
    """A server that gives `faults`, one a request, and then behaves."""
    left = list(faults)
    return lambda asked: left.pop(0) if left else answer(asked)


def kill_in_the_middle(script: str, arguments: list[str], server: WebServer, requests: int) -> None:
    """Runs a Python script in a process of its own and kills it (SIGKILL) at its request number `requests`.

    The server must be one that does not answer that request before the process is dead.
    """
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    process = subprocess.Popen([sys.executable, "-c", script, *arguments], cwd=root, env=environment)
    try:
        deadline = time.monotonic() + 120
        while len(server.asked) < requests:
            assert process.poll() is None, "the script ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
