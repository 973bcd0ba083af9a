"""Looks at a running experiment."""

from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, stats

from evaluation.errors import StatisticsError
from evaluation.statistics.intervals import Numbers
from evaluation.statistics.sequential import START, equivalence_evidence, evidence, look, look_all, shuffled

PLANNED = 120


def arms(shift: float, groups: int = PLANNED, seed: int = 0) -> tuple[Numbers, Numbers, list[int]]:
    rng = np.random.default_rng(seed)
    first = rng.beta(2, 8, 2 * groups)
    return first, np.clip(first + rng.normal(shift, 0.1, 2 * groups), 0, 1), [n // 2 for n in range(2 * groups)]


def test_the_evidence_is_the_integral_over_normal_wagers() -> None:
    rng = np.random.default_rng(0)
    sums = rng.normal(0.3, 1.0, (40, 1))
    r = (sums[:START] ** 2).mean() * 40 / (-2 * np.log(0.05) + np.log(-2 * np.log(0.05)) + 1)
    total, energy = sums.sum(), (sums**2).sum()
    wager = lambda bet: np.exp(bet * total - bet**2 * energy / 2) * stats.norm.pdf(bet, 0, r**-0.5)  # noqa: E731
    worth, _ = integrate.quad(wager, -5, 5)
    assert evidence(sums, 40, 0.05)[-1, 0] == pytest.approx(np.log(worth), abs=1e-6)


def test_evidence_is_ever_false_at_most_alpha_of_the_time() -> None:
    rng = np.random.default_rng(1)
    sums = rng.standard_t(3, (200, 4000))
    assert (evidence(sums, 200, 0.05).max(axis=0) >= np.log(20)).mean() <= 0.05


def test_equivalence_is_ever_false_at_most_alpha_of_the_time() -> None:
    rng = np.random.default_rng(2)
    sums, sizes = (rng.random((200, 4000)) < 0.05).astype(float), np.ones(200)
    assert 0.01 <= (equivalence_evidence(sums, sizes, 1.0, 0.05)[-1] >= np.log(20)).mean() <= 0.05


def test_looking_at_every_group_finds_what_the_last_look_finds() -> None:
    first, second, groups = arms(0.05)
    looks = [look(first[: 2 * n], second[: 2 * n], groups[: 2 * n], planned=PLANNED) for n in range(1, PLANNED + 1)]
    p = [each.p for each in looks]
    assert p == sorted(p, reverse=True)
    assert p[-1] <= 0.05 < p[START - 2]
    stopped = next(each for each in looks if each.stop)
    assert stopped.groups < PLANNED
    assert stopped.verdict == looks[-1].verdict == "better"


def test_equal_arms_are_found_to_be_equivalent_and_lower_can_be_better() -> None:
    first, second, groups = arms(0.0)
    assert look(first, second, groups, planned=PLANNED, margin=0.1).verdict == "equivalent"
    first, second, groups = arms(0.1)
    assert look(first, second, groups, planned=PLANNED, lower_is_better=True).verdict == "worse"


def test_the_confidence_sequence_is_wider_than_the_interval_and_holds_the_difference() -> None:
    first, second, groups = arms(0.03)
    found = look(first, second, groups, planned=PLANNED).difference
    sums = np.add.reduceat(second - first, np.arange(0, 2 * PLANNED, 2))
    error = sums.std(ddof=1) / np.sqrt(PLANNED) / 2
    assert found.low is not None
    assert found.high is not None
    assert 2 * 1.96 * error < found.high - found.low < 2 * 3.5 * error
    assert found.low < found.value < found.high
    refuted = (sums - 2 * found.low)[:, None]
    assert evidence(refuted, PLANNED, 0.05)[-1, 0] == pytest.approx(np.log(20), abs=1e-3)


def test_at_the_planned_end_the_confidence_sequence_has_three_standard_errors() -> None:
    """The price of looking, as docs/evaluation.md has it."""
    second = np.tile([0.1, -0.1], 5_000)
    found = look(np.zeros(10_000), second, range(10_000), planned=10_000).difference
    assert (found.high or 0) / (0.1 / 100) == pytest.approx(3.04, abs=0.01)


def test_several_arms_are_adjusted_together() -> None:
    first, second, groups = arms(0.04)
    found = look_all({"base": first, "a": second, "b": first + 0.0}, "base", groups, planned=PLANNED, margin=0.2)
    assert found["a"].p_adjusted == pytest.approx(2 * found["a"].p)
    assert found["b"].p == 1.0


def test_shuffled_keeps_groups_together_and_gives_every_image_once() -> None:
    groups = ["a", "b", "a", "c", "b"]
    order = shuffled(groups, seed=3)
    named = [groups[place] for place in order]
    assert sorted(order) == list(range(5))
    assert sum(here != there for here, there in pairwise(named)) == 2
    assert len({tuple(shuffled(groups, seed)) for seed in range(20)}) > 3


def test_groups_that_come_again_too_many_groups_and_too_large_differences_are_refused() -> None:
    with pytest.raises(StatisticsError, match="group 'a' come again"):
        look([0, 0, 0], [1, 1, 1], ["a", "b", "a"], planned=5)
    with pytest.raises(StatisticsError, match="2 groups were seen and 1 were planned"):
        look([0, 0], [1, 1], ["a", "b"], planned=1)
    with pytest.raises(StatisticsError, match="differs by 3, reach is 1"):
        look([0, 0], [1, 3], ["a", "b"], planned=2)
