"""Which evidence each sentence rests on.

First by terms, which costs next to nothing. Where no evidence holds enough of a sentence's terms, by meaning or, with a
model for it, by entailment. Evidence that contradicts a sentence is never cited.
"""

from __future__ import annotations

from collections.abc import Sequence

from rag.check.conflicts import differences
from rag.check.entailment import Entailment
from rag.check.meaning import Meaning
from rag.check.particulars import particulars
from rag.check.reading import Reading, Statement
from rag.check.support import contradicts, opposed, says_more, term_support
from rag.types import Basis, Sentence

MAX_CITATIONS = 3
_ALIKE_IN_WORDS = 0.5
"""Evidence that holds so much of a sentence's terms and contradicts it is the same sentence with another point."""


class Citer:
    """Cites evidence for sentences from a support of `threshold` on."""

    def __init__(self, threshold: float, meaning: Meaning | None, entailment: Entailment | None) -> None:
        self._threshold = threshold
        self._meaning = meaning
        self._entailment = entailment

    def cite(
        self, sentences: Sequence[Reading], whole: Reading, held: Sequence[Reading], numbers: Sequence[int]
    ) -> tuple[Sentence, ...]:
        """The sentences, each with the numbers of the evidence it rests on, best first, at most MAX_CITATIONS.

        A sentence's support is that of its best evidence, cited or not. None cited is no error: the image may show what
        no evidence says.
        """
        return tuple(self._sentence(sentence, whole, held, numbers) for sentence in sentences)

    def _sentence(self, sentence: Reading, whole: Reading, held: Sequence[Reading], numbers: Sequence[int]) -> Sentence:
        said = sentence.statements
        shares, scores = _by_terms(said, whole, held)
        basis: Basis = "terms"
        if (self._entailment or self._meaning) and max(scores, default=0.0) < self._threshold:
            open_ = [place for place in range(len(held)) if _open(said, whole, held[place], shares[place])]
            if open_:
                basis, scores = self._by_models(said, sentence.text, held, shares, scores, open_)
        order = sorted(range(len(held)), key=lambda place: (-scores[place], numbers[place]))
        cited = [numbers[place] for place in order[:MAX_CITATIONS] if scores[place] >= self._threshold]
        best = max(scores, default=0.0)
        return Sentence(sentence.text, tuple(cited), round(best, 3), basis if cited else None)

    def _by_models(
        self,
        said: Sequence[Statement],
        text: str,
        held: Sequence[Reading],
        shares: Sequence[float],
        scores: list[float],
        open_: Sequence[int],
    ) -> tuple[Basis, list[float]]:
        """Support of the evidence in the places `open_`, on the scale of `threshold`.

        Entailment is asked of sentences with words that no list has; meaning also where a text has some of the words.
        """
        unlisted = _unlisted(said)
        if self._entailment is not None and unlisted:
            entailed = self._entailment.entailed(text, [held[place].text for place in open_])
            return "entailment", _placed(scores, open_, entailed)
        if self._entailment is None and self._meaning and (unlisted or any(shares[place] for place in open_)):
            common = [particulars(said, reading) for reading in held]
            alike = self._meaning.support(text, [reading.text for reading in held], shares, common, unlisted)
            return "meaning", _placed(scores, open_, [alike[place] for place in open_])
        return "terms", scores


def _by_terms(said: Sequence[Statement], whole: Reading, held: Sequence[Reading]) -> tuple[list[float], list[float]]:
    """The share of a sentence's terms that each text holds; its support by them, none where it differs or says less."""
    shares, scores = [], []
    for text in held:
        share = sum(term_support(statement, text) for statement in said) / len(said) if said else 0.0
        shares.append(share)
        differs = any(contradicts(statement, text) or says_more(statement, text) for statement in said)
        scores.append(0.0 if not share or differs or _differs(said, whole, text) else share)
    return shares, scores


def _differs(said: Sequence[Statement], whole: Reading, text: Reading) -> bool:
    """Whether a conflict would be told of a sentence and a text, were it the only one."""
    return any(True for statement in said for _ in differences(statement, whole, [text]))


def _unlisted(said: Sequence[Statement]) -> float:
    """The share of a sentence's terms that no list has."""
    kinds = [term.kind for statement in said for term in statement.terms]
    return kinds.count("word") / len(kinds) if kinds else 0.0


def _open(said: Sequence[Statement], whole: Reading, text: Reading, share: float) -> bool:
    """Whether a text may yet support a sentence in other words."""
    if any(opposed(statement, text) for statement in said):
        return False
    if share >= _ALIKE_IN_WORDS and any(contradicts(statement, text) for statement in said):
        return False  # the same sentence with another point
    return not _differs(said, whole, text)


def _placed(scores: list[float], places: Sequence[int], better: Sequence[float]) -> list[float]:
    found = list(scores)
    for place, score in zip(places, better, strict=True):
        found[place] = max(found[place], score)
    return found
