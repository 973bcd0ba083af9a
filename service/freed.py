"""What a process has freed goes back to the system.

glibc keeps the memory of pictures and of what a model has in hand when these are freed, in pieces that the next one may
not fit: a process that is sent images of all sizes would grow for hours though it holds no more than at the start.
"""

from __future__ import annotations

import threading

from vlm.cost.machine import give_back_freed

EVERY_S = 15.0


class GivesBack:
    """Gives back what this process has freed, every `EVERY_S`, until it is closed or the process ends."""

    def __init__(self) -> None:
        self._closed = threading.Event()
        threading.Thread(target=self._go_on, name="give-back", daemon=True).start()

    def close(self) -> None:
        self._closed.set()

    def _go_on(self) -> None:
        while not self._closed.wait(EVERY_S):
            give_back_freed()
