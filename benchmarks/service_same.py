"""Whether the service's records are those of the command line."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any

OF_EACH = ("id", "timings_s")
"""What no two runs share."""
OF_RUN = ("together", "settings_sha256")
"""How many were described at once, and the digest that this is in."""
OF_SETTINGS = ("batch_size",)
"""How that was asked for: one by one of the command line."""
OF_MACHINE = ("threads",)
"""The service's processes share the cores that the command line has for itself."""
NEAR = 1e-3


class Same:
    """Compares records with those that the command line wrote, by the image's name. Safe from many threads."""

    def __init__(self, wanted: Mapping[str, dict[str, Any]]) -> None:
        self._wanted = {name: _bare(record) for name, record in wanted.items()}
        self._lock = threading.Lock()
        self.exact = self.near = 0
        self.different: Counter[str] = Counter()

    def check(self, name: str, record: dict[str, Any]) -> None:
        """One more. What differs is counted by where it stands, with the first two values as they are."""
        found = list(_differences("", self._wanted[name], _bare(record)))
        apart = [text for text, near in found if not near]
        with self._lock:
            if apart:
                self.different[f"{name}: {apart[0]}"] += 1
            elif found:
                self.near += 1
            else:
                self.exact += 1

    def told(self) -> dict[str, Any]:
        """How many are the same to the last digit, the same but for numbers within 1e-3, and different."""
        return {
            "exactly": self.exact,
            "numbers_within_0.001": self.near,
            "different": self.different.total(),
            "how": dict(self.different.most_common(10)),
        }


def _bare(record: Mapping[str, Any]) -> dict[str, Any]:
    run = _without(record["run"], OF_RUN)
    run["settings"], run["machine"] = _without(run["settings"], OF_SETTINGS), _without(run["machine"], OF_MACHINE)
    return {**_without(record, OF_EACH), "run": run}


def _without(value: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: kept for key, kept in value.items() if key not in keys}


def _differences(where: str, wanted: Any, found: Any) -> list[tuple[str, bool]]:
    """`(what differs, whether both are numbers near each other)`."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        keys = sorted({*wanted, *found})
        return [d for key in keys for d in _differences(f"{where}.{key}", wanted.get(key), found.get(key))]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            d for n, pair in enumerate(zip(wanted, found, strict=True)) for d in _differences(f"{where}[{n}]", *pair)
        ]
    if wanted == found:
        return []
    near = isinstance(wanted, float) and isinstance(found, float) and abs(wanted - found) <= NEAR
    return [(f"{where}: {str(wanted)[:60]!r} is {str(found)[:60]!r}", near)]
