"""Reciprocal rank fusion."""

from hypothesis import given
from hypothesis import strategies as st

from indexer.fusion import RRF_CONSTANT
from indexer.types import Evidence, Passage
from rag.retrieve import fuse


def hits(*ids: str) -> list[Evidence]:
    return [Evidence(Passage(i, i, "s", i), score=1 - rank / 100, rank=rank) for rank, i in enumerate(ids, start=1)]


def test_a_record_found_twice_beats_one_found_once() -> None:
    fused = fuse([("captions", hits("a", "b")), ("question", hits("c", "b"))], 3)
    assert [e.id for e in fused] == ["b", "a", "c"]
    assert fused[0].found_by == ("captions", "question")
    assert [e.rank for e in fused] == [1, 2, 3]


def test_the_score_stays_the_best_cosine() -> None:
    assert fuse([("x", hits("a", "b")), ("y", hits("b"))], 2)[0].score == 0.99


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), max_size=5), st.integers(1, 10))
def test_the_order_is_that_of_the_formula(lists: list[list[str]], k: int) -> None:
    weight: dict[str, float] = {}
    for ids in lists:
        for rank, id_ in enumerate(ids, start=1):
            weight[id_] = weight.get(id_, 0) + 1 / (RRF_CONSTANT + rank)
    fused = fuse([(str(n), hits(*ids)) for n, ids in enumerate(lists)], k)
    assert len(fused) == min(k, len(weight))
    weights = [weight[e.id] for e in fused]
    assert weights == sorted(weights, reverse=True)
    assert all(w <= min(weights) + 1e-12 for i, w in weight.items() if i not in {e.id for e in fused})
