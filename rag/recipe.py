"""How a result was made: command, date, versions, machine."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rag.secrets import without_secrets
from vlm.cost.machine import machine, versions

PACKAGES = (
    "lumenscribe", "torch", "transformers", "open-clip-torch", "sentence-transformers", "faiss-cpu", "langchain-core",
    "scikit-learn", "numpy",
)  # fmt: skip


def recipe() -> dict[str, Any]:
    """As plain JSON values."""
    return {
        "command": command(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions(PACKAGES),
        "machine": machine(),
    }


def command() -> str:
    """The command of this process, without the secrets of addresses in it."""
    return without_secrets(shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]))
