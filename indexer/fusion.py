"""Result lists fused into one."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from indexer.records import Shown
from indexer.types import Evidence, Example, Passage

RRF_CONSTANT = 60
"""Cormack, Clarke and Buettcher, SIGIR 2009: a document at rank r of a list adds 1 / (RRF_CONSTANT + r)."""

_T = TypeVar("_T", bound=Hashable)


def reciprocal_ranks(lists: Iterable[Sequence[_T]]) -> dict[_T, float]:
    """The reciprocal rank fusion weight of everything in ranked lists, best first in each."""
    weights: dict[_T, float] = {}
    for found in lists:
        for rank, item in enumerate(found, start=1):
            weights[item] = weights.get(item, 0.0) + 1.0 / (RRF_CONSTANT + rank)
    return weights


@dataclass(frozen=True)
class Hits:
    """Vectors' numbers with their cosine similarities; and, where words were searched for too, both ranked lists."""

    scores: dict[int, float]
    lists: tuple[list[int], list[int]] | None = None

    def ranked(
        self,
        shown: Mapping[int, Shown],
        k: int,
        beside: Callable[[int, Shown], tuple[Example | Passage, ...]],
    ) -> list[Evidence]:
        """The best `k` as evidence: by what both lists say together, then by score and, among equals, by id.

        `shown` has the record of each vector, `beside` gives its copies.
        """
        weights = reciprocal_ranks(self.lists) if self.lists else dict.fromkeys(self.scores, 0.0)
        order = sorted(weights, key=lambda number: (-weights[number], -self.scores[number], shown[number].record.id))
        return [
            Evidence(
                record=shown[number].record,
                score=self.scores[number],
                rank=rank,
                found_by=self._found_by(number),
                copies=beside(number, shown[number]),
            )
            for rank, number in enumerate(order[:k], start=1)
        ]

    def _found_by(self, number: int) -> tuple[str, ...]:
        if self.lists is None:
            return ()
        return tuple(name for name, found in zip(("vectors", "words"), self.lists, strict=True) if number in found)
