"""What differs between two records of how something was made: nested values, compared under dotted keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs import flattened

ABSENT = "not there"
"""Said of a value that only the other has."""


@dataclass(frozen=True)
class Change:
    """A value that differs: its dotted key, as it was and as it is; ABSENT where one has none."""

    key: str
    was: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key} was {self.was}, is {self.now}"


def changes(was: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """What differs, however deep, in the order of the keys."""
    before, after = flattened(was), flattened(now)
    return [
        Change(key, before.get(key, ABSENT), after.get(key, ABSENT))
        for key in before | after
        if key not in before or key not in after or before[key] != after[key]
    ]
