"""Learned weights of words by which a sentence that gives orders to a model is told from one that does not.

Logistic regression over the words of a sentence and the pairs of words that follow each other, of one sentence or of
two neighbours; a text is as likely as the likeliest of them. `benchmarks/learn_orders.py` fits `order_weights.json`.
"""

# ruff: noqa: RUF001 - full stops of other scripts end a sentence

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import pairwise

from pydantic import TypeAdapter

SENTENCE_END = re.compile(r"(?<=[\w)\]\"'][\w)\]\"'])[.!?]+(?=\s|$)|[。！？\n]+")
_TOKEN = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]|[^\W\d_\u2e80-\u9fff\uac00-\ud7af]+|\d+|[^\w\s]|_")
_FEWEST = 12
"""Features that a sentence is taken to have at least, so that a word alone does not decide."""


@dataclass(frozen=True)
class OrderWeights:
    """Log-odds of features, and from which sum on a text is one that gives orders, or one that does not."""

    bias: float
    sure: float
    """From this on it gives orders, whatever the cues say."""
    unlike: float
    """Below this it gives none, whatever the cues say."""
    features: Mapping[str, float]

    def judge(self, view: str) -> tuple[float, str]:
        """The log-odds of the likeliest sentence, or two, of a folded text; and the text of it."""
        return max(((self.log_odds(features), text) for features, text in windows(view)), key=lambda item: item[0])

    def log_odds(self, features: Set[str]) -> float:
        """Of a sentence, by its features."""
        known = sum(self.features.get(feature, 0.0) for feature in features)
        return self.bias + known * scale(features)


def scale(features: Set[str]) -> float:
    """By what the sum of weights is multiplied, so that long sentences do not weigh more."""
    return float(max(len(features), _FEWEST) ** -0.5)


def windows(view: str) -> Iterator[tuple[set[str], str]]:
    """Features of each sentence of a folded text and of each two neighbours, and their text; at least one of them."""
    before: tuple[list[str], str] | None = None
    start = 0
    for end in [*(match.end() for match in SENTENCE_END.finditer(view)), len(view)]:
        sentence = view[start:end].strip()
        if len(sentence) < 3 and (before or end < len(view)):
            continue
        start = end
        words = tokens(sentence)
        yield features_of(words), sentence
        if before:
            yield features_of([*before[0], ".", *words]), f"{before[1]} {sentence}"
        before = words, sentence


def tokens(sentence: str) -> list[str]:
    """Words, marks, letters of scripts without spaces; any number is "0", and a full stop at the end is left out."""
    found = ["0" if token.isdigit() else token for token in _TOKEN.findall(sentence)]
    return found[:-1] if found and found[-1] in ".。" else found


def features_of(words: list[str]) -> set[str]:
    """The words, and the pairs of neighbours; "^" is the beginning, "$" the end."""
    framed = ["^", *words, "$"]
    return {*words, *(f"{first} {second}" for first, second in pairwise(framed))}


@lru_cache(maxsize=1)
def weights() -> OrderWeights:
    """The weights that the package ships."""
    return TypeAdapter(OrderWeights).validate_json(files("rag").joinpath("order_weights.json").read_bytes())
