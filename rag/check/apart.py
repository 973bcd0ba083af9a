"""Which names exclude each other.

Opposites and members of a family do (`configs/checks/words.yaml`), words that are the same but for how they begin
(hyper-, hypo-) or for their number (CD3, CD20), and names that are the same but for one such word: the middle, the
posterior cerebral artery.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rag.check.lexicon import lexicon

_NUMBERED = re.compile(r"([a-z]+)\d+", re.IGNORECASE)


@lru_cache(maxsize=65_536)
def apart(one: str, other: str) -> bool:
    """Whether what has one name cannot have the other."""
    mine, theirs = one.split(), other.split()
    differing = [pair for pair in zip(mine, theirs, strict=False) if pair[0] != pair[1]]
    but_one = len(mine) == len(theirs) and len(differing) == 1
    return one != other and (_exclude(one, other) or (but_one and _exclude(*differing[0])))


def _exclude(one: str, other: str) -> bool:
    words = lexicon()
    return (
        other in words.opposites.get(one, ())
        or any({one, other} <= family for family in words.families)
        or _but_for_number(one, other)
        or not _rests(one).isdisjoint(_rests(other))
    )


def _but_for_number(one: str, other: str) -> bool:
    mine, theirs = _NUMBERED.fullmatch(one), _NUMBERED.fullmatch(other)
    return mine is not None and theirs is not None and mine[1].lower() == theirs[1].lower()


@lru_cache(maxsize=65_536)
def _rests(name: str) -> frozenset[tuple[int, str]]:
    """What follows the beginnings that tell words apart (hyper-, hypo-), with the number of their kind."""
    return frozenset(
        (kind, name.removeprefix(each))
        for kind, prefixes in enumerate(lexicon().prefixes)
        for each in prefixes
        if name.startswith(each)
    )
