"""What is freed in a process of the service goes back to the system while it runs."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HELD = """
import sys, time
from pathlib import Path
import numpy as np
from service import freed

def mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

before = mib()
pieces = [np.ones(8_000) for _ in range(4_000)]  # 64 kB each: below what the allocator maps by itself
kept = pieces[::40]  # what is freed lies between what is not
del pieces
full = mib()
freed.EVERY_S = 0.05
if sys.argv[1] == "gives back":
    giving = freed.GivesBack()
for _ in range(100):
    time.sleep(0.05)
    if mib() - before < (full - before) / 4:
        break
print(full - before, mib() - before, len(kept))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep nothing")
def test_freed_memory_goes_back_and_would_not_by_itself() -> None:
    held, left = _held_and_left("gives back")
    assert held > 200
    assert left < held / 4
    held, left = _held_and_left("does not")
    assert left > held / 2


def _held_and_left(how: str) -> tuple[float, float]:
    """MiB before and after."""
    done = subprocess.run([sys.executable, "-c", HELD, how], cwd=ROOT, capture_output=True, text=True, check=True)
    held, left, _ = map(float, done.stdout.split())
    return held, left
