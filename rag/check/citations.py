"""Which evidence each sentence rests on.

First by terms, which costs next to nothing. Where no evidence holds enough of a sentence's terms, by meaning or, with a
model for it, by entailment. A sentence that names but modality, plane and structure, all in listed words, is not asked
about: it would be likened to texts of its manner ("Coronal CT of the heart." to one of an eye; of 25 such citations on
medpix, 19 were of another organ). Evidence that contradicts a sentence is never cited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from rag.check.conflicts import differences
from rag.check.entailment import Entailment
from rag.check.lexicon import Kind
from rag.check.meaning import Meaning
from rag.check.particulars import particulars
from rag.check.reading import Reading, Statement
from rag.check.support import contradicts, opposed, says_more, term_support
from rag.types import Basis, Sentence

MAX_CITATIONS = 3
_TOLD: tuple[Kind, ...] = ("finding", "cell", "stain")
"""What can be said in other words; modalities, planes and structures have names."""
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
        pairs = [_Pair(sentence.statements, whole, text) for text in held]
        scores = [pair.by_terms for pair in pairs]
        basis: Basis = "terms"
        unlisted = _unlisted(sentence.statements)
        if max(scores, default=0.0) < self._threshold:
            open_ = [place for place, pair in enumerate(pairs) if pair.open and self._may_say(sentence, unlisted, pair)]
            if open_:
                shares = [pair.share for pair in pairs]
                basis, scores = self._by_models(sentence, unlisted, held, shares, scores, open_)
        order = sorted(range(len(held)), key=lambda place: (-scores[place], numbers[place]))
        cited = [numbers[place] for place in order[:MAX_CITATIONS] if scores[place] >= self._threshold]
        best = max(scores, default=0.0)
        return Sentence(sentence.text, tuple(cited), round(best, 3), basis if cited else None)

    def _may_say(self, sentence: Reading, unlisted: float, pair: _Pair) -> bool:
        """Whether a model is asked of a text: of any where the sentence has words that no list has; else by meaning
        alone, where it tells a finding and the text has some of its words."""
        return bool(unlisted) or (self._entailment is None and bool(pair.share) and _tells_findings(sentence))

    def _by_models(
        self,
        sentence: Reading,
        unlisted: float,
        held: Sequence[Reading],
        shares: Sequence[float],
        scores: list[float],
        open_: Sequence[int],
    ) -> tuple[Basis, list[float]]:
        """Support of the evidence in the places `open_`, on the scale of `threshold`."""
        if self._entailment is not None:
            entailed = self._entailment.entailed(sentence.text, [held[place].text for place in open_])
            return "entailment", _placed(scores, open_, entailed)
        if self._meaning is not None:
            common = [particulars(sentence.statements, reading) for reading in held]
            texts = [reading.text for reading in held]
            alike = self._meaning.support(sentence.text, texts, shares, common, unlisted)
            return "meaning", _placed(scores, open_, [alike[place] for place in open_])
        return "terms", scores


@dataclass(frozen=True)
class _Pair:
    """A sentence's statements beside one text. What both ways to a citation ask is looked at once."""

    said: Sequence[Statement]
    whole: Reading
    text: Reading

    @cached_property
    def share(self) -> float:
        """The share of the sentence's terms that the text holds."""
        return sum(term_support(statement, self.text) for statement in self.said) / len(self.said) if self.said else 0.0

    @cached_property
    def contradicted(self) -> bool:
        return any(contradicts(statement, self.text) for statement in self.said)

    @cached_property
    def differs(self) -> bool:
        """Whether a conflict would be told of the two, were the text the only one."""
        return any(True for statement in self.said for _ in differences(statement, self.whole, [self.text]))

    @property
    def by_terms(self) -> float:
        """The support by terms, none where the text differs or says less."""
        less = any(says_more(statement, self.text) for statement in self.said)
        return 0.0 if not self.share or less or self.contradicted or self.differs else self.share

    @property
    def open(self) -> bool:
        """Whether the text may yet support the sentence in other words."""
        if any(opposed(statement, self.text) for statement in self.said):
            return False
        if self.share >= _ALIKE_IN_WORDS and self.contradicted:
            return False  # the same sentence with another point
        return not self.differs


def _tells_findings(sentence: Reading) -> bool:
    return bool(sentence.names(*_TOLD) or sentence.names(*_TOLD, denied=True))


def _unlisted(said: Sequence[Statement]) -> float:
    """The share of a sentence's terms that no list has."""
    kinds = [term.kind for statement in said for term in statement.terms]
    return kinds.count("word") / len(kinds) if kinds else 0.0


def _placed(scores: list[float], places: Sequence[int], better: Sequence[float]) -> list[float]:
    found = list(scores)
    for place, score in zip(places, better, strict=True):
        found[place] = max(found[place], score)
    return found
