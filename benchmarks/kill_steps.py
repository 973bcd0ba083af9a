"""The processes of `scale_kills.py`: a build that may be killed, and a reader that searches all through it.

    python benchmarks/kill_steps.py build CONFIG LOG KILL_AT
    python benchmarks/kill_steps.py read INDEX EXPECTED QUESTIONS STOP

`build` writes to LOG how many records each call of an embedder was given, before the call, so that what a killed build
did is known. When everything is embedded it begins to count calls and returns of functions, SQLite's and the system's
among them, and at KILL_AT kills itself (0: never), so that the short time in which generations are switched is met,
too. `read` opens the index anew and searches, and searches with a reader that it opened once, again and again
until the file STOP is there; EXPECTED has the right answers by generation. Both print JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import machine  # noqa: F401 - first: it puts the house's packages on the path
from kill_content import answers, judged, read_questions

from indexer import Index, Query, Vectors, build_index, open_index
from indexer.embedders.clip import OpenClipEmbedder
from indexer.embedders.sentences import SentenceTransformersEmbedder
from indexer.run import Run

PAUSE_S = 0.02
"""Between two searches of the reader, which is to be there and not to take the build's core."""


class Countdown:
    """A profiler that counts events, and kills the process at one of them."""

    def __init__(self, kill_at: int) -> None:
        self.count, self._kill_at = 0, kill_at

    def __call__(self, _frame: FrameType, _event: str, _arg: object) -> None:
        self.count += 1
        if self.count == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


def build(config: Path, log: Path, kill_at: int) -> None:
    """One build. Prints its counts."""
    events = Countdown(kill_at)
    take = Run.take

    def take_and_count(self: Run, *given: Any, **named: Any) -> None:
        take(self, *given, **named)
        sys.setprofile(events)

    handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def noted(embed: Callable[..., Vectors]) -> Callable[..., Vectors]:
        def embed_and_note(self: object, given: Sequence[object]) -> Vectors:
            os.write(handle, f"{len(given)}\n".encode())
            return embed(self, given)

        return embed_and_note

    with (
        mock.patch.object(OpenClipEmbedder, "embed_images", noted(OpenClipEmbedder.embed_images)),
        mock.patch.object(SentenceTransformersEmbedder, "embed_texts", noted(SentenceTransformersEmbedder.embed_texts)),
        mock.patch.object(Run, "take", take_and_count),
    ):
        report = build_index(config, progress=False)
    sys.setprofile(None)
    print(json.dumps({"embedded": report.embedded, "unchanged": report.unchanged, "events": events.count}), flush=True)


@dataclass
class Seen:
    """What a reader saw. `verdicts` counts rounds of all questions; `generations` in the order they were first seen."""

    opened: int = 0
    searches: int = 0
    generations: list[int] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)


def read(folder: Path, expected: dict[int, Any], asked: list[Query], stop: Path) -> Seen:
    """Searches until `stop` is there. Says on stdout when the first round is done."""
    seen = Seen()
    kept, told = open_index(folder), False
    while not stop.exists():
        for name, index in (("opened anew", None), ("kept open", kept)):
            try:
                _look(name, index or open_index(folder), expected, asked, seen, close=index is None)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
                seen.verdicts[f"{name}: {type(error).__name__}: {error}"] += 1
        if not told:
            print("reading", flush=True)
            told = True
        time.sleep(PAUSE_S)
    kept.close()
    return seen


def _look(name: str, index: Index, expected: dict[int, Any], asked: list[Query], seen: Seen, *, close: bool) -> None:
    found = answers(index, asked)
    seen.searches += len(asked)
    generation = index.generation
    seen.verdicts[f"{name}: {judged(found, expected.get(generation), asked)}"] += 1
    if close:
        index.close()
        seen.opened += 1
        if seen.generations and generation < seen.generations[-1]:
            seen.verdicts[f"{name}: wrong: generation {generation} after {seen.generations[-1]}"] += 1
        if generation not in seen.generations:
            seen.generations.append(generation)


def main() -> None:
    step, *paths = sys.argv[1:]
    if step == "build":
        build(Path(paths[0]), Path(paths[1]), int(paths[2]))
        return
    files = [Path(path) for path in paths]
    expected = {int(key): value for key, value in json.loads(files[1].read_text(encoding="utf-8")).items()}
    print(json.dumps(vars(read(files[0], expected, read_questions(files[2]), files[3]))))


if __name__ == "__main__":
    main()
