"""Which of what was found becomes evidence: fused, reranked, made various, and cut where it gets weak."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np

from indexer.fusion import reciprocal_ranks
from indexer.types import Evidence, Example, Vectors
from rag.cross_encoder import CrossEncoder

HowMany = Literal["fixed", "adaptive"]
PassagesBy = Literal["image", "captions", "concepts", "question"]
VectorsOf = Callable[[Sequence[str]], Vectors]
"""The stored vectors of records, by id: float32 `(n, dim)`, rows of unit length."""

_POOL = 20
"""How many are looked at where more is decided than by likeness alone; or four times as many as are wanted."""


@dataclass(frozen=True)
class Selection:
    """How evidence is chosen: `k` of it, or fewer where it is `adaptive`.

    `diversity` is MMR's, 0 for likeness alone; `passages_by` are the searches that passages come from. With
    `one_per_article` several images of one article are one witness, and do not fill the evidence.
    """

    how_many: HowMany = "fixed"
    min_score: float = 0.0
    diversity: float = 0.0
    reranker: CrossEncoder | None = None
    passages_by: frozenset[PassagesBy] = frozenset({"image", "captions", "concepts", "question"})
    one_per_article: bool = False

    def pool(self, k: int, examples: bool = False) -> int:
        """How many to search for where `k` are wanted; of examples more where their articles count."""
        more = self.diversity or self.reranker or (examples and self.one_per_article)
        return max(_POOL, 4 * k) if more else k

    def choose(self, found: Sequence[Evidence], k: int, vectors: VectorsOf, question: str = "") -> list[Evidence]:
        """At most `k` of a pool, ranked from 1. A reranker holds the texts against the `question`, if there is one."""
        chosen = list(found)
        if self.reranker is not None and question:
            chosen = rerank(chosen, question, self.reranker)
        if self.one_per_article:
            chosen = of_many_articles(chosen, k)
        if self.diversity:
            chosen = various(chosen, k, self.diversity, vectors)
        chosen = chosen[:k]
        if self.how_many == "adaptive":
            chosen = adaptive(chosen, self.min_score)
        return [replace(item, rank=rank) for rank, item in enumerate(chosen, start=1)]


def fuse(lists: Iterable[tuple[str, Sequence[Evidence]]], k: int) -> list[Evidence]:
    """Reciprocal rank fusion of named result lists: the `k` best, ranked from 1.

    A record's score stays its best cosine similarity; ties go to the higher score, then the id.
    """
    named = [(name, hits) for name, hits in lists]
    weight = reciprocal_ranks([hit.id for hit in hits] for _, hits in named)
    best: dict[str, Evidence] = {}
    names: dict[str, set[str]] = {}
    for name, hits in named:
        for hit in hits:
            names.setdefault(hit.id, set()).add(name)
            if hit.id not in best or hit.score > best[hit.id].score:
                best[hit.id] = hit
    order = sorted(weight, key=lambda id_: (-weight[id_], -best[id_].score, id_))[:k]
    return [replace(best[i], rank=rank, found_by=tuple(sorted(names[i]))) for rank, i in enumerate(order, start=1)]


def rerank(found: Sequence[Evidence], question: str, model: CrossEncoder) -> list[Evidence]:
    """What was found, by how well a cross-encoder finds that each text answers a question; among equals as it was."""
    scores = model.scores([(question, item.text) for item in found])
    order = sorted(range(len(found)), key=lambda place: (-float(scores[place][-1]), place))
    return [found[place] for place in order]


def of_many_articles(found: Sequence[Evidence], k: int) -> list[Evidence]:
    """The first example of each article in their order; where those are fewer than `k`, as many others behind them.

    Passages, and examples whose article is not known, are each of their own.
    """
    seen: set[str] = set()
    first: list[Evidence] = []
    others: list[Evidence] = []
    for item in found:
        article = item.record.article if isinstance(item.record, Example) else None
        (others if article in seen else first).append(item)
        if article:
            seen.add(article)
    return first + others[: max(0, k - len(first))]


def various(found: Sequence[Evidence], k: int, diversity: float, vectors: VectorsOf) -> list[Evidence]:
    """The `k` of maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998), in the order they are taken.

    Each next is the one of the highest (1 - diversity) * its score - diversity * its likeness to the likest taken.
    """
    if not found:
        return []
    held = vectors([item.id for item in found]).astype(np.float64)
    alike = held @ held.T
    score = np.array([item.score for item in found])
    taken: list[int] = []
    while len(taken) < min(k, len(found)):
        near = alike[:, taken].max(axis=1) if taken else np.zeros(len(found))
        worth = (1 - diversity) * score - diversity * near
        worth[taken] = -np.inf
        taken.append(int(np.argmax(worth)))
    return [found[place] for place in taken]


def adaptive(found: Sequence[Evidence], min_score: float) -> list[Evidence]:
    """Those of at least `min_score`, up to the largest gap between the scores of two that follow each other.

    The best is kept where it has the least score; evidence that is ranked by more than its score is cut in that order.
    """
    kept = [item for item in found if item.score >= min_score]
    gaps = [first.score - second.score for first, second in pairwise(kept)]
    if not gaps or max(gaps) <= 0:
        return kept
    return kept[: gaps.index(max(gaps)) + 1]
