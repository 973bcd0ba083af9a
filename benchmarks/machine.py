"""What a measurement was made on and with; every result file carries it.

Scripts here import it before any package of the house, because it puts the root first on the path: Python puts the
script's own folder there, where `pocket` is a script and not the package.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from vlm.cost.machine import machine, peak_mib, versions  # noqa: E402 - found on the path just set

__all__ = ["ROOT", "peak_mib", "recipe", "save", "saved"]
PACKAGES = ("torch", "transformers", "open-clip-torch", "sentence-transformers", "faiss-cpu", "langchain-core", "numpy")


def recipe(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Command, date, commit, versions of `packages` and machine."""
    return {
        "command": " ".join(["python", *sys.argv]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "versions": versions(packages),
        "machine": machine(),
    }


def save(name: str, results: dict[str, Any]) -> Path:
    """Writes `benchmarks/NAME.json`: the recipe, then the results."""
    path = _file(name)
    path.write_text(json.dumps({"recipe": recipe(), **results}, indent=1) + "\n")
    return path


def saved(name: str) -> dict[str, Any]:
    """What `benchmarks/NAME.json` holds; empty where there is none."""
    path = _file(name)
    held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return held


def _file(name: str) -> Path:
    return ROOT / "benchmarks" / f"{name}.json"


def _commit() -> str:
    """Empty for a copy of the files alone, or where there is no git."""
    if shutil.which("git") is None:
        return ""
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()
