"""How far a fetch over the network is, on stderr. Knows nothing of what is fetched."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


class FetchProgress:
    """A bar with what is done and the rate, where the total is known with the time left, and lines above it.

    A context manager, which ends the bar. `shown` is as in `build_index` (None: where stderr is a terminal). Where it
    is not shown nothing at all is written.
    """

    def __init__(self, name: str, unit: str, shown: bool | None) -> None:
        self._name = name
        self._unit = unit
        self._shown = sys.stderr.isatty() if shown is None else shown
        self._bar: tqdm[Any] | None = None

    def __enter__(self) -> FetchProgress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def at(self, done: int, total: int) -> None:
        """Shows that so many of a total are fetched; what was at the first call is not counted into the rate."""
        if not self._shown:
            return
        if self._bar is None:
            from tqdm import tqdm

            unit = f" {self._unit}"
            self._bar = tqdm(desc=self._name, unit=unit, initial=done, total=total, file=sys.stderr, mininterval=0.5)
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def say(self, line: str) -> None:
        """Writes a line above the bar."""
        if self._shown:
            from tqdm import tqdm

            tqdm.write(line, file=sys.stderr)
