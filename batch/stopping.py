"""How a run is asked to stop: once, and what is under way is finished and kept; twice, and it ends at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

from rag.starter import Tell

T = TypeVar("T")

_KILLED = 130
"""The exit code of a program that Ctrl-C ended."""


class Stop:
    """Whether somebody wants the run to stop."""

    def __init__(self) -> None:
        self._asked = threading.Event()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    def ask(self) -> None:
        """From any thread."""
        self._asked.set()

    def until_asked(self, values: Iterator[T]) -> Iterator[T]:
        """The values, until then."""
        for value in values:
            if self.asked:
                return
            yield value

    @contextmanager
    def by_signals(self, tell: Tell) -> Iterator[None]:
        """Ctrl-C and SIGTERM ask; the second one ends the process. In the main thread alone."""

        def hear(_number: int, _frame: FrameType | None) -> None:
            if self.asked:
                os._exit(_KILLED)
            self.ask()
            with suppress(RuntimeError):  # the main thread is in the middle of writing to where this is told
                tell("stopping: what is under way is finished and kept. Once more to stop at once; run again to go on")

        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
