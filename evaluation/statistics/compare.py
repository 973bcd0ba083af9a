"""Two arms, or several with a baseline, over the same images: how far apart, how surely, and in one word.

Second minus first, paired by image; groups (an article, a case) are drawn, flipped and counted whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from evaluation.errors import StatisticsError
from evaluation.statistics.equivalence import not_equivalent_p
from evaluation.statistics.flips import flip_interval, flip_p
from evaluation.statistics.intervals import Estimate, Numbers
from evaluation.statistics.named import BISERIAL, Tested, mcnemar, wilcoxon
from evaluation.statistics.pairs import Pairs, pair
from evaluation.statistics.power import smallest_detectable
from evaluation.statistics.verdicts import ALPHA, Judged, Verdict, checked, judged, judged_together, others_than

__all__ = ["ALPHA", "TESTS", "Comparison", "Test", "Verdict", "compare", "compare_all", "compare_pairs"]

Test = Literal["bootstrap", "mcnemar", "wilcoxon"]
TESTS: tuple[Test, ...] = get_args(Test)


@dataclass(frozen=True)
class Comparison(Judged):
    """Judged by `test`, on the whole sample.

    `effect_size` is what `effect` names: paired d, rank-biserial correlation, or odds ratio; NaN where nothing
    differed. `smallest_detectable` is the true difference that 80 % of samples like this one would show, in the
    metric's unit; NaN where too few groups are there, or differ, to say it. `left_out` images had no value in an arm.
    """

    effect_size: float
    effect: str
    smallest_detectable: float
    left_out: int
    test: str

    @property
    def direction(self) -> float:
        """As everywhere; 0 where the ranks say higher and the mean says lower, or the other way round."""
        agree = self.effect != BISERIAL or np.sign(self.effect_size) == super().direction
        return super().direction if agree else 0.0


def compare(
    first: Sequence[float] | Numbers,
    second: Sequence[float] | Numbers,
    groups: Sequence[Hashable],
    *,
    margin: float | None = None,
    alpha: float = ALPHA,
    test: Test | None = None,
    lower_is_better: bool = False,
) -> Comparison:
    """How `second` differs from `first`, `(n,)` values of the same images with the group of each.

    `margin` is the largest difference that does not matter, in the metric's unit. Where no `test` is named, right and
    wrong is tested by McNemar's, all else by the bootstrap. Raises StatisticsError where the values cannot be paired,
    the margin is not above 0, alpha is no probability, or the test is not for such values.
    """
    pairs = pair(first, second, groups)
    return judged(_compare(pairs, margin, alpha, test or _usual([pairs]), lower_is_better))


def compare_all(
    arms: Mapping[str, Sequence[float] | Numbers],
    baseline: str,
    groups: Sequence[Hashable],
    *,
    margin: float | None = None,
    alpha: float = ALPHA,
    test: Test | None = None,
    lower_is_better: bool = False,
) -> dict[str, Comparison]:
    """Every arm against the baseline, by name, with verdicts that hold for all of them at once (Holm).

    As `compare_pairs`. Raises StatisticsError where the baseline is no arm or the only one, too.
    """
    names = others_than(baseline, arms)
    found = compare_pairs(
        arms, [(baseline, name) for name in names], groups,
        margin=margin, alpha=alpha, test=test, lower_is_better=lower_is_better,
    )  # fmt: skip
    return dict(zip(names, found, strict=True))


def compare_pairs(
    arms: Mapping[str, Sequence[float] | Numbers],
    several: Sequence[tuple[str, str]],
    groups: Sequence[Hashable],
    *,
    margin: float | None = None,
    alpha: float = ALPHA,
    test: Test | None = None,
    lower_is_better: bool = False,
) -> list[Comparison]:
    """Each pair's second arm against its first, as `compare` has them, with verdicts that hold for all at once (Holm).

    All have one test. The smallest detectable difference is that of Holm's first and strictest step, alpha / pairs;
    intervals are each pair's own. Raises StatisticsError as `compare` does.
    """
    pairs = [pair(arms[first], arms[second], groups) for first, second in several]
    test = test or _usual(pairs)
    found = [_compare(each, margin, alpha, test, lower_is_better, len(pairs)) for each in pairs]
    return list(judged_together({str(place): each for place, each in enumerate(found)}).values())


def _compare(
    pairs: Pairs, margin: float | None, alpha: float, test: Test, lower_is_better: bool, arms: int = 1
) -> Comparison:
    checked(margin, alpha)
    if test not in RUN:
        raise StatisticsError(f"there is no test {test!r}; there are {', '.join(TESTS)}")
    sums = pairs.sums[:, None]
    low, high = flip_interval(sums, pairs.sizes, alpha)
    # Where fewer differ, they say little of how the others might.
    said = np.isfinite([low[0], high[0]]).all() and pairs.can_reject(alpha)
    ends = (float(low[0]), float(high[0])) if said else (None, None)
    within = None if margin is None else not_equivalent_p(sums, pairs.sizes, np.asarray([pairs.reach]), margin)
    tested = RUN[test](pairs)
    return Comparison(
        difference=Estimate(float(pairs.sums.sum() / pairs.sizes.sum()), *ends),
        p=tested.p,
        p_adjusted=None,
        margin=margin,
        p_equivalent=None if within is None else float(within[0]),
        n=len(pairs.first),
        groups=len(pairs.sizes),
        alpha=alpha,
        lower_is_better=lower_is_better,
        verdict="inconclusive",
        effect_size=tested.effect_size,
        effect=tested.effect,
        smallest_detectable=smallest_detectable(pairs, alpha / arms, test),
        left_out=pairs.left_out,
        test=tested.name,
    )


def _usual(several: Sequence[Pairs]) -> Test:
    """What values like these are tested by."""
    return "mcnemar" if all(pairs.right_or_wrong for pairs in several) else "bootstrap"


def _bootstrap(pairs: Pairs) -> Tested:
    p = flip_p(pairs.sums[:, None])
    spread = pairs.differences.std(ddof=1) if len(pairs.first) > 1 else 0.0
    size = pairs.differences.mean() / spread if spread > 0 else float("nan")
    return Tested("sign-flip bootstrap by group", float(p[0]), "paired d", float(size))


RUN: Mapping[str, Callable[[Pairs], Tested]] = {"bootstrap": _bootstrap, "mcnemar": mcnemar, "wilcoxon": wilcoxon}
