"""Whether a text names another side of what a sentence names a side of."""

from __future__ import annotations

import re
from math import sqrt

from rag.check.reading import Amount, Reading, Side, Statement
from rag.check.stances import EVERYWHERE, Others, Stance, meet, of_kind, wide

ALIKE = 0.15
"""How much two sides or numbers must be of the same thing."""
_AS_ALIKE = 0.95
"""Sides whose likeness is this share of the best one's are as alike."""
_MAY_BE = 0.75
"""Another side of a description is taken for the one that a text names if it is so much as alike."""
_SPECIMEN = re.compile(
    r"\b(?:sections?|specimen|biopsy|biopsies|histology|histopathology|smear|aspirate)\b", re.IGNORECASE
)
_COMPARES = re.compile(
    r"\b(?:contralateral|opposite|compar\w+|other|control|whereas|respectively|uninjured)\b", re.IGNORECASE
)
_TREATED = frozenset(
    {"fixation", "plate", "screw", "implant", "stent", "tube", "catheter", "drain", "injury", "trauma"}
)
"""Findings that are no finding of their own: what was done about one."""


def side_stance(mine: Side, whole: Reading, others: Others) -> Stance | None:
    """By the side that another text names of what is most alike; two that are as alike agree if one does.

    A side that the description names, too, of what is alike differs from none.
    """
    named = [side for other in others for side in other.sides if not side.denied]
    said = [side for side in whole.sides if side != mine]
    rivals = [side for side in named if side.name == mine.name or not any(_closer(side, own, mine) for own in said)]
    scored = [(alike(mine, side), side.name) for side in rivals]
    best = max((score for score, _ in scored), default=0.0)
    if best < ALIKE:
        return None
    closest = {name for score, name in scored if score >= _AS_ALIKE * best}
    agrees = mine.name in closest or "both" in closest or (mine.name == "both" and {"left", "right"} <= closest)
    return "agrees" if agrees else "differs"


def own_side_stance(mine: Side, said: Statement, others: Others) -> Stance | None:
    """By the other sentences of one text, which name two sides on purpose; but not of one finding or one picture."""
    if mine.name == "both":
        return None
    stances = {_own_stance(mine, said, side, other) for other in others for side in other.sides if not side.denied}
    return "agrees" if "agrees" in stances else "differs" if "differs" in stances else None


def _own_stance(mine: Side, said: Statement, side: Side, other: Statement) -> Stance | None:
    if side.name != mine.name and _other_amounts(said, other):
        return None  # what differs in size as well as in side is another one
    one_finding = _same_finding(mine, side) and (alike(mine, side) >= ALIKE or _goes_on(said) or _goes_on(other))
    if not (one_finding or _of_one_picture(said, other) or _of_one_structure(mine, said, side, other)):
        return None
    return "agrees" if side.name in (mine.name, "both") else "differs"


def _other_amounts(said: Statement, other: Statement) -> bool:
    """Whether two sentences give numbers of one unit, of which none agree."""
    pairs = [
        mine.quantity.agrees(theirs.quantity)
        for mine in said.amounts
        for theirs in other.amounts
        if mine.quantity.unit == theirs.quantity.unit
    ]
    return bool(pairs) and not any(pairs)


def _goes_on(statement: Statement) -> bool:
    """Whether a sentence is of a finding spoken of before."""
    return any(term.definite and term.kind == "finding" for term in statement.terms)


def _of_one_picture(said: Statement, other: Statement) -> bool:
    """Whether one of two sentences only says which picture it is, so that its side is that of all that is shown."""
    for picture, shown in ((said, other), (other, said)):
        names_it = picture.names("modality") or _SPECIMEN.search(picture.text)
        places = [statement.names("anatomy") for statement in (picture, shown)]
        if names_it and not picture.names("finding") and _one_sided(said, other) and meet(*places):
            return True
    return False


def _of_one_structure(mine: Side, said: Statement, side: Side, other: Statement) -> bool:
    """Whether two sides are of the same structure, in which one of two sentences finds nothing of its own."""
    shared = of_kind(mine.near & side.near, ("anatomy",))
    nothing = not (said.names("finding") - _TREATED) or not (other.names("finding") - _TREATED)
    return bool(shared) and nothing and _one_sided(said, other)


def _one_sided(*statements: Statement) -> bool:
    """Whether each names one side, without a denial, and none compares."""
    return all(
        len({side.name for side in each.sides}) == 1
        and not any(side.denied for side in each.sides)
        and not any(term.denied or term.name == "normal" for term in each.terms)
        and not _COMPARES.search(each.text)
        for each in statements
    )


def _closer(theirs: Side, own: Side, mine: Side) -> bool:
    """Whether another side of the description may be the one that theirs is of."""
    return theirs.name == own.name and alike(theirs, own) >= _MAY_BE * alike(theirs, mine)


def _same_finding(one: Side, other: Side) -> bool:
    return meet(*(of_kind(each.near | each.about, ("finding", "cell", "stain")) for each in (one, other)))


def apart(one: Statement, other: Statement) -> bool:
    """Whether two statements of one text are of two structures, or of the two sides of one."""
    sides = [{side.name for side in each.sides} for each in (one, other)]
    places = [each.names("anatomy") - EVERYWHERE for each in (one, other)]
    if all(sides) and not sides[0] & sides[1] and "both" not in sides[0] | sides[1]:
        return True
    return all(places) and not meet(*places)


def alike(one: Side | Amount, other: Side | Amount) -> float:
    """How much two sides or numbers are of the same thing, 0 to 1; what is near them counts more than what is about."""
    mine, theirs = one.near | one.about, other.near | other.about
    if not mine or not theirs:
        return 0.0
    if one.near and other.near and not _named_by(one.near, theirs) and not _named_by(other.near, mine):
        return 0.0
    weights = {name: 1.0 + (name in one.near) + (name in other.near) for name in mine | theirs}
    shared = {name for name in mine if name in wide(theirs)} | {name for name in theirs if name in wide(mine)}
    return sum(weights[name] for name in shared) / sqrt(
        sum(weights[name] for name in mine | shared) * sum(weights[name] for name in theirs | shared)
    )


def _named_by(near: frozenset[str], names: frozenset[str]) -> bool:
    """Whether names hold one of those near a place, or of its findings one that is the narrower or the broader."""
    findings = [of_kind(each, ("finding", "cell")) for each in (near, names)]
    return bool(near & names) or meet(*findings)
