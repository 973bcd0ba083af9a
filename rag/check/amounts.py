"""Whether a text gives another number of what a sentence counts or measures."""

from __future__ import annotations

import re

from rag.check.reading import Amount, Reading, Statement
from rag.check.sides import ALIKE, alike
from rag.check.stances import Others, Stance

_LEANS = re.compile(r"^(?:it|this|that|they|at|from|with) ", re.IGNORECASE)
"""A sentence that begins so goes on about what the one before was about."""


def number_stance(mine: Amount, said: Statement, whole: Reading, within: bool, others: Others) -> Stance | None:
    """A number that the others do not give, where they give one of that unit, of the same thing, that differs."""
    unit = mine.quantity.unit
    theirs = [each for other in others for each in other.amounts if each.quantity.unit == unit]
    beside = [each.quantity for each in (said if within else whole).amounts if each.quantity.unit == unit]
    if any(mine.quantity.agrees(each.quantity) for each in theirs):
        return "agrees"
    if within:
        if any(own.agrees(each.quantity) for own in beside for each in theirs):
            return "agrees"  # "three of the five neutrophils"
        leaning = unit and any(_LEANS.search(each.text) for each in (said, *others))
        theirs = [each for each in theirs if leaning or alike(mine, each) >= ALIKE]
    else:
        own = [each for each in beside if not any(each.agrees(other.quantity) for other in theirs)]
        theirs = [each for each in theirs if not any(each.quantity.agrees(other) for other in beside)]
        only = unit and len(theirs) == 1 and len(own) == 1
        theirs = [each for each in theirs if only or _of_one_thing(mine, each)]
    return "differs" if theirs else None


def _of_one_thing(mine: Amount, other: Amount) -> bool:
    """Whether two numbers may be of the same thing; where things are counted, they are named right beside both."""
    if not mine.quantity.unit:
        apart = mine.near and other.near and not mine.near & other.near
        return not apart and alike(mine, other) >= ALIKE
    return alike(mine, other) > 0
