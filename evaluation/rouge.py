"""ROUGE-1 of the ImageCLEFmedical caption task for all pairs of many texts at once.

Where texts have one reference each, `evaluation.metrics` scores them by rouge-score; a test holds the two equal. This
is for what that is too slow for: every text against every reference, and the search for the best constant one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics.texts import imageclef

_WORD = re.compile(r"[a-z0-9]+")
_EDITS, _RISE = 100, 1e-7


def words(text: str) -> Counter[str]:
    """The words of a text as rouge-score cuts it after the task's normalisation."""
    return Counter(_WORD.findall(imageclef(text)))


def rouge1(said: Counter[str], reference: Counter[str]) -> float:
    """F of precision and recall of single words, each counted as often as both texts hold it."""
    both = (said & reference).total()
    return 2 * both / (said.total() + reference.total()) if both else 0.0


class Bag:
    """References whose words are counted, ready for any number of texts.

    A word's second occurrence is a word of its own: shared words are counted as often as both texts hold them.
    """

    def __init__(self, references: Sequence[str]) -> None:
        from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped]

        self._count = CountVectorizer(analyzer=_numbered, dtype=np.float32)
        # A last text, since a vocabulary must not be empty.
        self._references = self._count.fit_transform([*references, "one"])[:-1]
        self._columns = sorted(self._count.vocabulary_, key=self._count.vocabulary_.__getitem__)
        self._lengths = np.asarray(self._references.sum(axis=1)).T

    def scores(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """ROUGE-1 of every text with every reference, `(texts, references)`."""
        counted = self._count.transform(texts)
        lengths = np.asarray([[words(text).total()] for text in texts], dtype=np.float32).reshape(-1, 1)
        both = (counted @ self._references.T).toarray()
        return np.asarray(2 * both / np.maximum(lengths + self._lengths, 1), np.float32)

    def climb(self, text: str) -> str:
        """The text with words taken away, or added at its end, as long as its mean ROUGE-1 rises."""
        said = _WORD.findall(imageclef(text))
        value = float(self.scores([" ".join(said)]).mean())
        for _ in range(_EDITS):
            best, edited = self._best_edit(said)
            if best <= value + _RISE:
                break
            value, said = best, edited
        return " ".join(said)

    def _best_edit(self, said: list[str]) -> tuple[float, list[str]]:
        """The words after the best addition or removal of one of them, and their mean ROUGE-1."""
        held, known = Counter(said), self._count.vocabulary_
        columns = [known[one] for one in _numbered(" ".join(said)) if one in known]
        both = np.asarray(self._references[:, columns].sum(axis=1)).ravel()
        count = len(both)

        def means(length: int, sign: int) -> tuple[float, NDArray[np.float64]]:
            """The mean at a length, and how it changes with each column's word."""
            weights = 2 / np.maximum(self._lengths.ravel() + length, 1)
            return float(weights @ both) / count, sign * np.asarray(self._references.T @ weights).ravel() / count

        base, change = means(len(said) + 1, 1)
        free = [place for place, (word, time) in enumerate(self._columns) if time == held[word]]
        options = [(base + float(change[place]), [*said, self._columns[place][0]]) for place in _top(change, free)]
        base, change = means(len(said) - 1, -1)
        for place, word in enumerate(said):
            column = known.get((word, held[word] - 1))
            value = base if column is None else base + float(change[column])
            options.append((value, said[:place] + said[place + 1 :]))
        return max(options, key=lambda option: option[0])


def table(said: Sequence[str], references: Sequence[str]) -> NDArray[np.float32]:
    """ROUGE-1 of every text against every reference, `(texts, references)`."""
    return Bag(references).scores(said)


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


def _top(values: NDArray[np.float64], places: Sequence[int]) -> list[int]:
    """The place of the highest value among `places`, if there are any."""
    return [max(places, key=lambda place: float(values[place]))] if places else []
