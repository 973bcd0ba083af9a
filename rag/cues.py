"""What a cue is. The lists of them are in `cues_english` and `cues_other`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Family = Literal[
    "override", "order", "payload", "meta", "absolute", "person", "model", "reveal", "frame", "ruler", "rule", "polite",
    "channel", "marker", "role", "reader",
]  # fmt: skip
AMPLIFIERS: frozenset[Family] = frozenset({"meta", "absolute", "payload", "ruler", "reader"})
"""Families that say nothing without one of the others."""


@dataclass(frozen=True)
class Cue:
    """A pattern, what it weighs, and the family in which only the heaviest counts."""

    family: Family
    weight: float
    pattern: re.Pattern[str]


def cue(family: Family, weight: float, *parts: str) -> Cue:
    """A cue whose pattern is written in parts."""
    return Cue(family, weight, re.compile("".join(parts)))
