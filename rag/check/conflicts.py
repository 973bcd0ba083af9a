"""Where what was written and what it is held against cannot both be so.

Each point of a sentence (a side, a denial, what may be denied, a number, its modality, its plane) is held against each
text: the text agrees, differs, or says nothing of it. A difference counts where the text is about the same thing, and
where no text that is nearly as much about it agrees: another patient's lesion may have another size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt

from rag.check.amounts import number_stance
from rag.check.elsewhere import ELSEWHERE, LEGEND, NOT_SHOWN, Disagreement
from rag.check.lexicon import lexicon
from rag.check.pictures import modalities, modality_stance, plane_stance
from rag.check.presence import denial_stance, opposite_stance, order_stance
from rag.check.reading import Reading, Statement, Term
from rag.check.sides import own_side_stance, side_stance
from rag.check.stances import AGREEING, EVERYWHERE, SHOWN, Others, Stance, meet, wide

Point = Callable[[Others], Stance | None]
"""What a text says of one point of a sentence; None where it is silent."""
_NOTHING = Reading("", ())
_OF_THE_WHOLE = ("modality", "plane")
_RELATED = 0.05
"""How much a text must be about the same things (see `relatedness`) before a difference counts."""
_RELATED_WHOLE = 0.25
"""The same for a modality or plane, which are of the whole picture and not of one thing in it."""


@dataclass(frozen=True)
class Difference:
    """A sentence differs in one kind of point from a text."""

    kind: Disagreement
    text: int


def differences(said: Statement, whole: Reading, texts: Sequence[Reading]) -> Iterator[Difference]:
    """Where a sentence of a description differs from evidence texts; `text` is the place in `texts`."""
    texts = [_NOTHING if text.of_someone_else else text for text in texts]
    mine = said.things
    alone = [relatedness(mine, text.things) for text in texts]
    related = [0.3 * r + 0.7 * relatedness(whole.things, text.things) for r, text in zip(alone, texts, strict=True)]
    for kind, point in _points(said, whole):
        if kind in _OF_THE_WHOLE and _of_another_picture(kind, said, whole):
            continue
        stances = [point(text.statements) if r > 0 else None for text, r in zip(texts, related, strict=True)]
        if kind in _OF_THE_WHOLE and mine:
            stances = [stance if r > 0 else None for stance, r in zip(stances, alone, strict=True)]
        if kind in _OF_THE_WHOLE:  # "Sagittal MRI ... On axial images ..." of a sagittal MRI
            stances = [
                "agrees" if stance == "differs" and _says_elsewhere(kind, said, whole, text) else stance
                for stance, text in zip(stances, texts, strict=True)
            ]
        agreeing = max((r for r, stance in zip(related, stances, strict=True) if stance == "agrees"), default=0.0)
        for place, (stance, close) in enumerate(zip(stances, related, strict=True)):
            floor = _RELATED if kind not in _OF_THE_WHOLE else _RELATED_WHOLE
            if stance == "differs" and close >= floor and AGREEING * close > agreeing:
                yield Difference(kind, place)


def own_differences(said: Statement, whole: Reading) -> Iterator[Disagreement]:
    """Where a sentence differs from the others of its own description."""
    rest = [other for other in whole.statements if other is not said and not _is_legend(other)]
    if not rest or _is_legend(said):
        return
    for kind, point in _points(said, whole, within=True):
        elsewhere = ELSEWHERE.get(kind)
        if elsewhere and elsewhere.search(said.text):
            continue
        others = [each for each in rest if not (elsewhere and elsewhere.search(each.text))]
        if kind in _OF_THE_WHOLE and not _speaks_of_the_picture(said):
            others = [each for each in others if _may_be_one_place(said, each)]
        stances = [point([each]) for each in others]
        if "differs" in stances and "agrees" not in stances:
            yield kind


def _of_another_picture(kind: Disagreement, said: Statement, whole: Reading) -> bool:
    """Whether a sentence speaks of a picture that is not this one, which the first of a text hardly does."""
    if NOT_SHOWN.search(said.text):
        return True
    return said is not whole.statements[0] and ELSEWHERE[kind].search(said.text) is not None


def _says_elsewhere(kind: Disagreement, said: Statement, whole: Reading, text: Reading) -> bool:
    """Whether another sentence of a description names the modality or plane of a text."""
    return any(
        point(text.statements) == "agrees"
        for other in whole.statements
        if other is not said
        for also, point in _points(other, whole)
        if also == kind
    )


def _says_both(term: Term, said: Statement, whole: Reading) -> bool:
    """Whether a description affirms a thing in one sentence and denies it in another, and so speaks of two."""
    return any(
        each.name == term.name and each.denied != term.denied
        for other in whole.statements
        if other is not said
        for each in other.terms
    )


def _is_legend(statement: Statement) -> bool:
    """Whether a sentence only says what a short form stands for: "LA: left atrium."."""
    return not statement.names("modality") and LEGEND.search(statement.text) is not None


def _speaks_of_the_picture(said: Statement) -> bool:
    """Whether a sentence is of the picture spoken of before: "this coronal image"."""
    return any(term.definite and term.kind in _OF_THE_WHOLE for term in said.terms)


def _may_be_one_place(one: Statement, other: Statement) -> bool:
    mine, theirs = (each.names("anatomy") - EVERYWHERE for each in (one, other))
    return not mine or not theirs or meet(mine, theirs)


def relatedness(mine: frozenset[str], theirs: frozenset[str]) -> float:
    """0 to 1: the share of things that both name, as a cosine of the two sets."""
    if not mine or not theirs:
        return 0.0
    exact = len(mine & theirs)
    wider = max(len(mine & wide(theirs)), len(theirs & wide(mine)))
    return (exact + 0.5 * (wider - exact)) / sqrt(len(mine) * len(theirs))


def _points(said: Statement, whole: Reading, within: bool = False) -> Iterator[tuple[Disagreement, Point]]:
    """The points of a sentence, each with what tells the stance of other statements on it."""
    for side in said.sides:
        if not side.denied:
            yield "side", partial(own_side_stance, side, said) if within else partial(side_stance, side, whole)
    yield from (
        ("negation", partial(denial_stance, term, said, whole if within else None))
        for term in said.terms
        if (term.kind in SHOWN or term.kind == "quality" or (term.kind == "anatomy" and not within))
        and (within or not _says_both(term, said, whole))
    )
    if not within:
        yield from (
            ("negation", partial(opposite_stance, term, said))
            for term in said.terms
            if term.kind in ("finding", "quality") and term.name in lexicon().opposites
        )
    yield from (
        ("negation", partial(order_stance, place, said, within)) for place in said.terms if place.kind == "anatomy"
    )
    yield from (("number", partial(number_stance, amount, said, whole, within)) for amount in said.amounts)
    if modalities([said]):
        yield "modality", partial(modality_stance, said)
    if said.names("plane"):
        yield "plane", partial(plane_stance, said.names("plane"), "plane")
    if said.names("view"):
        yield "plane", partial(plane_stance, wide(said.names("view")), "view")
