"""Whether a text gives another number of what a sentence counts or measures."""

from __future__ import annotations

import re
from collections.abc import Sequence

from rag.check.numbers import Quantity
from rag.check.reading import Amount, Reading, Statement
from rag.check.sides import ALIKE, alike, apart
from rag.check.stances import Others, Stance, meet

_LEANS = re.compile(
    r"^(?:it|this|that|they|at|from|with) |\b(?:it|which) (?:is|was|measure[sd]?|has|had)\b|"
    r"\b(?:its|the|having a|a) (?:maxim\w+ )?(?:diameter|width|length|size|height|thickness|gap|interval|"
    r"circumference)\b",
    re.IGNORECASE,
)
"""A sentence that says so goes on about what the one before was about."""
_SCALE = re.compile(r"\b(?:scale?|bars?)\b", re.IGNORECASE)
"""The length of a scale bar is of nothing that is shown."""
_DIMENSIONS = {
    "across": re.compile(r"\b(?:measur\w+|diameter|across|wide|width|size|caliber|calibre)\b", re.IGNORECASE),
    "along": re.compile(r"\b(?:long|length)\b", re.IGNORECASE),
    "through": re.compile(r"\b(?:thick\w*|wall|walls)\b", re.IGNORECASE),
    "between": re.compile(
        r"\b(?:distance|deep|depth|apart|above|below|beyond|from|retract\w+|displace\w*)\b", re.IGNORECASE
    ),
}
"""Which way a length is measured, by the words for it."""


def number_stance(mine: Amount, said: Statement, whole: Reading, within: bool, others: Others) -> Stance | None:
    """A number that the others do not give, where they give one of that unit, of the same thing, that differs."""
    if not within and _SCALE.search(" ".join(mine.near)):
        return None
    theirs = [each for other in others for each in other.amounts if each.quantity.unit == mine.quantity.unit]
    parts = _parts_held(mine, theirs)
    if parts == len(mine.quantity.values) or (not parts and any(mine.quantity.agrees(t.quantity) for t in theirs)):
        return "agrees"
    if parts and len(theirs) >= len(mine.quantity.values):  # "grew from 4 to 6 mm", of 4 and 9 mm
        return "differs"
    beside = [a.quantity for a in (said if within else whole).amounts if a.quantity.unit == mine.quantity.unit]
    if within:
        return _stance_within(mine, said, beside, others, theirs)
    theirs = [each for each in theirs if not (each.definite and not each.quantity.unit)]
    if mine.definite and not mine.quantity.unit and mine.quantity.values == (2.0,):
        return None
    own = [each for each in beside if not any(each.agrees(other.quantity) for other in theirs)]
    theirs = [each for each in theirs if not any(each.quantity.agrees(other) for other in beside)]
    only = mine.quantity.unit and len(theirs) == 1 and len(own) == 1
    return "differs" if any(only or _of_one_thing(mine, each) for each in theirs) else None


def _parts_held(mine: Amount, theirs: Sequence[Amount]) -> int:
    """How many of several numbers others give, each as one; 0 for a range or a single number."""
    if mine.quantity.span or len(mine.quantity.values) < 2:
        return 0
    single = [each.quantity for each in theirs if len(each.quantity.values) == 1]
    return sum(any(Quantity((v,), mine.quantity.unit).agrees(each) for each in single) for v in mine.quantity.values)


def _stance_within(
    mine: Amount, said: Statement, beside: Sequence[Quantity], others: Others, theirs: Sequence[Amount]
) -> Stance | None:
    """By the other sentences of one text, which may give two numbers of two things on purpose."""
    others = [each for each in others if not _SCALE.search(each.text) and not apart(said, each)]
    if _SCALE.search(said.text) or mine.quantity.unit == "o'clock":
        return None
    if not mine.quantity.unit and mine.definite:
        counted = [each for each in theirs if each in _counts(others) and _may_be_counted(mine, each)]
        return "differs" if counted else None
    if any(own.agrees(each.quantity) for own in beside for each in theirs):
        return "agrees"  # "three of the five neutrophils"
    if mine.quantity.unit == "mm":
        others = [each for each in others if _one_dimension(said, each)]
    theirs = [each for other in others for each in other.amounts if each.quantity.unit == mine.quantity.unit]
    leaning = (
        mine.quantity.unit not in ("", "days", "age")
        and len(theirs) == 1
        and any(_LEANS.search(each.text) for each in (said, *others))
    )
    if not mine.quantity.unit:  # of two numbers of one text, only those of things that are named the same
        theirs = [each for each in theirs if each.definite or meet(mine.near, each.near)]
    return "differs" if any(leaning or alike(mine, each) >= ALIKE for each in theirs) else None


def _counts(others: Others) -> list[Amount]:
    """Counts of several things that are named for the first time."""
    amounts = (amount for other in others for amount in other.amounts)
    return [a for a in amounts if not a.quantity.unit and not a.definite and a.near and min(a.quantity.values) > 1]


def _may_be_counted(mine: Amount, other: Amount) -> bool:
    """Whether what "the two" counts is what was counted: the same thing, or either is not named."""
    return not mine.near or not other.near or meet(mine.near, other.near | other.about)


def _one_dimension(one: Statement, other: Statement) -> bool:
    """Whether the lengths of two sentences may be measured the same way."""
    mine, theirs = ({name for name, said in _DIMENSIONS.items() if said.search(each.text)} for each in (one, other))
    return not mine or not theirs or bool(mine & theirs)


def _of_one_thing(mine: Amount, other: Amount) -> bool:
    """Whether two numbers may be of the same thing; where things are counted, they are named right beside one."""
    if not mine.quantity.unit:
        apart = mine.near and other.near and not mine.near & (other.near | other.about)
        return not apart and alike(mine, other) >= ALIKE
    return alike(mine, other) > 0
