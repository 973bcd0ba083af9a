"""What the nearest examples of an image say that it shows: votes, by which a description is held to be sure or not.

More neighbours vote than are shown in the prompt: it costs next to nothing, and twenty tell better than five which
descriptions are right. What each says is read by the published word lists of `check.content`. Their texts reach no
prompt and are not searched for orders: a forged one can say no more than a word of a list.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import exp

from indexer.types import Evidence
from rag.content import Content

NEIGHBOURS = 20
SHARPNESS = 10.0
"""A neighbour weighs exp(SHARPNESS * (its cosine similarity - the nearest one's)). Both were chosen on medpix train."""

_TEXTS_KEPT = 100_000
"""Captions of which it is remembered what they say: those of a set are near many of its images."""

Votes = Mapping[str, Mapping[str, float]]
"""List -> value -> share of the weight of those that say one of the list's values; lists that none speaks of are not
there."""


class Electorate:
    """Lets neighbours vote on what the lists of `content` are about."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self._said = lru_cache(_TEXTS_KEPT)(content.said)

    def votes(self, found: Sequence[Evidence]) -> Votes:
        """The votes of the nearest examples among what was found."""
        examples = sorted((e for e in found if e.kind == "example"), key=lambda e: -e.score)[:NEIGHBOURS]
        weights: dict[str, dict[str, float]] = {}
        for neighbour in examples:
            weight = exp(SHARPNESS * (neighbour.score - examples[0].score))
            for name, value in self._said(neighbour.text).items():
                if value is not None:
                    mine = weights.setdefault(name, {})
                    mine[value] = mine.get(value, 0.0) + weight
        return {name: _shares(values) for name, values in weights.items()}

    def agreement(self, text: str, votes: Votes) -> float | None:
        """How far the neighbours say what the text says: the product, over the lists that both speak of, of the shares.

        None where there is no such list.
        """
        product, spoken_of = 1.0, False
        for name, value in self.content.said(text).items():
            if value is not None and name in votes:
                product *= votes[name].get(value, 0.0)
                spoken_of = True
        return product if spoken_of else None


def consensus(votes: Votes) -> float | None:
    """How far the neighbours say the same among themselves: the mean over lists of the largest share. None for none."""
    largest = [max(values.values()) for values in votes.values()]
    return sum(largest) / len(largest) if largest else None


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    """The largest first."""
    whole = sum(weights.values())
    order = sorted(weights, key=lambda value: (-weights[value], value))
    return {value: weights[value] / whole for value in order}
