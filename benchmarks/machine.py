"""What a measurement was made on and with; every result file carries it.

Scripts here import it before any package of the house, because it puts the root first on the path: Python puts the
script's own folder there, where `pocket` is a script and not the package.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
PACKAGES = ("torch", "transformers", "open-clip-torch", "sentence-transformers", "faiss-cpu", "langchain-core", "numpy")


def recipe() -> dict[str, Any]:
    """Command, date, commit, versions and machine."""
    return {
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "machine": {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "system": f"{platform.system()} {platform.machine()}",
        },
    }


def save(name: str, results: dict[str, Any]) -> Path:
    """Writes `benchmarks/NAME.json`: the recipe, then the results."""
    path = ROOT / "benchmarks" / f"{name}.json"
    path.write_text(json.dumps({"recipe": recipe(), **results}, indent=1) + "\n")
    return path


def peak_mib() -> float:
    """MiB of memory this process has had at most. `ru_maxrss` would begin with what its parent had."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def _commit() -> str:
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
