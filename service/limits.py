"""How often somebody may ask: a bucket a key, or an address, that fills evenly over a minute."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from service.errors import TooMany

_MOST = 10_000
"""So many buckets are kept; the one that was asked longest ago leaves."""


class Rates:
    """Buckets by name. For the event loop's thread alone. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, a_minute: int) -> None:
        """Takes one of a bucket of `a_minute`. Raises TooMany where it is empty."""
        self._buckets[name] = (self.check(name, a_minute) - 1, self._clock())
        self._buckets.move_to_end(name)
        if len(self._buckets) > _MOST:
            self._buckets.popitem(last=False)

    def check(self, name: str, a_minute: int) -> float:
        """How much is in a bucket, and nothing is taken. Raises TooMany where it is empty."""
        held, when = self._buckets.get(name, (float(a_minute), self._clock()))
        held = min(float(a_minute), held + (self._clock() - when) * a_minute / 60)
        if held < 1:
            raise TooMany(f"more than {a_minute} a minute", max(1, math.ceil((1 - held) * 60 / a_minute)))
        return held
