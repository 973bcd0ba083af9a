"""A comparison against other implementations, and what must hold of any."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower

from evaluation.errors import StatisticsError
from evaluation.statistics.compare import Comparison, Test, compare, compare_all, compare_pairs
from evaluation.statistics.flips import flip_interval, flip_p
from evaluation.statistics.intervals import Numbers
from evaluation.statistics.power import FEWEST


def scores(n: int, shift: float = 0.0, seed: int = 0) -> tuple[Numbers, Numbers]:
    rng = np.random.default_rng(seed)
    first = rng.beta(2, 8, n)
    return first, first + rng.normal(shift, 0.1, n)


def rights(n: int, share: float, seed: int = 0) -> tuple[Numbers, Numbers]:
    rng = np.random.default_rng(seed)
    return (rng.random(n) < 0.5).astype(float), (rng.random(n) < share).astype(float)


def test_flips_are_scipys_permutation_test_of_pairs() -> None:
    first, second = scores(11, 0.05)
    ours = compare(first, second, range(11))
    theirs = stats.permutation_test(
        (second, first), lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples", vectorized=True, n_resamples=np.inf,
    )  # fmt: skip
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_flips_of_right_and_wrong_are_the_mid_p_of_mcnemar() -> None:
    first, second = rights(120, 0.62)
    flipped, named = (compare(first, second, range(120), test=test) for test in ("bootstrap", "mcnemar"))
    b, c = int((second > first).sum()), int((second < first).sum())
    exact = statsmodels_mcnemar([[0, b], [c, 0]], exact=True).pvalue
    assert named.p == pytest.approx(exact - stats.binom.pmf(b, b + c, 0.5))
    assert flipped.p == pytest.approx(named.p, abs=0.01)
    assert named.effect_size == pytest.approx(b / c)


def test_mcnemar_by_group_is_yangs_statistic_in_large_samples() -> None:
    first, second = rights(900, 0.55)
    groups = np.repeat(np.arange(300), 3)
    sums = np.bincount(groups, weights=second - first)
    chi_square = stats.chi2.sf(sums.sum() ** 2 / (sums**2).sum(), 1)
    assert compare(first, second, groups, test="mcnemar").p == pytest.approx(chi_square, abs=0.02)


def test_wilcoxon_is_scipys_and_by_group_it_is_the_same_of_single_images() -> None:
    rng = np.random.default_rng(1)
    first = rng.integers(1, 6, 80).astype(float)
    second = np.clip(first + rng.integers(-1, 3, 80), 1, 5).astype(float)
    single = compare(first, second, range(80), test="wilcoxon")
    assert single.p == pytest.approx(stats.wilcoxon(second - first).pvalue)
    paired = compare(np.tile(first, 2), np.tile(second, 2), np.tile(np.arange(80), 2), test="wilcoxon")
    assert "by group" in paired.test
    assert paired.p == pytest.approx(single.p, abs=0.01), "each image twice, as one article, says no more than once"


def test_the_interval_is_students_in_large_samples_of_single_images() -> None:
    first, second = scores(300, 0.02)
    found = compare(first, second, range(300)).difference
    theirs = stats.ttest_rel(second, first).confidence_interval()
    assert found.low == pytest.approx(theirs.low, abs=0.001)
    assert found.high == pytest.approx(theirs.high, abs=0.001)


def test_holm_is_statsmodels_and_widens_no_interval() -> None:
    first, second = scores(60, 0.03)
    arms = {"base": first, "one": second, "two": first + (second - first) * 0.5, "three": scores(60, 0.0, 3)[1]}
    found = compare_all(arms, "base", range(60))
    alone = {name: compare(first, arms[name], range(60)) for name in found}
    expected = multipletests([each.p for each in alone.values()], method="holm")[1]
    assert [each.p_adjusted for each in found.values()] == pytest.approx(list(expected))
    assert [each.difference for each in found.values()] == [each.difference for each in alone.values()]
    assert all(found[name].smallest_detectable > alone[name].smallest_detectable for name in found)


def test_pairs_are_judged_as_each_alone_but_for_holm() -> None:
    """Their differences against a column of zeros lost how far values reach, and that they were right and wrong."""
    same = np.tile(np.linspace(0.0, 1.0, 10), 3)
    other = same.copy()
    other[4] += 0.1
    found, again = compare_pairs({"x": same, "y": other}, [("x", "y"), ("y", "x")], range(30), margin=0.05)
    alone = compare(same, other, range(30), margin=0.05)
    assert (alone.verdict, found.verdict, again.verdict) == ("inconclusive",) * 3
    assert alone.p_equivalent == pytest.approx(0.24, abs=0.02)
    assert found.p_equivalent == pytest.approx(2 * alone.p_equivalent)  # Holm's, of two
    one, two = rights(40, 0.9)
    (right,) = compare_pairs({"x": one, "y": two}, [("x", "y")], range(40), margin=0.1)
    expected = compare(one, two, range(40), margin=0.1)
    assert right == replace(expected, p_adjusted=expected.p)
    assert compare_pairs({"x": one}, [], range(40)) == []


def test_right_and_wrong_is_tested_by_mcnemar_where_no_test_is_named() -> None:
    first, second = rights(80, 0.6)
    found = compare_all({"a": first, "b": second}, "a", range(80))["b"]
    assert (found.test, compare(first, second, range(80)).test) == ("McNemar mid-p",) * 2
    # One arm that is not right and wrong: all of a metric have one test.
    mixed = compare_all({"a": first, "b": second, "c": second * 0.5}, "a", range(80))
    assert {each.test for each in mixed.values()} == {"sign-flip bootstrap by group"}


def test_equivalence_of_right_and_wrong_is_clopper_and_pearsons_bound() -> None:
    first = np.ones(60)
    second = first.copy()
    second[:2] = 0.0
    p = compare(first, second, range(60), margin=0.1).p_equivalent
    # Two of 60 or fewer, where one in ten differs.
    assert p == pytest.approx(stats.binom.cdf(2, 60, 0.1), abs=0.01)


def test_thirty_images_without_a_difference_do_not_prove_that_there_is_none() -> None:
    right = np.ones(30)
    assert compare(right, right, range(30), margin=0.05).verdict == "inconclusive"
    assert compare(np.ones(100), np.ones(100), range(100), margin=0.05).verdict == "equivalent"


@pytest.mark.parametrize("test", ["bootstrap", "mcnemar", "wilcoxon"])
def test_a_run_does_not_differ_from_itself(test: Test) -> None:
    first, _ = rights(80, 0.5)
    for groups in (range(80), np.arange(80) // 2, np.arange(80) // 10):
        found = compare(first, first, groups, test=test)
        assert (found.p, found.difference.value, found.verdict) == (1.0, 0.0, "inconclusive")


def test_values_that_could_not_have_differed_are_not_called_equivalent() -> None:
    assert compare(np.full(500, 0.3), np.full(500, 0.3), range(500), margin=0.05).verdict == "inconclusive"


def test_the_smallest_effect_is_near_that_of_the_t_test() -> None:
    first, second = scores(200)
    analytic = TTestPower().solve_power(nobs=200, alpha=0.05, power=0.8) * (second - first).std(ddof=1)
    ratio = compare(first, second, range(200)).smallest_detectable / analytic
    assert 1.0 <= ratio <= 1.08


def test_no_smallest_effect_is_stated_of_few_articles_or_where_few_differ() -> None:
    first, second = scores(FEWEST, 0.1)
    assert compare(first, second, range(FEWEST)).smallest_detectable > 0
    assert np.isnan(compare(first[1:], second[1:], range(FEWEST - 1)).smallest_detectable)
    # Articles of several sizes count as fewer.
    assert np.isnan(compare(first, second, [0, *range(FEWEST - 1)]).smallest_detectable)
    six = np.r_[second[:6], first[6:]]
    assert compare(first, six, range(FEWEST)).smallest_detectable > 0
    assert np.isnan(compare(first, np.r_[second[:5], first[5:]], range(FEWEST)).smallest_detectable)


def test_what_is_surely_within_the_margin_is_equivalent_though_surely_not_zero() -> None:
    first, second = scores(2000, 0.01)
    assert compare(first, second, range(2000)).verdict == "better"
    assert compare(first, second, range(2000), margin=0.05).verdict == "equivalent"
    assert compare(first, second, range(2000), margin=0.005).verdict == "better"


def test_five_groups_can_show_nothing() -> None:
    found = compare(np.zeros(50), np.linspace(1, 2, 50), np.arange(50) // 10)
    assert (found.verdict, found.difference.low, found.difference.high) == ("inconclusive", None, None)
    assert np.isnan(found.smallest_detectable)


def test_ranks_and_mean_that_disagree_give_no_direction() -> None:
    difference = np.r_[np.full(40, 0.1), np.full(10, -1.0)] + np.linspace(0, 0.01, 50)
    found = compare(np.zeros(50), difference, range(50), test="wilcoxon")
    assert found.difference.value < 0 < found.effect_size
    assert replace(found, p=0.0).direction == 0
    assert found.verdict == "inconclusive"


def test_images_without_a_value_are_left_out_and_counted() -> None:
    first, second = scores(50, 0.1)
    holed = first.copy()
    holed[:5] = np.nan
    found = compare(holed, second, range(50))
    assert (found.n, found.left_out) == (45, 5)
    assert found.difference == compare(first[5:], second[5:], range(45)).difference


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"second": [1.0]}, "3 values, 1 values and 3 groups cannot be paired"),
        ({"first": [np.nan] * 3}, "none has a value in both arms"),
        ({"first": [0.0, np.inf, 0.0]}, "a value is infinite"),
        ({"margin": 0.0}, "the margin is 0.0"),
        ({"alpha": 1.0}, "alpha is 1.0"),
        ({"test": "t"}, "there is no test 't'; there are bootstrap, mcnemar, wilcoxon"),
        ({"first": [0.5, 0.0, 1.0], "test": "mcnemar"}, "right and wrong"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_line(change: dict[str, object], message: str) -> None:
    given_ = {"first": [0.0, 1.0, 0.0], "second": [1.0, 1.0, 0.0], "groups": ["a", "b", "c"], **change}
    with pytest.raises(StatisticsError, match=message) as error:
        compare(**given_)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_a_baseline_that_is_no_arm_or_the_only_one_is_refused() -> None:
    with pytest.raises(StatisticsError, match="there is no arm 'c'"):
        compare_all({"a": [1.0], "b": [1.0]}, "c", ["g"])
    with pytest.raises(StatisticsError, match="'a' is the only arm"):
        compare_all({"a": [1.0]}, "a", ["g"])


VALUES = st.lists(
    st.tuples(
        st.floats(0, 1).map(lambda x: round(x, 3)), st.floats(0, 1).map(lambda x: round(x, 3)), st.integers(0, 8)
    ),
    min_size=1, max_size=40,
)  # fmt: skip


def of(rows: list[tuple[float, float, int]], swapped: bool = False, lower: bool = False) -> Comparison:
    first, second, groups = zip(*rows, strict=True)
    one, two = (second, first) if swapped else (first, second)
    return compare(one, two, groups, margin=0.1, lower_is_better=lower)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_swapping_the_arms_turns_everything_round(rows: list[tuple[float, float, int]]) -> None:
    here, there = of(rows), of(rows, swapped=True)
    assert here.difference.value == pytest.approx(-there.difference.value, abs=1e-12)
    assert here.p == pytest.approx(there.p)
    assert here.p_equivalent == pytest.approx(there.p_equivalent)
    turned = {"better": "worse", "worse": "better"}
    assert turned.get(here.verdict, here.verdict) == there.verdict == of(rows, lower=True).verdict
    if here.difference.low is not None:
        assert here.difference.low == pytest.approx(-(there.difference.high or 0.0), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(VALUES)
def test_interval_and_p_agree_and_hold_the_difference(rows: list[tuple[float, float, int]]) -> None:
    found = of(rows)
    low, high = found.difference.low, found.difference.high
    assert (low is None) == (high is None)
    if low is not None and high is not None:
        assert low - 1e-9 <= found.difference.value <= high + 1e-9
        if found.p > 0.05:
            assert low <= 1e-9
            assert high >= -1e-9
        else:
            # Where ties count half, an end may be 0 itself.
            assert low >= -1e-9 or high <= 1e-9


@settings(max_examples=30, deadline=None)
@given(VALUES, st.randoms(use_true_random=False))
def test_order_of_images_and_names_of_groups_do_not_matter(rows: list[tuple[float, float, int]], r: Random) -> None:
    other = [(a, b, -g) for a, b, g in rows]
    r.shuffle(other)
    here, there = of(rows), of(other)
    assert here.p == pytest.approx(there.p)
    assert here.p_equivalent == pytest.approx(there.p_equivalent)
    assert here.verdict == there.verdict


def test_two_groups_in_another_order_have_the_verdict_that_they_had() -> None:
    """Their p lies so near alpha that other draws would judge otherwise."""
    rows = [(0.75, 0.742, 0), (0.816, 0.75, 1), (0.816, 0.707, 1)]
    here, there = of(rows), of(rows[::-1])
    assert here.p_equivalent == pytest.approx(there.p_equivalent)
    assert here.verdict == there.verdict


def test_many_experiments_at_once_give_what_one_gives() -> None:
    rng = np.random.default_rng(2)
    sums, sizes = rng.normal(size=(30, 4)), rng.integers(1, 6, 30).astype(float)
    low, high = flip_interval(sums, sizes, 0.05)
    for column in range(4):
        alone = sums[:, [column]]
        assert flip_p(alone)[0] == flip_p(sums)[column]
        assert np.hstack(flip_interval(alone, sizes, 0.05)) == pytest.approx([low[column], high[column]])


def test_articles_that_repeat_themselves_are_not_taken_for_more_images() -> None:
    """A/A with ten copies of each difference: flipping images would be wrong most of the time."""
    rng = np.random.default_rng(0)
    differences = rng.normal(size=(20, 400))
    assert (flip_p(differences * 10) <= 0.05).mean() <= 0.07
    assert (flip_p(np.repeat(differences, 10, axis=0)) <= 0.05).mean() > 0.4


def test_five_groups_that_differ_give_no_interval_and_six_do() -> None:
    five, six = np.zeros(60), np.zeros(60)
    five[:5], six[:6] = 0.3, 0.3
    assert compare(np.zeros(60), five, range(60)).difference.low is None
    assert compare(np.zeros(60), six, range(60)).difference.low is not None


def test_wilcoxon_of_few_differences_is_the_exact_test() -> None:
    difference = np.r_[np.arange(1.0, 10.0), -10.0, np.zeros(20)]
    found = compare(np.zeros(30), difference, range(30), test="wilcoxon")
    # Without ties but with the statistic's own: scipy's exact p, of which those exactly as far count half.
    exact = stats.wilcoxon(difference[:10], method="exact").pvalue
    assert exact * 0.5 < found.p <= exact
