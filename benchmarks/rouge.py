"""ROUGE-1 with the normalisation of the ImageCLEFmedical caption task."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def words(text: str) -> Counter[str]:
    """The words of a text: lower-case, each run of digits `number`, punctuation deleted."""
    return Counter(re.sub(r"\d+", "number", text.lower()).translate(_NO_PUNCTUATION).split())


def rouge1(said: Counter[str], reference: Counter[str]) -> float:
    """F of precision and recall of single words, each counted as often as both texts hold it."""
    both = (said & reference).total()
    return 2 * both / (said.total() + reference.total()) if both else 0.0


def above_shuffled(said: Sequence[str], references: Sequence[str], cases: Sequence[Hashable]) -> list[float]:
    """For each reference: ROUGE-1 of its own text minus the mean of the texts of all other cases."""
    texts, truths = [words(text) for text in said], [words(text) for text in references]
    gains = []
    for own, truth, case in zip(texts, truths, cases, strict=True):
        others = [rouge1(text, truth) for text, theirs in zip(texts, cases, strict=True) if theirs != case]
        gains.append(rouge1(own, truth) - float(np.mean(others)) if others else 0.0)
    return gains
