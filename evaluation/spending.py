"""What it costs to describe images, noted while it is done: seconds, memory at its peak, energy."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from evaluation.lines import mend
from vlm.cost.energy import joules
from vlm.cost.machine import forget_peak, peak_mib


@dataclass
class Spent:
    """How many images were done so far."""

    images: int = 0


@contextmanager
def spending(file: Path) -> Iterator[Spent]:
    """Adds a line to `file`: how many images, seconds, peak MiB of the process and of the GPU, joules where told.

    What is done in here counts the images. Interrupted, it notes those that were done; nothing where none was.
    """
    forget_peak()
    _forget_gpu_peak()
    spent = Spent()
    started, before = perf_counter(), joules()
    try:
        yield spent
    finally:
        if spent.images:
            _note(file, spent.images, perf_counter() - started, before)


def _note(file: Path, images: int, seconds: float, before: Mapping[str, float]) -> None:
    after = joules()
    line: dict[str, Any] = {"images": images, "seconds": round(seconds, 6), "peak_mib": round(peak_mib(), 1)}
    gpu = _gpu_mib()
    if gpu is not None:
        line["gpu_peak_mib"] = gpu
    # A counter that began anew meanwhile says nothing.
    grown = {name: after[name] - value for name, value in before.items() if after.get(name, 0) > value}
    if grown:
        line["joules"] = {name: round(value, 3) for name, value in grown.items()}
    mend(file)
    with file.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(line) + "\n")


def _forget_gpu_peak() -> None:
    """Lets the GPU's peak begin anew: a process may describe with one model after the other."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        for device in range(torch.cuda.device_count()):
            torch.cuda.reset_peak_memory_stats(device)


def _gpu_mib() -> float | None:
    """MiB that torch has had at most on GPUs, None where it uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    total: float = sum(torch.cuda.max_memory_allocated(device) for device in range(torch.cuda.device_count()))
    return round(total / 2**20, 1)
