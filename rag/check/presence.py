"""Whether a text affirms what a sentence denies or denies what it affirms, and whether a structure is in order."""

from __future__ import annotations

from typing import Literal

from rag.check.lexicon import lexicon
from rag.check.reading import Statement, Term
from rag.check.stances import Others, Stance, meet

_EVERYWHERE = frozenset(
    "bone muscle vessel artery vein wall segment lobe pole joint nerve duct cortex lumen skin fat mucosa submucosa "
    "serosa capsule parenchyma stroma epithelium gland cartilage capillary follicle lobule orifice organ".split()
) | {"soft tissue"}
"""Structures that there are in many places."""


def denial_stance(mine: Term, said: Statement, others: Others) -> Stance | None:
    """By what is said of the presence of the same thing in the same place."""
    alike = [(each, other) for other in others for each in other.terms if _names_same(mine, each)]
    if any(each.denied == mine.denied for each, _ in alike):
        return "agrees"
    alike = [(each, other) for each, other in alike if not _inorder_stance(each, other)]
    if any(each.denied != mine.denied and _names_same(mine, each) for each in said.terms):
        return None  # the sentence says both, of two things
    return "differs" if any(_places_meet(mine, said, each, other) for each, other in alike) else None


def order_stance(place: Term, said: Statement, others: Others) -> Stance | None:
    """Whether a structure is in order, where the sentence says that it is or that something is found there."""
    mine = _state(place, said)
    if mine is None:
        return None
    alike = [
        (term, other) for other in others for term in other.terms if term.kind == "anatomy" and term.name == place.name
    ]
    theirs = {
        state
        for term, other in alike
        if (state := _state(term, other)) is not None and _sides_meet(place, said, term, other)
    }
    if not theirs:
        return None
    return "agrees" if mine in theirs else "differs"


def _state(place: Term, statement: Statement) -> Literal["normal", "found"] | None:
    """What a clause says of a structure; None where it says neither or both, or names another structure as well."""
    clause = [term for term in statement.terms if term.clause == place.clause]
    if {term.name for term in clause if term.kind == "anatomy"} - {place.name} - _EVERYWHERE:
        return None
    normal = any(term.name == "normal" and not term.denied for term in clause)
    found = any(term.kind == "finding" and not term.denied for term in clause)
    if normal == found:
        return None
    return "normal" if normal else "found"


def _inorder_stance(term: Term, statement: Statement) -> bool:
    """Whether a term is said to be as it should be: "the signal of the cord is normal" affirms no change of it."""
    return not term.denied and any(t.name == "normal" and t.clause == term.clause for t in statement.terms)


def _names_same(one: Term, other: Term) -> bool:
    """The same concept; or the denied one the broader: no lesion is no nodule."""
    if one.name == other.name:
        return one.kind == other.kind
    denied, affirmed = (one, other) if one.denied else (other, one)
    return denied.denied and not affirmed.denied and denied.name in lexicon().ancestors(affirmed.name)


def _places_meet(one: Term, said: Statement, other: Term, statement: Statement) -> bool:
    """Whether a denied and an affirmed thing may be in the same place, by what their clauses say of it."""
    mine, theirs = (
        frozenset(
            t.name
            for t in where.terms
            if t.kind == "anatomy" and t.clause == term.clause and t.name != term.name and t.name not in _EVERYWHERE
        )
        for term, where in ((one, said), (other, statement))
    )
    if mine and theirs and not meet(mine, theirs):
        return False
    one_way, other_way = (
        frozenset(t.name for t in where.terms if t.kind == "direction" and t.clause == term.clause)
        for term, where in ((one, said), (other, statement))
    )
    if any(lexicon().opposites.get(name, frozenset()) & other_way for name in one_way - other_way):
        return False
    return _sides_meet(one, said, other, statement)


def _sides_meet(one: Term, said: Statement, other: Term, statement: Statement) -> bool:
    """Whether two things may be on the same side, by what is said of theirs."""
    left = {side.name for side in said.sides if one.name in side.near | side.about}
    right = {side.name for side in statement.sides if other.name in side.near | side.about}
    return not left or not right or "both" in left | right or bool(left & right)
