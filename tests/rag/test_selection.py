"""Evidence is chosen as the settings say: fused, reranked, various, cut at the largest gap."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from indexer.types import Evidence, Example, Vectors
from rag.selection import Selection, adaptive, of_many_articles, rerank, various

VECTORS = {"a": (1.0, 0.0), "b": (0.999, 0.045), "c": (0.6, 0.8)}


def found(**scores: float) -> list[Evidence]:
    return [
        Evidence(Example(name, f"caption {name}", "test"), score, rank)
        for rank, (name, score) in enumerate(scores.items(), start=1)
    ]


def vectors(ids: Sequence[str]) -> Vectors:
    return np.array([VECTORS[id_] for id_ in ids], np.float32)


def ids(evidence: Sequence[Evidence]) -> list[str]:
    return [item.id for item in evidence]


class Backwards:
    """A cross-encoder that likes later letters."""

    def scores(self, pairs: Sequence[tuple[str, str]]) -> Any:
        return np.array([[float(ord(text[-1]))] for _, text in pairs], np.float32)


def test_variety_takes_another_before_a_second_of_the_same() -> None:
    pool = found(a=0.9, b=0.89, c=0.7)
    assert ids(various(pool, 2, 0.0, vectors)) == ["a", "b"]
    assert ids(various(pool, 2, 0.5, vectors)) == ["a", "c"]
    assert various([], 2, 0.5, vectors) == []


def of_articles(*articles: str | None) -> list[Evidence]:
    """Examples a, b, c ... of these articles, the nearest first."""
    return [
        Evidence(Example(name, f"caption {name}", "test", article=article), 1 - rank / 10, rank)
        for rank, (name, article) in enumerate(zip("abcdefg", articles, strict=False), start=1)
    ]


@pytest.mark.parametrize(
    ("articles", "k", "kept"),
    [
        (("1", "1", "2", "1", "3"), 3, ["a", "c", "e"]),
        (("1", "1", "2", "1"), 3, ["a", "c", "b"]),
        (("1", "1", "1"), 2, ["a", "b"]),
        ((None, None, None), 2, ["a", "b"]),
        ((None, "1", "1", None), 4, ["a", "b", "d", "c"]),
    ],
)
def test_one_article_is_one_witness_as_long_as_there_are_others(
    articles: tuple[str | None, ...], k: int, kept: list[str]
) -> None:
    assert ids(of_many_articles(of_articles(*articles), k))[:k] == kept
    chosen = Selection(one_per_article=True).choose(of_articles(*articles), k, vectors)
    assert [(item.id, item.rank) for item in chosen] == [(name, n) for n, name in enumerate(kept, start=1)]
    assert ids(Selection().choose(of_articles(*articles), k, vectors)) == list("abcd"[:k])


@pytest.mark.parametrize(
    ("scores", "least", "kept"),
    [
        ({"a": 0.9, "b": 0.88, "c": 0.4}, 0.0, ["a", "b"]),
        ({"a": 0.9, "b": 0.5, "c": 0.4}, 0.0, ["a"]),
        ({"a": 0.5, "b": 0.5, "c": 0.5}, 0.0, ["a", "b", "c"]),
        ({"a": 0.9, "b": 0.88, "c": 0.4}, 0.89, ["a"]),
        ({"a": 0.2}, 0.3, []),
    ],
)
def test_adaptive_evidence_ends_at_the_largest_gap(scores: dict[str, float], least: float, kept: list[str]) -> None:
    assert ids(adaptive(found(**scores), least)) == kept


def test_a_reranker_orders_by_what_it_reads_and_ranks_count_anew() -> None:
    pool = found(a=0.9, b=0.8, c=0.7)
    assert ids(rerank(pool, "?", Backwards())) == ["c", "b", "a"]  # type: ignore[arg-type]
    chosen = Selection(reranker=Backwards()).choose(pool, 2, vectors, "What is it?")  # type: ignore[arg-type]
    assert [(item.id, item.rank) for item in chosen] == [("c", 1), ("b", 2)]
    without_question = Selection(reranker=Backwards()).choose(pool, 2, vectors)  # type: ignore[arg-type]
    assert ids(without_question) == ["a", "b"]


def test_more_is_searched_for_only_where_more_is_decided() -> None:
    assert Selection().pool(5) == 5
    assert Selection(diversity=0.3).pool(5) == 20
    assert Selection(diversity=0.3).pool(10) == 40
    assert Selection(one_per_article=True).pool(5) == 5
    assert Selection(one_per_article=True).pool(5, examples=True) == 20
