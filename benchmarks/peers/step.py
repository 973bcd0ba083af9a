"""One step of one store, in a process of its own: what is timed, and how. Knows no store.

    PYTHON STORE.py STEP INPUTS STORE [SETTING]

`INPUTS` is a folder with `vectors/vectors.npy` float32 `(n, dim)`, `texts.jsonl` (a line a vector: id, title, text),
and for asking `queries.npy` `(m, dim)` and `queries.jsonl` (a text a line). `STORE` is where the store is or is to be.
The steps are `imports` (nothing but the imports of the step that SETTING names), `build`, `open` (to the first
answer), `ask` (all queries, one after the other) and `save` (every second passage saved over the store, killed
half-way through the vectors' file).
Prints one line of JSON; `peak_mib` is the kernel's VmHWM, which begins at 0 with the program (`ru_maxrss` does not: a
child's begins with its parent's). Needs NumPy only, so that every peer's interpreter can run it.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

K = 10
WARM_UP = 5

Found = Sequence[tuple[str, "str | None"]]
"""Ids and texts of what a query found, best first; no texts where a store has none."""


@dataclass(frozen=True)
class Inputs:
    """The folder every store is built from and asked with."""

    folder: Path

    def vectors(self, *, mapped: bool = False) -> Any:
        """float32 `(n, dim)`."""
        return np.load(self.folder / "vectors" / "vectors.npy", mmap_mode="r" if mapped else None)

    def records(self) -> list[dict[str, str]]:
        """Id, title and text of each vector."""
        with (self.folder / "texts.jsonl").open(encoding="utf-8") as lines:
            return [json.loads(line) for line in lines]

    def queries(self) -> list[tuple[Any, str]]:
        """Vector `(dim,)` and text of each query."""
        texts = (self.folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
        return list(zip(np.load(self.folder / "queries.npy"), map(json.loads, texts), strict=True))


@dataclass(frozen=True)
class Store:
    """What a store does. `imports` takes the step that they are for, `build` and `open` the inputs, the store's folder
    and a setting; `build` gives what is to be said of it. `save` saves half a store over the whole, and is killed.
    """

    imports: Callable[[str], None]
    build: Callable[[Inputs, Path, str], dict[str, Any]]
    open: Callable[[Inputs, Path, str], Callable[[Any, str], Found]]
    save: Callable[[Inputs, Path], None]


def main(store: Store) -> None:
    step, inputs, folder, setting = [*sys.argv[1:], ""][:4]
    given, start = Inputs(Path(inputs)), perf_counter()
    store.imports(setting if step == "imports" else step)
    found: dict[str, Any] = {"seconds": perf_counter() - start}
    if step == "build":
        start = perf_counter()
        said = store.build(given, Path(folder), setting)
        found = {"seconds": perf_counter() - start, **said}
        found["mib_on_disk"] = sum(f.stat().st_size for f in Path(folder).rglob("*") if f.is_file()) / 2**20
    elif step == "open":
        first = given.queries()[0]
        start = perf_counter()
        answer = store.open(given, Path(folder), setting)(*first)
        found = {"seconds": perf_counter() - start, "found": len(answer)}
    elif step == "ask":
        found = asked(store.open(given, Path(folder), setting), given.queries())
    elif step == "save":
        store.save(given, Path(folder))
        raise SystemExit("the save was to be killed, and was not")
    print(json.dumps({**found, "peak_mib": peak_mib()}))


def asked(search: Callable[[Any, str], Found], queries: list[tuple[Any, str]]) -> dict[str, Any]:
    """Milliseconds a query, one after the other; what each found."""
    for vector, text in queries[:WARM_UP]:
        search(vector, text)
    taken, ids, texts = [], [], True
    for vector, text in queries:
        start = perf_counter()
        answer = search(vector, text)
        taken.append((perf_counter() - start) * 1e3)
        ids.append([id_ for id_, _ in answer])
        texts = texts and all(said for _, said in answer)
    return {"p50_ms": statistics.median(taken), "p95_ms": float(np.percentile(taken, 95)), "texts": texts, "ids": ids}


def durable(folder: Path) -> float:
    """Makes a folder's files survive a power cut, where the store has not; seconds."""
    start = perf_counter()
    for path in [*filter(Path.is_file, folder.rglob("*")), folder]:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
    return perf_counter() - start


def killed_half_way(file: Path) -> None:
    """As if the process had been killed while it wrote this file: half of it is there."""
    os.truncate(file, file.stat().st_size // 2)
    os.kill(os.getpid(), signal.SIGKILL)


def peak_mib() -> float:
    """The most memory this process has held at a time, files it has mapped and read included."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise OSError("/proc/self/status: no VmHWM")
