"""How far a run is, for people (a bar) and for programs (a line of JSON every few seconds). Both go to stderr."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self, TextIO

from tqdm import tqdm

Form = Literal["bar", "json", "none"]
_EVERY_S = 2.0


@dataclass(frozen=True)
class Tally:
    """Records of an input: all, those with a description, those that failed."""

    total: int
    described: int
    failed: int

    @property
    def done(self) -> int:
        """Those that need no more work."""
        return self.described + self.failed

    @property
    def left(self) -> int:
        """Those that have neither yet."""
        return self.total - self.done

    def plus(self, described: int, failed: int) -> Self:
        """After so many more."""
        return type(self)(self.total, self.described + described, self.failed + failed)


class Progress(Protocol):
    """Hears how far a run is."""

    def show(self, tally: Tally, *, last: bool = False) -> None: ...


class Silent:
    """Says nothing."""

    def show(self, tally: Tally, *, last: bool = False) -> None:
        """Nothing."""


def bar(total: int, *, initial: int = 0, title: str | None = None) -> tqdm[Any]:
    """A bar of images with the rate and the time left, where stderr is a terminal; else a line a minute."""
    drawn = sys.stderr.isatty()
    every_s = 0.5 if drawn else 60.0
    return tqdm(
        total=total,
        initial=initial,
        desc=title,
        unit=" images",
        file=sys.stderr if drawn else _LogLines(sys.stderr),
        mininterval=every_s,
        maxinterval=every_s,
    )


class Bar:
    """A bar with the rate, the time left and the failures, where stderr is a terminal; else a line a minute."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def show(self, tally: Tally, *, last: bool = False) -> None:
        if self._bar is None:
            self._bar = bar(tally.total, initial=tally.done)
        self._bar.set_postfix(failed=tally.failed, refresh=False)
        self._bar.update(tally.done - self._bar.n)
        if last:
            self._bar.close()


class _LogLines:
    """For tqdm, where nothing can be drawn over: each state of a bar is a line."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> None:
        if state := text.strip():
            self._stream.write(f"{state}\n")

    def flush(self) -> None:
        self._stream.flush()


class Lines:
    """JSON lines: counts, rate of this session, seconds left, memory of this process and those below it."""

    def __init__(self, stream: TextIO | None = None, every_s: float = _EVERY_S) -> None:
        self._stream = stream
        self._every_s = every_s
        self._started: float | None = None
        self._told = -every_s
        self._began = 0

    def show(self, tally: Tally, *, last: bool = False) -> None:
        if self._started is None:
            self._started, self._began = time.perf_counter(), tally.done
        seconds = time.perf_counter() - self._started
        if not last and seconds - self._told < self._every_s:
            return
        self._told = seconds
        rate = (tally.done - self._began) / seconds if seconds else 0.0
        told = {
            "seconds": round(seconds, 2),
            "total": tally.total,
            "described": tally.described,
            "failed": tally.failed,
            "left": tally.left,
            "images_per_s": round(rate, 3),
            "seconds_left": round(tally.left / rate, 1) if rate else None,
            "memory_mib": memory_mib(),
        }
        print(json.dumps(told), file=self._stream or sys.stderr, flush=True)


FORMS: dict[Form, type[Bar | Lines | Silent]] = {"bar": Bar, "json": Lines, "none": Silent}


def memory_mib() -> list[int]:
    """Resident memory of this process and of each process below it, in MiB."""
    import psutil

    here = psutil.Process()
    found = []
    for process in (here, *here.children(recursive=True)):
        try:
            found.append(process.memory_info().rss >> 20)
        except psutil.Error:  # it is gone
            continue
    return found
