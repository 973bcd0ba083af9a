"""The processes that share a run, as `accelerate launch` starts them: which one writes, and who waits for whom.

Imports accelerate and torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from accelerate import PartialState

from rag.starter import Tell

T = TypeVar("T")


class Processes:
    """One process alone, or the one of several that this is. Its GPU is chosen now, before anything is loaded."""

    def __init__(self) -> None:
        self._state = PartialState(cpu=not torch.cuda.is_available())
        self.count: int = self._state.num_processes
        self.first: bool = self._state.is_main_process
        self.device: torch.device = self._state.device

    def in_turn(self, work: Callable[[], T]) -> T:
        """`work` in the first process and then in all others, which find what the first has written."""
        with self._state.main_process_first():
            return work()

    @contextmanager
    def first_alone(self) -> Iterator[bool]:
        """Whether this is the first process; the others wait until it has left."""
        try:
            yield self.first
        finally:
            self._state.wait_for_everyone()

    def heard(self, tell: Tell) -> Tell:
        """`tell` in the first process; the others keep silent."""
        return tell if self.first else _silent


def _silent(_: str) -> None:
    return
