"""Where what was written and what it is held against cannot both be so.

Each point of a sentence (a side, a denial, what may be denied, a number, its modality, its plane) is held against each
text: the text agrees, differs, or says nothing of it. A difference counts where the text is about the same thing, and
where no text that is as much about it agrees: another patient's lesion may have another size.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Literal

from rag.check.lexicon import Kind, lexicon
from rag.check.reading import Amount, Reading, Side, Statement, Term

Disagreement = Literal["side", "negation", "number", "modality", "plane"]
Stance = Literal["agrees", "differs"]
Others = Sequence[Statement]
Point = Callable[[Others], Stance | None]
"""What a text says of one point of a sentence; None where it is silent."""

_THINGS: tuple[Kind, ...] = ("anatomy", "finding", "cell", "stain", "word")
_SHOWN: tuple[Kind, ...] = ("finding", "cell", "stain", "word")
_SOMEONE_ELSE = re.compile(
    r"\b(?:another|different|unrelated|other) (?:\w+ ){0,2}(?:patient|case|child|man|woman|subject|person|animal|"
    r"individual|victim|biopsy|specimen|sample|study)\b",
    re.IGNORECASE,
)
"""What is said of someone else cannot conflict."""
_LEANS = re.compile(r"^(?:it|this|that|they|at|from|with) ", re.IGNORECASE)
"""A sentence that begins so goes on about what the one before was about."""
_EVERYWHERE = frozenset(
    "bone muscle vessel artery vein wall segment lobe pole joint nerve duct cortex lumen skin fat mucosa submucosa "
    "serosa capsule parenchyma stroma epithelium gland cartilage capillary follicle lobule orifice organ".split()
) | {"soft tissue"}
"""Structures that there are in many places."""
_WAYS = frozenset({"angiography"})
"""Modalities that are a way to use another one."""


def _said_by(*words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE)


_ANOTHER_THING = r"second|third|other|another|smaller|larger|additional"
_ANOTHER_TIME = r"later|follow-?up|previous\w*|prior|earlier|initial\w*|formerly|then|resolved"
_ANOTHER_IMAGE = (
    r"correspond\w*|subsequent\w*|confirm\w*|inset|panel|scout|fused|compar\w+|same patient|elsewhere|supplement\w*|"
    r"[b-h]\)|not (?:shown|performed|obtained|done|available|included)|contraindicated"
)
_ELSEWHERE: dict[Disagreement, re.Pattern[str]] = {
    "side": _said_by(_ANOTHER_THING),
    "negation": _said_by(_ANOTHER_THING, _ANOTHER_TIME),
    "number": _said_by(_ANOTHER_THING),
    "modality": _said_by(_ANOTHER_THING, _ANOTHER_TIME, _ANOTHER_IMAGE),
    "plane": _said_by(_ANOTHER_THING, _ANOTHER_TIME, _ANOTHER_IMAGE),
}
_NOT_SHOWN = _said_by(
    r"not (?:shown|performed|obtained|done|available|included)|contraindicated|same patient|supplement\w*"
)
"""A sentence with these speaks of an image that is not this one."""
"""A sentence with these speaks of another thing, time or image than the sentence before."""
RELATED = 0.05
"""How much a text must be about the same things (see `relatedness`) before a difference counts."""


RELATED_WHOLE = 0.15
"""The same for a modality or plane, which are of the whole picture and not of one thing in it."""
_AGREEING = 0.95
"""A text that agrees outweighs one that differs if it is about the same things to this share of the other's degree."""
_ALIKE = 0.15
"""How much two sides or numbers must be of the same thing."""


@dataclass(frozen=True)
class Difference:
    """A sentence differs in one kind of point from a text, which is about the same things to this degree."""

    kind: Disagreement
    text: int
    relatedness: float


def differences(said: Statement, whole: Reading, texts: Sequence[Reading]) -> Iterator[Difference]:
    """Where a sentence of a description differs from evidence texts; `text` is the place in `texts`."""
    texts = [Reading("", ()) if _SOMEONE_ELSE.search(text.text) else text for text in texts]
    related = [
        0.3 * relatedness([said], t.statements) + 0.7 * relatedness(whole.statements, t.statements) for t in texts
    ]
    for kind, point in _points(said, whole):
        if kind in _OF_THE_WHOLE and _NOT_SHOWN.search(said.text):
            continue
        stances = [point(text.statements) if r > 0 else None for text, r in zip(texts, related, strict=True)]
        if kind in _OF_THE_WHOLE and _things([said]):
            alone = [relatedness([said], text.statements) for text in texts]
            stances = [stance if r > 0 else None for stance, r in zip(stances, alone, strict=True)]
        agreeing = max((r for r, stance in zip(related, stances, strict=True) if stance == "agrees"), default=0.0)
        for place, (stance, close) in enumerate(zip(stances, related, strict=True)):
            floor = RELATED if kind not in _OF_THE_WHOLE else RELATED_WHOLE
            if stance == "differs" and close >= floor and _AGREEING * close > agreeing:
                yield Difference(kind, place, close)


_OF_THE_WHOLE = ("modality", "plane")


def own_differences(said: Statement, whole: Reading) -> Iterator[Disagreement]:
    """Where a sentence differs from the others of its own description."""
    rest = [other for other in whole.statements if other is not said]
    for kind, point in _points(said, whole, within=True):
        elsewhere = _ELSEWHERE.get(kind)
        if elsewhere and elsewhere.search(said.text):
            continue
        others = [each for each in rest if not (elsewhere and elsewhere.search(each.text))]
        if kind in _OF_THE_WHOLE:
            others = [each for each in others if _may_be_one_place(said, each)]
        stances = [point([each]) for each in others]
        if "differs" in stances and "agrees" not in stances:
            yield kind


def _may_be_one_place(one: Statement, other: Statement) -> bool:
    mine, theirs = one.names("anatomy"), other.names("anatomy")
    return not mine or not theirs or _meet(mine, theirs)


def relatedness(one: Others, other: Others) -> float:
    """0 to 1: the share of things that both name, as a cosine of the two sets."""
    mine, theirs = (_things(each) for each in (one, other))
    if not mine or not theirs:
        return 0.0
    exact = len(mine & theirs)
    wider = max(len(mine & _wide(theirs)), len(theirs & _wide(mine)))
    return (exact + 0.5 * (wider - exact)) / sqrt(len(mine) * len(theirs))


def _things(statements: Others) -> frozenset[str]:
    """What statements are about, affirmed or denied; a mammogram is about a breast."""
    words = lexicon()
    meant = {n for m in _names(statements, "modality") for n in words.ancestors(m) if words.kind_of(n) == "anatomy"}
    return _names(statements, *_THINGS) | _names(statements, *_THINGS, denied=True) | meant


def modalities(statements: Others) -> frozenset[str]:
    """The modalities that statements name, or name a sequence of."""
    implied = _wide(_names(statements, "sequence", "view"))
    return _names(statements, "modality") | _of_kind(implied, ("modality",))


def _points(said: Statement, whole: Reading, within: bool = False) -> Iterator[tuple[Disagreement, Point]]:
    """The points of a sentence, each with what tells the stance of other statements on it."""
    yield from (("side", partial(_side, side, whole, within)) for side in said.sides if not side.denied)
    yield from (
        ("negation", partial(_denial, term, said))
        for term in said.terms
        if term.kind in _SHOWN or term.name == "normal"
    )
    yield from (("negation", partial(_order, place, said)) for place in said.terms if place.kind == "anatomy")
    yield from (("number", partial(_number, amount, said, whole, within)) for amount in said.amounts)
    if modalities([said]):
        yield "modality", partial(_modality, said)
    if said.names("plane"):
        yield "plane", partial(_plane, said.names("plane"), "plane")
    if said.names("view"):
        yield "plane", partial(_plane, _wide(said.names("view")), "view")


def _side(mine: Side, whole: Reading, within: bool, others: Others) -> Stance | None:
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
    scored = [(_alike(mine, side), side.name) for side in rivals]
    best = max((score for score, _ in scored), default=0.0)
    if best < _ALIKE:
        return None
    closest = {name for score, name in scored if score >= _AGREEING * best}
    agrees = mine.name in closest or "both" in closest or (mine.name == "both" and {"left", "right"} <= closest)
    return "agrees" if agrees else "differs"


def _closer(theirs: Side, own: Side, mine: Side) -> bool:
    """Whether another side of the description is the one that theirs is of."""
    return theirs.name == own.name and _alike(theirs, own) > _alike(theirs, mine)


def _same_finding(one: Side, other: Side) -> bool:
    return _meet(*(_of_kind(each.near | each.about, _SHOWN) for each in (one, other)))


def _alike(one: Side | Amount, other: Side | Amount) -> float:
    """How much two sides or numbers are of the same thing, 0 to 1; what is near them counts more than what is about."""
    mine, theirs = one.near | one.about, other.near | other.about
    if not mine or not theirs:
        return 0.0
    if one.near and other.near and not _named_by(one.near, theirs) and not _named_by(other.near, mine):
        return 0.0
    weights = {name: 1.0 + (name in one.near) + (name in other.near) for name in mine | theirs}
    shared = {name for name in mine if name in _wide(theirs)} | {name for name in theirs if name in _wide(mine)}
    return sum(weights[name] for name in shared) / sqrt(
        sum(weights[name] for name in mine | shared) * sum(weights[name] for name in theirs | shared)
    )


def _named_by(near: frozenset[str], names: frozenset[str]) -> bool:
    """Whether names hold one of those near a place, or of its findings one that is the narrower or the broader."""
    findings = [_of_kind(each, ("finding", "cell")) for each in (near, names)]
    return bool(near & names) or _meet(*findings)


def _number(mine: Amount, said: Statement, whole: Reading, within: bool, others: Others) -> Stance | None:
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
        theirs = [each for each in theirs if leaning or _alike(mine, each) >= _ALIKE]
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
        return not apart and _alike(mine, other) >= _ALIKE
    return _alike(mine, other) > 0


def _denial(mine: Term, said: Statement, others: Others) -> Stance | None:
    alike = [(each, other) for other in others for each in other.terms if _names_same(mine, each)]
    if any(each.denied == mine.denied for each, _ in alike):
        return "agrees"
    alike = [(each, other) for each, other in alike if not _in_order(each, other)]
    if any(each.denied != mine.denied and _names_same(mine, each) for each in said.terms):
        return None  # the sentence says both, of two things
    return "differs" if any(_places_meet(mine, said, each, other) for each, other in alike) else None


def _order(place: Term, said: Statement, others: Others) -> Stance | None:
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


def _in_order(term: Term, statement: Statement) -> bool:
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
    if mine and theirs and not _meet(mine, theirs):
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


def _modality(said: Statement, others: Others) -> Stance | None:
    mine, theirs = modalities([said]), modalities(others)
    if mine - _WAYS and theirs - _WAYS:  # CT angiography is not MR angiography
        mine, theirs = mine - _WAYS, theirs - _WAYS
    together = lexicon().together
    if mine and theirs and all(frozenset((one, other)) in together for one in mine for other in theirs):
        return "agrees"
    return _stance(mine, theirs)


def _plane(mine: frozenset[str], kind: Kind, others: Others) -> Stance | None:
    return _stance(mine, _wide(_names(others, kind)))


def _stance(mine: frozenset[str], theirs: frozenset[str]) -> Stance | None:
    if not theirs:
        return None
    return "agrees" if mine & theirs else "differs"


def _meet(one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two sets name the same thing, or one the narrower of it."""
    return bool(one & _wide(other)) or bool(other & _wide(one))


def _wide(names: frozenset[str]) -> frozenset[str]:
    """Names and all that is broader than they are."""
    words = lexicon()
    return names | {wider for name in names for wider in words.ancestors(name)}


def _of_kind(names: frozenset[str], kinds: tuple[Kind, ...]) -> frozenset[str]:
    words = lexicon()
    return frozenset(name for name in names if words.kind_of(name) in kinds)


def _names(statements: Others, *kinds: Kind, denied: bool = False) -> frozenset[str]:
    return frozenset(name for statement in statements for name in statement.names(*kinds, denied=denied))
