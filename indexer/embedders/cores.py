"""Work shared out over a CPU's cores, each part computed by one thread alone.

A layer that is itself split over all cores waits after each convolution for the slowest of them, which beside threads
that decode images is long. Imports torch; import it where a model is at hand, not before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Cores:
    """As many threads as torch has, which is the number of cores or OMP_NUM_THREADS."""

    def __init__(self) -> None:
        self.count = torch.get_num_threads()
        started = threading.Barrier(self.count + 1)
        self._pool = ThreadPoolExecutor(self.count, thread_name_prefix="embed")
        for _ in range(self.count):
            self._pool.submit(_compute_alone, started)
        started.wait()
        torch.set_num_threads(self.count)  # what a thread sets for itself is also what later threads begin with

    def map(self, work: Callable[[Sequence[_Item]], _Result], items: Sequence[_Item], size: int) -> list[_Result]:
        """What `work` makes of `items`, at most `size` at a time, in order."""
        return list(self._pool.map(work, [items[start : start + size] for start in range(0, len(items), size)]))


def _compute_alone(started: threading.Barrier) -> None:
    torch.get_num_threads()  # a thread takes over the general number when it first needs one: now, and not after this
    torch.set_num_threads(1)
    started.wait()
