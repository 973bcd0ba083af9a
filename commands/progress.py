"""How far a step is, on stderr: a line now and then."""

from __future__ import annotations

import time

from commands.common import to_stderr

EVERY_S = 20.0


class Lines:
    """Told of each step as often as one likes, it says so every EVERY_S seconds."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, what: str, done: int, total: int) -> None:
        if time.monotonic() - self._said >= EVERY_S:
            self._said = time.monotonic()
            to_stderr(f"{what}: {done:,} of {total:,}")
