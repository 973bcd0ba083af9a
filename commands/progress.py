"""How far the steps of a command are, on stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batch.progress import bar

if TYPE_CHECKING:
    from tqdm import tqdm


class Bars:
    """Told how far each step is, it draws a bar for it, as `batch` does: in a log, a line a minute."""

    def __init__(self) -> None:
        self._what: str | None = None
        self._bar: tqdm[Any] | None = None

    def __call__(self, what: str, done: int, total: int) -> None:
        if self._bar is None or what != self._what:
            self._what, self._bar = what, bar(total, title=what)
        self._bar.update(done - self._bar.n)
        if done >= total:
            self._bar.close()
