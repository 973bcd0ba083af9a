import math

import pytest

from evaluation.statistics.intervals import draws, estimate


def test_a_class_mean_weighs_classes_alike() -> None:
    found = estimate([1, 1, 1, 0], ["a", "b", "c", "d"], ["x", "x", "x", "y"])
    assert found.value == pytest.approx(0.5)
    assert found.plain == pytest.approx(0.75)


def test_rows_of_a_group_are_drawn_together() -> None:
    weights = draws(["a", "b", "a"], count=50)
    assert (weights[:, 0] == weights[:, 2]).all()
    assert (weights[:, 0] + weights[:, 1] == 2).all()


def test_the_interval_is_that_of_the_groups() -> None:
    values = [1.0] * 50 + [0.0] * 50
    alone = estimate(values, range(100))
    paired = estimate(values, [n // 2 for n in range(100)])
    assert alone.low is not None
    assert paired.low is not None
    # 0.5 -+ 1.96 * sqrt(0.25 / n) with n = 100 rows, and with n = 50 groups of equal rows
    assert alone.low == pytest.approx(0.5 - 1.96 * 0.05, abs=0.02)
    assert paired.low == pytest.approx(0.5 - 1.96 * math.sqrt(0.25 / 50), abs=0.02)


def test_p_is_small_only_where_the_mean_is_surely_above_zero() -> None:
    sure, unsure = estimate([0.1] * 20, range(20), test=True), estimate([-0.1, 0.1] * 10, range(20), test=True)
    assert sure.p is not None
    assert unsure.p is not None
    assert sure.p < 0.001 < 0.3 < unsure.p


def test_no_rows_are_no_figure() -> None:
    assert math.isnan(estimate([], []).value)
