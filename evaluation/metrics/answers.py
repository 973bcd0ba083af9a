"""Right answers to questions, and right fields of documents."""

from __future__ import annotations

import json
import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked, Mean, Texts
from evaluation.metrics.scored import Recipe
from evaluation.statistics.intervals import Numbers

CLOSED, OPEN = "closed", "open"
_ARTICLES = frozenset(("a", "an", "the"))
_NUMBERS = {
    word: str(number)
    for number, word in enumerate("zero one two three four five six seven eight nine ten".split())
}  # fmt: skip
_NO_PUNCTUATION = str.maketrans(dict.fromkeys(string.punctuation, " "))
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[.,](?=\d)")
_POINT = "\ue000"
"""A letter for private use, in place of a decimal point while punctuation is taken away."""


def normalise(answer: str) -> str:
    """An answer as answers are compared.

    Lower case; punctuation but that between digits is a space; a, an, the are left out; zero to ten are digits; one
    space between words. It is the rule of the VQA challenge (Antol et al. 2015, arXiv:1505.00468) without its table of
    contractions.
    """
    kept = _BETWEEN_DIGITS.sub(_POINT, answer.lower()).translate(_NO_PUNCTUATION).replace(_POINT, ".")
    return " ".join(_NUMBERS.get(word, word) for word in kept.split() if word not in _ARTICLES)


def is_right(said: str, true: str) -> bool:
    """Whether the two are the same once normalised. Where yes or no is true, the first word that is said counts."""
    answer, truth = normalise(said), normalise(true)
    if truth in ("yes", "no"):
        return answer.split()[:1] == [truth]
    return answer == truth


def recall(said: str, true: str) -> float:
    """The share of the true answer's words that are said (as LLaVA-Med judges open questions, arXiv:2306.00890)."""
    truth = Counter(normalise(true).split())
    return (truth & Counter(normalise(said).split())).total() / max(truth.total(), 1)


class Accuracy(Mean):
    """Overall accuracy, that of closed and of open questions, and the recall of words in the answers to open ones."""

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        if not asked.is_questions:
            raise MissingMetricError("these are no questions: no record says an answer's type")
        self._truth = asked.references
        self._closed = np.asarray([(kind or "").casefold() == CLOSED for kind in asked.types])
        self._open = np.asarray([(kind or "").casefold() == OPEN for kind in asked.types])
        rule = "equal once normalised (docs/evaluation.md); yes and no by the first word"
        source = "Antol et al. 2015, arXiv:1505.00468"
        self.recipes = {
            "accuracy": Recipe("accuracy", rule, "", source),
            "accuracy.closed": Recipe("closed", f"closed questions alone: {rule}", "", source),
            "accuracy.open": Recipe("open", f"open questions alone: {rule}", "", source),
            "accuracy.open_recall": Recipe(
                "open recall", "share of the true answer's words that are said", "", "Li et al. 2023, arXiv:2306.00890"
            ),
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [self._score(texts) for texts in variants]

    def _score(self, texts: Texts) -> dict[str, Numbers]:
        pairs = list(zip(texts, self._truth, strict=True))
        right = np.asarray([float(is_right(said, true)) for said, true in pairs])
        words = np.asarray([recall(said, true) for said, true in pairs])
        return {
            "accuracy": right,
            "accuracy.closed": np.where(self._closed, right, np.nan),
            "accuracy.open": np.where(self._open, right, np.nan),
            "accuracy.open_recall": np.where(self._open, words, np.nan),
        }


class FieldF1(Mean):
    """F1 of the fields of a document: pairs of a field's path and its value, lists without their order."""

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        truths = [_json(reference) for reference in asked.references]
        if not any(isinstance(truth, dict | list) for truth in truths):
            raise MissingMetricError("the references are no JSON: fields are judged where something is extracted")
        self._truth = [Counter(leaves(truth)) for truth in truths]
        self.recipes = {
            "field_f1": Recipe(
                "field F1", "pairs of path and value, values equal once normalised, lists in any order", ""
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [{"field_f1": self._score(texts)} for texts in variants]

    def _score(self, texts: Texts) -> Numbers:
        found = []
        for text, truth in zip(texts, self._truth, strict=True):
            said = Counter(leaves(_json(text)))
            both = (said & truth).total()
            found.append(2 * both / (said.total() + truth.total()) if truth else float("nan"))
        return np.asarray(found)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Paths and values of a JSON value, `patient.age` and `42`; nothing of null and of what is empty."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[]")
    elif value is not None and str(value).strip():
        yield path, normalise(json.dumps(value) if isinstance(value, bool | int | float) else str(value))


def _json(text: str) -> Any:
    """The value that a text is as JSON; None where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return None
