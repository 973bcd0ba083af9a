"""The one word that a comparison ends in, of one arm or, Holm-adjusted, of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from evaluation.errors import StatisticsError
from evaluation.statistics.intervals import Estimate

Verdict = Literal["better", "worse", "equivalent", "inconclusive"]
ALPHA = 0.05
NEEDED = "comparing needs statsmodels: pip install 'lumenscribe[eval]'"


@dataclass(frozen=True)
class Judged:
    """Second minus first, paired by image, groups drawn whole. `verdict` is of the second.

    `difference` has its 1 - alpha interval, without ends where too few groups differ for one. `p` is two-sided, of
    "no difference"; `p_adjusted` is Holm's across the arms that were compared together, None where it was one.
    `p_equivalent` is that of "not within `margin`", adjusted likewise; both are None where no margin was given. `n`
    images in `groups` groups were paired.
    """

    difference: Estimate
    p: float
    p_adjusted: float | None
    margin: float | None
    p_equivalent: float | None
    n: int
    groups: int
    alpha: float
    lower_is_better: bool
    verdict: Verdict

    @property
    def direction(self) -> float:
        """Above 0 where the second is higher, below 0 where it is lower, 0 where neither may be said."""
        return float(np.sign(self.difference.value))


Found = TypeVar("Found", bound=Judged)


def judged(found: Found) -> Found:
    """With its verdict. What is surely within the margin is equivalent, even where it is surely not 0."""
    p = found.p if found.p_adjusted is None else found.p_adjusted
    verdict: Verdict = "inconclusive"
    if found.p_equivalent is not None and found.p_equivalent <= found.alpha:
        verdict = "equivalent"
    elif p <= found.alpha and found.direction:
        verdict = "better" if (found.direction > 0) is not found.lower_is_better else "worse"
    return replace(found, verdict=verdict)


def judged_together(found: Mapping[str, Found]) -> dict[str, Found]:
    """With verdicts that hold for all arms at once: p and p_equivalent are Holm-adjusted first."""
    adjusted = holm([each.p for each in found.values()])
    within = holm([each.p_equivalent for each in found.values() if each.p_equivalent is not None])
    return {
        name: judged(replace(each, p_adjusted=adjusted[place], p_equivalent=within[place] if within else None))
        for place, (name, each) in enumerate(found.items())
    }


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p: the risk that any claim is false is at most the largest of those that are claimed."""
    try:
        from statsmodels.stats.multitest import multipletests
    except ImportError as error:
        raise StatisticsError(NEEDED) from error
    return [float(value) for value in multipletests(p, method="holm")[1]] if p else []


def others_than(baseline: str, arms: Mapping[str, object]) -> list[str]:
    """The names of the other arms. Raises StatisticsError where the baseline is none, or there is no other."""
    if baseline not in arms:
        raise StatisticsError(f"there is no arm {baseline!r} to compare with; there are {', '.join(map(repr, arms))}")
    if len(arms) == 1:
        raise StatisticsError(f"{baseline!r} is the only arm: give one or more to compare it with")
    return [name for name in arms if name != baseline]


def checked(margin: float | None, alpha: float) -> None:
    """Raises StatisticsError where they are no margin and no alpha."""
    if margin is not None and not 0 < margin < float("inf"):
        raise StatisticsError(f"the margin is {margin}: it is the largest difference that does not matter, above 0")
    if not 0 < alpha < 1:
        raise StatisticsError(f"alpha is {alpha}: it is a probability, between 0 and 1")
