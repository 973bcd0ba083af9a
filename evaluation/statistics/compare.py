"""Two arms, or several with a baseline, over the same images: how far apart, how surely, and in one word.

Second minus first, paired by image; groups (an article, a case) are drawn, flipped and counted whole.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from evaluation.errors import StatisticsError
from evaluation.statistics.equivalence import not_equivalent_p
from evaluation.statistics.flips import flip_interval, flip_p
from evaluation.statistics.intervals import Estimate, Numbers
from evaluation.statistics.named import Tested, mcnemar, wilcoxon
from evaluation.statistics.pairs import Pairs, pair
from evaluation.statistics.power import smallest_detectable

Test = Literal["bootstrap", "mcnemar", "wilcoxon"]
Verdict = Literal["better", "worse", "equivalent", "inconclusive"]
TESTS: tuple[Test, ...] = get_args(Test)
ALPHA = 0.05


@dataclass(frozen=True)
class Comparison:
    """Second minus first, paired by image, groups drawn whole. `verdict` is of the second.

    `difference` has the 1 - alpha interval. `p` is two-sided, of `test`, `p_adjusted` Holm's across the arms that were
    compared together. `effect_size` is what `effect` names: paired d, rank-biserial correlation, or odds ratio.
    `smallest_detectable` is the difference that a sample like this one shows in 80 % of cases; NaN where it cannot be
    said. `p_equivalent` is the p of the claim that the difference is within `margin`; both are None where no margin was
    given. `n` images in `groups` groups were paired; `left_out` had no value in an arm.
    """

    difference: Estimate
    p: float
    p_adjusted: float | None
    effect_size: float
    effect: str
    smallest_detectable: float
    margin: float | None
    p_equivalent: float | None
    n: int
    groups: int
    left_out: int
    test: str
    alpha: float
    lower_is_better: bool
    verdict: Verdict


def compare(
    first: Sequence[float] | Numbers,
    second: Sequence[float] | Numbers,
    groups: Sequence[Hashable],
    *,
    margin: float | None = None,
    alpha: float = ALPHA,
    test: Test = "bootstrap",
    lower_is_better: bool = False,
) -> Comparison:
    """How `second` differs from `first`, `(n,)` values of the same images with the group of each.

    `margin` is the largest difference that does not matter, in the metric's unit. Raises StatisticsError where the
    values cannot be paired, the margin is not above 0, alpha is no probability, or the test is not for such values.
    """
    return _compare(first, second, groups, margin, alpha, test, lower_is_better, arms=1)


def compare_all(
    arms: Mapping[str, Sequence[float] | Numbers],
    baseline: str,
    groups: Sequence[Hashable],
    *,
    margin: float | None = None,
    alpha: float = ALPHA,
    test: Test = "bootstrap",
    lower_is_better: bool = False,
) -> dict[str, Comparison]:
    """Every arm against the baseline, by name: p and p_equivalent are Holm-adjusted, and verdicts go by that.

    The smallest detectable difference is that of Holm's first and strictest step, alpha / arms; intervals are each
    arm's own. Raises StatisticsError as `compare` does, and where the baseline is no arm or the only one.
    """
    others = [name for name in arms if name != baseline]
    if baseline not in arms:
        raise StatisticsError(f"there is no arm {baseline!r} to compare with; there are {', '.join(map(repr, arms))}")
    if not others:
        raise StatisticsError(f"{baseline!r} is the only arm: give one or more to compare it with")
    found = [
        _compare(arms[baseline], arms[name], groups, margin, alpha, test, lower_is_better, len(others))
        for name in others
    ]
    adjusted = holm([each.p for each in found])
    within = holm([each.p_equivalent for each in found if each.p_equivalent is not None])
    return {
        name: _judged(replace(each, p_adjusted=p, p_equivalent=within[place] if within else None))
        for place, (name, each, p) in enumerate(zip(others, found, adjusted, strict=True))
    }


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p: that any of the claims is false is at most as likely as the largest that is claimed."""
    from statsmodels.stats.multitest import multipletests

    return [float(value) for value in multipletests(p, method="holm")[1]] if p else []


def _compare(
    first: Sequence[float] | Numbers,
    second: Sequence[float] | Numbers,
    groups: Sequence[Hashable],
    margin: float | None,
    alpha: float,
    test: Test,
    lower_is_better: bool,
    arms: int,
) -> Comparison:
    if margin is not None and not 0 < margin < float("inf"):
        raise StatisticsError(f"the margin is {margin}: it is the largest difference that does not matter, above 0")
    if not 0 < alpha < 1:
        raise StatisticsError(f"alpha is {alpha}: it is a probability, between 0 and 1")
    if test not in RUN:
        raise StatisticsError(f"there is no test {test!r}; there are {', '.join(TESTS)}")
    pairs = pair(first, second, groups)
    low, high = flip_interval(pairs.sums[:, None], pairs.sizes, alpha)
    ends = (float(low[0]), float(high[0])) if np.isfinite([low[0], high[0]]).all() else (None, None)
    tested = RUN[test](pairs)
    return _judged(
        Comparison(
            difference=Estimate(float(pairs.sums.sum() / pairs.sizes.sum()), *ends),
            p=tested.p,
            p_adjusted=None,
            effect_size=tested.effect_size,
            effect=tested.effect,
            smallest_detectable=smallest_detectable(pairs, alpha / arms, test),
            margin=margin,
            p_equivalent=None if margin is None else not_equivalent_p(pairs, margin),
            n=len(pairs.first),
            groups=len(pairs.sizes),
            left_out=pairs.left_out,
            test=tested.name,
            alpha=alpha,
            lower_is_better=lower_is_better,
            verdict="inconclusive",
        )
    )


def _bootstrap(pairs: Pairs) -> Tested:
    p = flip_p(pairs.sums[:, None], mid=pairs.right_or_wrong)
    spread = pairs.differences.std(ddof=1) if len(pairs.first) > 1 else 0.0
    size = pairs.differences.mean() / spread if spread > 0 else float("nan")
    return Tested("sign-flip bootstrap by group", float(p[0]), "paired d", float(size))


RUN: Mapping[str, Callable[[Pairs], Tested]] = {"bootstrap": _bootstrap, "mcnemar": mcnemar, "wilcoxon": wilcoxon}


def _judged(found: Comparison) -> Comparison:
    """With its verdict. What is surely within the margin is equivalent, even where it is surely above or below 0."""
    p = found.p if found.p_adjusted is None else found.p_adjusted
    verdict: Verdict = "inconclusive"
    if found.p_equivalent is not None and found.p_equivalent <= found.alpha:
        verdict = "equivalent"
    elif p <= found.alpha and found.difference.value:
        verdict = "better" if (found.difference.value > 0) is not found.lower_is_better else "worse"
    return replace(found, verdict=verdict)
