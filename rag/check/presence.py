"""Whether a text affirms what a sentence denies or denies what it affirms, and whether a structure is in order."""

from __future__ import annotations

import re
from typing import Literal

from rag.check.lexicon import lexicon
from rag.check.reading import Reading, Statement, Term
from rag.check.stances import EVERYWHERE, Others, Stance, meet

_ORDINARY = frozenset(
    "enhancement uptake flow fluid air aeration bile feces hyperintense hypointense isointense hyperdense hypodense "
    "isodense hypoechoic hyperechoic isoechoic anechoic radiopaque radiolucent pregnancy variant septum pain trauma "
    "artifact symptom".split()
) | {"cerebrospinal fluid", "flow void", "acoustic shadow"}
"""Findings that there are in what is in order."""


_UNDENIED = frozenset({"recurrence", "change"})
"""Words of time, which deny themselves where they deny something."""
_THE_OTHER = re.compile(r"\b(?:the other|contralateral|opposite|remaining|rest of)\b", re.IGNORECASE)
"""Words for what a text is not about."""
_GONE = re.compile(r"\b(?:heal|clos|resolv|regress|disappear|vanish|clear)(?:ed|ing)\b", re.IGNORECASE)
"""By which a text says of what it names that it is there no longer."""
_OUT_OF_ORDER = frozenset("abnormal lesion tumor disease invasion anomaly".split())
"""What is in order where one of these is denied."""


def denial_stance(mine: Term, said: Statement, whole: Reading | None, others: Others) -> Stance | None:
    """By what is said of the presence of the same thing in the same place.

    `whole` is the text that a sentence is held against the rest of; None where others are of another text.
    """
    if mine.name in _UNDENIED or mine.open:
        return None
    alike = [(each, other) for other in others for each in other.terms if not each.open and _names_same(mine, each)]
    alike = [(each, other) for each, other in alike if each.denied or not _GONE.search(other.text)]
    if not alike and whole is None and not (mine.denied and mine.kind == "finding"):
        return None
    if mine.kind in ("quality", "anatomy"):
        alike = [(each, other) for each, other in alike if _same_holder(mine, said, each, other)]
    met = [(each, other) for each, other in alike if _places_meet(mine, said, each, other, whole is not None)]
    if any(each.denied == mine.denied for each, _ in met):
        return "agrees"
    if mine.denied and mine.kind == "finding" and whole is None and _in_order_there(mine, said, others):
        return "agrees"
    if whole is not None and _taken_up(mine, said, whole, others):
        return "differs"
    if any(each.denied != mine.denied and _names_same(mine, each) for each in said.terms):
        return None  # the sentence says both, of two things
    return "differs" if any(not _in_order(each, other) for each, other in met) else None


def _same_holder(mine: Term, said: Statement, other: Term, statement: Statement) -> bool:
    """Whether a quality is of the same thing; whether the structure that is there is only said to be there."""
    if mine.kind == "quality":
        return meet(_holders(mine, said), _holders(other, statement))
    there, where = (other, statement) if mine.denied else (mine, said)
    return not any(t.kind == "finding" and not t.denied and t.phrase == there.phrase for t in where.terms)


def _in_order_there(mine: Term, said: Statement, others: Others) -> bool:
    """Whether the structures in which something is denied are said to be in order."""
    places = {t.name for t in said.terms if t.kind == "anatomy" and t.phrase == mine.phrase}
    return any(t.name in places and _state(t, other) == "normal" for other in others for t in other.terms)


def _taken_up(mine: Term, said: Statement, whole: Reading, others: Others) -> bool:
    """Whether one text denies a thing and goes on about it: "no pericardial effusion", then "the effusion"."""
    for other in others:
        for each in other.terms:
            affirmed, denied = (each, mine) if mine.denied else (mine, each)
            first, then = (said, other) if mine.denied else (other, said)
            if _takes_up(affirmed, denied) and whole.statements.index(first) < whole.statements.index(then):
                introduced = (t for s in whole.statements for t in s.terms if t.name == affirmed.name)
                return not any(not t.denied and not t.definite for t in introduced)
    return False


def opposite_stance(mine: Term, said: Statement, others: Others) -> Stance | None:
    """By what is said of the same thing with the opposite word: intact and torn, small and large."""
    opposites = lexicon().opposites.get(mine.name, frozenset())
    about = _holders(mine, said)
    if mine.denied or not about or any(each.name in opposites for each in said.terms):
        return None
    theirs = [
        (each, other)
        for other in others
        for each in other.terms
        if not each.denied and (each.name == mine.name or each.name in opposites) and about & _holders(each, other)
    ]
    if any(each.name == mine.name for each, _ in theirs):
        return "agrees"
    return "differs" if any(_places_meet(mine, said, each, other) for each, other in theirs) else None


def _holders(term: Term, statement: Statement) -> frozenset[str]:
    """Of what a quality is: the things that its phrase names, or its clause where the phrase names none."""
    things = [t for t in statement.terms if t.kind in ("anatomy", "finding", "cell") and t.name != term.name]
    near = frozenset(t.name for t in things if t.phrase == term.phrase)
    return near or frozenset(t.name for t in things if t.clause == term.clause)


def _takes_up(affirmed: Term, denied: Term) -> bool:
    """Whether a thing spoken of before is one that is said not to be there."""
    return (
        denied.denied
        and not affirmed.denied
        and affirmed.definite
        and affirmed.kind == denied.kind == "finding"
        and (affirmed.name == denied.name or affirmed.name in lexicon().ancestors(denied.name))
    )


def order_stance(place: Term, said: Statement, within: bool, others: Others) -> Stance | None:
    """Whether a structure is in order, where the sentence says that it is or that something is found there.

    Of one text (`within`), "the right kidney" is not the one of a sentence that names no side.
    """
    mine = _state(place, said)
    if mine is None or _THE_OTHER.search(said.text):
        return None
    alike = [
        (term, other) for other in others for term in other.terms if term.kind == "anatomy" and term.name == place.name
    ]
    theirs = {
        state
        for term, other in alike
        if (state := _state(term, other)) is not None
        and _sides_meet(place, said, term, other)
        and not (within and bool(_sides_of(place, said)) != bool(_sides_of(term, other)))
    }
    if not theirs:
        return None
    return "agrees" if mine in theirs else "differs"


def _state(place: Term, statement: Statement) -> Literal["normal", "found"] | None:
    """What is said of a structure by its phrase or, where that says nothing, its clause.

    None where that says neither or both, or names another structure as well.
    """
    parts = [[t for t in statement.terms if t.phrase == place.phrase]]
    if len({side.name for side in statement.sides}) < 2:
        parts.append([t for t in statement.terms if t.clause == place.clause])
    for part in parts:
        if {term.name for term in part if term.kind == "anatomy"} - {place.name} - EVERYWHERE:
            return None
        normal = any(_is_normal(term) for term in part)
        found = any(
            (term.kind == "finding" and not term.denied and term.name not in _ORDINARY)
            or (term.name == "normal" and term.denied)
            for term in part
        )
        if normal != found:
            return "normal" if normal else "found"
        if normal:
            return None
    return None


def _is_normal(term: Term) -> bool:
    return (term.name == "normal" and not term.denied) or (term.name in _OUT_OF_ORDER and term.denied)


def _in_order(term: Term, statement: Statement) -> bool:
    """Whether a term is said to be as it should be: "the signal of the cord is normal" affirms no change of it."""
    return not term.denied and any(t.name == "normal" and t.clause == term.clause for t in statement.terms)


def _names_same(one: Term, other: Term) -> bool:
    """The same concept; or the denied one the broader: no lesion is no nodule."""
    if one.name == other.name:
        return one.kind == other.kind
    denied, affirmed = (one, other) if one.denied else (other, one)
    return denied.denied and not affirmed.denied and denied.name in lexicon().ancestors(affirmed.name)


def _places_meet(one: Term, said: Statement, other: Term, statement: Statement, by_clause: bool = False) -> bool:
    """Whether two things may be in the same place, by what their phrases, or their clauses, say of it."""
    mine, theirs = (
        frozenset(
            t.name
            for t in where.terms
            if t.kind == "anatomy"
            and (t.clause == term.clause if by_clause else t.phrase == term.phrase)
            and t.name != term.name
            and t.name not in EVERYWHERE
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
    left, right = _sides_of(one, said), _sides_of(other, statement)
    return not left or not right or "both" in left | right or bool(left & right)


def _sides_of(term: Term, statement: Statement) -> frozenset[str]:
    """The sides that a term's phrase names or, where it names none, those that it is near or about."""
    phrase = frozenset(side.name for side in statement.sides if side.phrase == term.phrase)
    return phrase or frozenset(side.name for side in statement.sides if term.name in side.near | side.about)
