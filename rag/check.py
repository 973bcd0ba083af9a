"""What was written, held against the evidence it was written from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from indexer.types import Evidence
from rag.types import Sentence

MAX_CITATIONS = 3

# A full stop ends a sentence where a capital, digit, quote or bracket follows, but not after these.
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9\"'(\[])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|cf|vs|approx|ca|no|fig|figs|dr|st|al)|\b[A-Z])\.$", re.IGNORECASE)
_TERM = re.compile(r"\d+(?:\.\d+)?|[a-z][a-z0-9-]+")
# Negations and numbers are terms: "no effusion" is not supported by "effusion".
_STOPWORDS = frozenset(
    "a about above after all also an and any are as at be been below between both but by can could did do does for "
    "from had has have here in into is it its may more most of on or other over seen shown shows show some such "
    "than that the their there these this those to under up was were which while with within".split()
)

_EXACT = frozenset("no not without none left right one two three four five six seven eight nine ten".split())


def split_sentences(text: str) -> list[str]:
    """The sentences of `text` in order, abbreviations and decimals left whole."""
    sentences: list[str] = []
    for piece in (p.strip() for line in text.splitlines() for p in _END.split(line)):
        if not piece:
            continue
        if sentences and _ABBREVIATION.search(sentences[-1]):
            sentences[-1] += " " + piece
        else:
            sentences.append(piece)
    return sentences


def terms(text: str) -> frozenset[str]:
    """The words of `text` that say something, lower-case, plural endings off; numbers as they stand."""
    found = (word for word in _TERM.findall(text.lower()) if word not in _STOPWORDS)
    return frozenset(_singular(word) for word in found)


def cite(text: str, evidence: Sequence[Evidence], threshold: float) -> tuple[Sentence, ...]:
    """The sentences of `text`, each with the evidence that supports it.

    Support of a sentence by an evidence text is the share of the sentence's terms that the text holds; 0 where
    the text lacks one of its numbers, negations or sides, since those are what a like text gets wrong. A
    sentence cites the texts with at least `threshold`, best first, at most MAX_CITATIONS; its support is
    the best of all. None above the threshold is no error: the image may show what no evidence says.
    """
    known = [(e.number, terms(e.text)) for e in evidence]
    sentences = []
    for sentence in split_sentences(text):
        said = terms(sentence)
        scored = sorted(((_support(said, held), -number) for number, held in known), reverse=True)
        cited = tuple(-number for score, number in scored[:MAX_CITATIONS] if score >= threshold)
        sentences.append(Sentence(sentence, cited, round(scored[0][0], 3) if scored else 0.0))
    return tuple(sentences)


def _support(said: frozenset[str], held: frozenset[str]) -> float:
    exact = {term for term in said if term in _EXACT or term[0].isdigit()}
    if not said or not exact <= held:
        return 0.0
    return len(said & held) / len(said)


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        return word[:-1]
    return word
