"""Whether a text names another side of what a sentence names a side of."""

from __future__ import annotations

from math import sqrt

from rag.check.reading import Amount, Reading, Side
from rag.check.stances import AGREEING, SHOWN, Others, Stance, meet, of_kind, wide

ALIKE = 0.15
"""How much two sides or numbers must be of the same thing."""


def side_stance(mine: Side, whole: Reading, within: bool, others: Others) -> Stance | None:
    """By the side that is named of what is most alike; two that are as alike agree if one does.

    Two sentences of one text name two sides on purpose; but not of one finding. A side that the description names, too,
    of what is alike differs from none.
    """
    named = [side for other in others for side in other.sides if not side.denied]
    if within:
        rivals = [side for side in named if _same_finding(mine, side)]
    else:
        said = [side for side in whole.sides if side != mine]
        rivals = [side for side in named if side.name == mine.name or not any(_closer(side, own, mine) for own in said)]
    scored = [(alike(mine, side), side.name) for side in rivals]
    best = max((score for score, _ in scored), default=0.0)
    if best < ALIKE:
        return None
    closest = {name for score, name in scored if score >= AGREEING * best}
    agrees = mine.name in closest or "both" in closest or (mine.name == "both" and {"left", "right"} <= closest)
    return "agrees" if agrees else "differs"


def _closer(theirs: Side, own: Side, mine: Side) -> bool:
    """Whether another side of the description is the one that theirs is of."""
    return theirs.name == own.name and alike(theirs, own) > alike(theirs, mine)


def _same_finding(one: Side, other: Side) -> bool:
    return meet(*(of_kind(each.near | each.about, SHOWN) for each in (one, other)))


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
