"""Successive halving: how many candidates see how many images, and who stays."""

from itertools import pairwise

import pytest

from evaluation.experiments.halving import Round, rounds, stay

ALONE = [str(n) for n in range(80)]


def test_each_round_has_fewer_candidates_and_the_last_sees_all() -> None:
    assert rounds(8, ALONE, 2) == [Round(8, 20, 4), Round(4, 40, 2), Round(2, 80, 1)]
    assert rounds(9, ALONE, 3) == [Round(9, 27, 3), Round(3, 80, 1)]
    assert rounds(2, ALONE, 2) == [Round(2, 80, 1)]


@pytest.mark.parametrize("keep_one_in", [2, 3, 4])
@pytest.mark.parametrize("candidates", range(2, 40))
def test_one_is_left_at_a_cost_below_that_of_trying_all_on_all(candidates: int, keep_one_in: int) -> None:
    found = rounds(candidates, ALONE, keep_one_in)
    assert found[0].candidates == candidates
    assert all(now.stay == then.candidates for now, then in pairwise(found))
    assert found[-1].stay == 1
    assert found[-1].images == len(ALONE)
    images = [each.images for each in found]
    assert images == sorted(images)
    new = [each.images - before for each, before in zip(found, [0, *images], strict=False)]
    cost = sum(each.candidates * more for each, more in zip(found, new, strict=True))
    assert cost <= candidates * len(ALONE)
    if len(found) > 1:
        assert cost < candidates * len(ALONE)


def test_a_round_ends_with_an_article() -> None:
    pairs = [str(n // 3) for n in range(30)]
    assert [each.images for each in rounds(8, pairs, 2)] == [9, 15, 30]


def test_of_equal_candidates_the_first_stays() -> None:
    assert stay({"start": 0.5, "a": 0.5, "b": 0.6, "c": 0.4}, 2) == ["start", "b"]
    assert stay({"start": 0.5, "a": 0.5}, 1) == ["start"]
