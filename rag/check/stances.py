"""What a text says of a point of a sentence, and how names are compared for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Literal

from rag.check.lexicon import Kind, lexicon
from rag.check.reading import Statement

Stance = Literal["agrees", "differs"]
"""None, beside it, is of a text that is silent."""
Others = Sequence[Statement]
SHOWN: tuple[Kind, ...] = ("finding", "cell", "stain", "word")
AGREEING = 0.75
"""A text that agrees outweighs one that differs if it is about the same things to this share of the other's degree."""

EVERYWHERE = frozenset(
    "bone muscle vessel artery vein wall segment lobe pole nerve duct cortex lumen skin fat mucosa submucosa "
    "serosa capsule parenchyma stroma epithelium gland cartilage capillary follicle lobule orifice organ".split()
) | {"soft tissue"}
"""Structures that there are in many places."""


def stance_of(mine: frozenset[str], theirs: frozenset[str]) -> Stance | None:
    """Whether two sets of names have one in common; silent where the other has none.

    Of a picture in two planes, each names the one that the other does not.
    """
    if not theirs:
        return None
    return "agrees" if mine & theirs and not (mine - theirs and theirs - mine) else "differs"


def meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets name the same thing, or one the narrower of it."""
    return bool(one & wide(other)) or bool(other & wide(one))


def wide(names: Iterable[str]) -> frozenset[str]:
    """Names and all that is broader than they are."""
    return _wide(frozenset(names))


def told(names: Iterable[str]) -> frozenset[str]:
    """Names, what they are made of, and all that is broader than these are."""
    return _told(frozenset(names))


@lru_cache(maxsize=8192)
def _wide(names: frozenset[str]) -> frozenset[str]:
    words = lexicon()
    return names | {wider for name in names for wider in words.ancestors(name)}


@lru_cache(maxsize=8192)
def _told(names: frozenset[str]) -> frozenset[str]:
    made_of = lexicon().made_of
    return _wide(names | {part for name in _wide(names) for part in made_of.get(name, ())})


def of_kind(names: frozenset[str], kinds: tuple[Kind, ...]) -> frozenset[str]:
    """Those of some kinds."""
    words = lexicon()
    return frozenset(name for name in names if words.kind_of(name) in kinds)


def names_of(statements: Others, *kinds: Kind, denied: bool = False) -> frozenset[str]:
    """The names that statements affirm, or deny, of some kinds."""
    return frozenset().union(*(statement.names(*kinds, denied=denied) for statement in statements))
