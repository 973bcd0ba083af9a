"""How well a text supports a sentence by its terms, and whether it contradicts it.

Support of a sentence by a text is the weighted share of the sentence's terms that the text holds, 0 to 1. Nothing is
supported by a text that contradicts it: another side, number, modality, plane or stain, a denial, an opposite, or
another word in the place of one in an otherwise like sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache

from rag.check.apart import apart
from rag.check.lexicon import Kind, lexicon, tokens_of
from rag.check.pictures import modalities
from rag.check.reading import Amount, Reading, Statement, Term
from rag.check.stances import EVERYWHERE, told, wide

_WEIGHTS: dict[Kind, float] = {
    "quality": 0.5,
    "direction": 0.5,
    "phase": 0.5,
    "view": 0.5,
    "sequence": 0.7,
    "plane": 0.7,
    "modality": 0.7,
}
"""What a held term counts; others 1."""
_BROADER = 0.6
"""What a term counts where the text names something broader of it: a sentence that says more than its evidence."""
_SAME_WORDS, _SAME_WORDS_BOTH = 0.66, 0.61
"""Sentences that share so much of one's terms, and of both's on average, are the same but for the words between."""
_COPIED = 0.6
"""A sentence that has so much of its words from a text was taken from it."""
_NAMED: tuple[Kind, ...] = ("anatomy", "stain")
"""Of these a sentence of otherwise the same words names none that its evidence has not."""
_PLACED: tuple[Kind, ...] = ("anatomy", "stain", "cell", "direction")
"""Of these one that was taken from its evidence names none in the place of another."""
_ROOT = 4
"""Letters that words of one root have in common."""
_EXCLUSIVE: tuple[Kind, ...] = ("plane", "view", "stain", "sequence", "phase")
"""Of these a sentence and its evidence name the same, where both name any."""


def term_support(said: Statement, text: Reading) -> float:
    """The weighted share of a sentence's terms that a text holds."""
    weights = [_WEIGHTS.get(term.kind, 1.0) for term in said.terms]
    if not weights:
        return 0.0
    held = _Held(text)
    return sum(w * held.of(term) for w, term in zip(weights, said.terms, strict=True)) / sum(weights)


class _Held:
    """What a text holds."""

    def __init__(self, text: Reading) -> None:
        terms = [term for statement in text.statements for term in statement.terms]
        self._as_said = {(term.name, term.denied) for term in terms}
        words = lexicon()
        self._wider = {(name, term.denied) for term in terms for name in words.ancestors(term.name)}
        self._wider |= {(name, False) for term in terms if not term.denied for name in told([term.name])}
        self._words = words

    def of(self, term: Term) -> float:
        """1 for a term that stands there, in parts or as something narrower; _BROADER for something broader; else 0."""
        if (term.name, term.denied) in self._as_said or (term.name, term.denied) in self._wider:
            return 1.0
        parts = self._words.made_of.get(term.name, ())
        if parts and not term.denied and all((part, False) in self._as_said | self._wider for part in parts):
            return 1.0
        if any((name, term.denied) in self._as_said for name in self._words.ancestors(term.name)):
            return _BROADER
        return 0.0


def contradicts(said: Statement, text: Reading) -> bool:
    """Whether a text cannot be so if a sentence is, or gives other particulars in its place."""
    return (
        _other_sides(said, text)
        or _other_numbers(said, text)
        or _denial_missing(said, text)
        or _kinds_differ(said, text)
        or opposed(said, text)
        or _substituted(said, text)
    )


def says_more(said: Statement, text: Reading) -> bool:
    """Whether a sentence gives a side or a number that a text does not."""
    return bool(_sides_missing(said, text) or _numbers_missing(said, text))


def _other_sides(said: Statement, text: Reading) -> bool:
    """A side, where the text names sides, but not this one."""
    return bool(text.sides) and _sides_missing(said, text)


def _sides_missing(said: Statement, text: Reading) -> bool:
    """A side that the text does not name; both where it names one."""
    theirs = {side.name for side in text.sides}
    return any(
        not (side.name in theirs or (side.name == "both" and {"left", "right"} <= theirs)) for side in said.sides
    )


def _other_numbers(said: Statement, text: Reading) -> bool:
    """A number, where the text gives numbers of that unit, but not this one."""
    theirs = {amount.quantity.unit for amount in text.amounts if not _both(amount)}
    return any(amount.quantity.unit in theirs for amount in _numbers_missing(said, text))


def _numbers_missing(said: Statement, text: Reading) -> list[Amount]:
    """The numbers that a text does not give."""
    return [
        amount
        for amount in said.amounts
        if not _both(amount)
        and not any(
            amount.quantity.unit == other.quantity.unit and amount.quantity.agrees(other.quantity)
            for other in text.amounts
        )
    ]


def _both(amount: Amount) -> bool:
    """Whether a number is that of "both" or "the two", which one may say of what is bilateral."""
    return amount.definite and amount.quantity.values == (2.0,) and not amount.quantity.unit


def _denial_missing(said: Statement, text: Reading) -> bool:
    """A term that the text has, but only denied where the sentence affirms it, or the other way round."""
    theirs: dict[str, set[bool]] = {}
    for statement in text.statements:
        for term in statement.terms:
            theirs.setdefault(term.name, set()).add(term.denied or term.open)
    return any(term.name in theirs and (term.denied or term.open) not in theirs[term.name] for term in said.terms)


def _kinds_differ(said: Statement, text: Reading) -> bool:
    for kind in _EXCLUSIVE:
        mine, theirs = said.names(kind), text.names(kind)
        if mine and theirs and not wide(mine) & theirs and not mine & wide(theirs):
            return True
    # Not `modality_stance`: a text that tells of one more modality may be the sentence's own all the same.
    mine, theirs = modalities([said]), modalities(text.statements)
    together = lexicon().together
    return bool(mine and theirs and not mine & theirs) and not any(
        frozenset((one, other)) in together for one in mine for other in theirs
    )


def opposed(said: Statement, text: Reading) -> bool:
    """Whether a text names an opposite of what a sentence names, or another one of its family in its place."""
    opposites = lexicon().opposites
    theirs = text.names("quality", "direction", "finding", "phase", "sequence", "word")
    mine = said.names("quality", "direction", "finding", "phase", "sequence", "word")
    if any(opposites.get(name, frozenset()) & (theirs - mine) for name in mine):
        return True
    mine |= said.names("anatomy", "cell", "stain") | {side.name for side in said.sides}
    theirs |= text.names("anatomy", "cell", "stain") | {side.name for side in text.sides}
    new, gone = mine - told(theirs), theirs - told(mine)
    return any(apart(one, other) for one in new for other in gone)


def _substituted(said: Statement, text: Reading) -> bool:
    """Whether the sentence is one of the text's with other words in the place of some, or of another structure.

    Who says all of it in words of their own says that part, too, in words of their own.
    """
    mine = _words(said.text)
    copied = len(mine & _words(text.text)) >= _COPIED * len(mine)
    theirs = [term for statement in text.statements for term in statement.terms]
    if copied and any(_other_name(kind, said.terms, theirs) for kind in _PLACED):
        return True
    return any(_other_words(said.terms, statement.terms, copied) for statement in text.statements)


@lru_cache(maxsize=8192)
def _words(text: str) -> frozenset[str]:
    """The words of a text that say something; the same captions come again and again."""
    empty = lexicon().empty
    return frozenset(token.word for token in tokens_of(text) if not token.is_sign and token.word not in empty)


def _other_words(mine: Sequence[Term], theirs: Sequence[Term], copied: bool) -> bool:
    one, other = [term.name for term in mine], [term.name for term in theirs]
    shared = len(set(one) & set(other))
    shares = shared / max(1, len(set(one))), shared / max(1, len(set(other)))
    if shared < 2 or shares[0] < _SAME_WORDS or sum(shares) / 2 < _SAME_WORDS_BOTH:
        return False
    return (copied and _replaced(one, other)) or any(_other_name(kind, mine, theirs) for kind in _NAMED)


def _replaced(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether other names stand in the place of some, between the same ones."""
    held, here = told(other), told(one)
    for tag, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        if tag == "replace":
            new = [name for name in one[a:b] if name not in held]
            gone = [name for name in other[c:d] if name not in here]
            if new and gone and not _related(new, gone):
                return True
    return False


def _other_name(kind: Kind, mine: Sequence[Term], theirs: Sequence[Term]) -> bool:
    """Whether like sentences, in whatever order, name another one of a kind: the head, the tail of the pancreas."""
    one, other = (
        {term.name for term in terms if term.kind == kind and term.name not in EVERYWHERE} for terms in (mine, theirs)
    )
    held, here = (told(term.name for term in terms) for terms in (theirs, mine))
    new, gone = one - held, other - here
    return any(not _one_within(name, another) for name in new for another in gone)


def _one_within(one: str, other: str) -> bool:
    """Whether one name is the other with less said of it: the head, "of the left femur", is the femoral head."""
    mine, theirs = set(one.split()), set(other.split())
    return mine <= theirs or theirs <= mine


def _related(new: Sequence[str], gone: Sequence[str]) -> bool:
    """Whether words are forms of those that they stand for: "rises" and "rising"."""
    return all(any(one[:_ROOT] == other[:_ROOT] for other in gone) for one in new)
