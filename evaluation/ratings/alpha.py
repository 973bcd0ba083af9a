"""How far raters agree: Krippendorff's alpha.

1 is full agreement, 0 what chance would give. Ordinal for scores of 1 to 5, nominal for preferences (Krippendorff 2004,
Content Analysis, chapter 11). Interval: bootstrap over items, articles drawn whole. Computed by the package
`krippendorff` (extra `eval`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import RatingsError
from evaluation.ratings.store import Ratings
from evaluation.ratings.types import HIGHEST, LOWEST, PREFERENCES, QUESTIONS
from evaluation.statistics.intervals import LEVEL, Estimate, draws

DRAWS = 1_000
Level = Literal["ordinal", "nominal"]
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Agreement:
    """Alpha of one question over the items that two raters or more judged; None, with `why`, where it has no value."""

    question: str
    level: Level
    alpha: Estimate | None
    items: int
    raters: int
    why: str = ""


def agreement(ratings: Ratings) -> dict[str, Agreement]:
    """Of each question that a task asks; gold and second occasions do not count."""
    judged = ratings.judged
    if ratings.task.kind == "pairwise":
        preferred = [PREFERENCES.index(r.answer.preferred or "tie") for _, r in judged]
        values: dict[str, list[int]] = {"preferred": preferred}
        level: Level = "nominal"
    else:
        values = {q: [(r.answer.score(q) or LOWEST) - LOWEST for _, r in judged] for q in QUESTIONS}
        level = "ordinal"
    width = len(PREFERENCES) if level == "nominal" else HIGHEST - LOWEST + 1
    numbers = {item.id: number for number, item in enumerate(ratings.items)}
    found = {}
    for question, said in values.items():
        counts = np.zeros((len(numbers), width), dtype=np.int64)
        np.add.at(counts, ([numbers[item.id] for item, _ in judged], said), 1)
        shared = counts.sum(axis=1) > 1
        groups = [item.group for item, kept in zip(ratings.items, shared, strict=True) if kept]
        raters = len({r.rater for item, r in judged if shared[numbers[item.id]]})
        found[question] = _agreement(question, level, counts[shared], groups, raters)
    return found


def alpha(counts: Counts, level: Level) -> float:
    """Alpha from how often each item `(items,)` was given each value `(items, values)`; NaN where all values are equal.

    Raises RatingsError where the package is not installed.
    """
    try:
        import krippendorff
    except ImportError as error:
        raise RatingsError("agreement needs krippendorff: pip install 'lumenscribe[eval]'") from error
    pairable = counts[counts.sum(axis=1) > 1]
    used = pairable.sum(axis=0) > 0
    if used.sum() < 2:
        return float("nan")
    domain = np.arange(counts.shape[1])[used]
    return float(krippendorff.alpha(value_counts=pairable[:, used], value_domain=domain, level_of_measurement=level))


def _agreement(question: str, level: Level, counts: Counts, groups: Sequence[Hashable], raters: int) -> Agreement:
    if not len(counts):
        return Agreement(question, level, None, 0, 0, "no item was judged by two raters")
    value = alpha(counts, level)
    if np.isnan(value):
        return Agreement(question, level, None, len(counts), raters, "every answer is the same")
    if len(set(groups)) < 2:
        return Agreement(question, level, Estimate(value), len(counts), raters, "one article has no interval")
    drawn = [alpha(np.repeat(counts, often.astype(int), axis=0), level) for often in draws(groups, DRAWS)]
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Agreement(question, level, Estimate(value, float(low), float(high)), len(counts), raters)
