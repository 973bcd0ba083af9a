"""ROUGE-1 with the normalisation of the ImageCLEFmedical caption task."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def words(text: str) -> Counter[str]:
    """The words of a text: lower-case, each run of digits `number`, punctuation deleted."""
    return Counter(re.sub(r"\d+", "number", text.lower()).translate(_NO_PUNCTUATION).split())


def rouge1(said: Counter[str], reference: Counter[str]) -> float:
    """F of precision and recall of single words, each counted as often as both texts hold it."""
    both = (said & reference).total()
    return 2 * both / (said.total() + reference.total()) if both else 0.0


def table(said: Sequence[str], references: Sequence[str]) -> NDArray[np.float32]:
    """ROUGE-1 of every text against every reference, `(texts, references)`."""
    from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped]

    # A word's second occurrence is a word of its own: shared words are counted as often as both texts hold them.
    count = CountVectorizer(analyzer=_numbered, dtype=np.float32)
    both = count.fit_transform([*said, *references, "one"])  # a last text, since a vocabulary must not be empty
    texts, truths = both[: len(said)], both[len(said) : -1]
    lengths = np.asarray(texts.sum(axis=1)) + np.asarray(truths.sum(axis=1)).T
    return np.asarray(2 * (texts @ truths.T).toarray() / np.maximum(lengths, 1), np.float32)


def above_shuffled(said: Sequence[str], references: Sequence[str], cases: Sequence[Hashable]) -> list[float]:
    """For each reference: ROUGE-1 of its own text minus the mean of the texts of all other cases."""
    scores = table(said, references).astype(np.float64)
    number = {case: place for place, case in enumerate(dict.fromkeys(cases))}
    groups = np.asarray([number[case] for case in cases])
    gains = []
    for place, group in enumerate(groups):
        others = scores[groups != group, place]
        gains.append(float(scores[place, place] - others.mean()) if len(others) else 0.0)
    return gains


def _numbered(text: str) -> list[tuple[str, int]]:
    return [(word, time) for word, times in words(text).items() for time in range(times)]
