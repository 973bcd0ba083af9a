"""Means with bootstrap intervals: groups (an article, a case, a source image) are drawn whole, with replacement."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
DRAWS = 5_000
SEED = 0
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure and the ends of its 95 % interval, None where it has none.

    `plain` is the mean over rows where `value` is the mean over classes; `p` is one-sided, for "not above 0".
    """

    value: float
    low: float | None = None
    high: float | None = None
    plain: float | None = None
    p: float | None = None


def estimate(
    values: Sequence[float] | Numbers,
    groups: Sequence[Hashable],
    classes: Sequence[Hashable] | None = None,
    test: bool = False,
) -> Estimate:
    """The mean of `values`, of each class first where there are classes. With `test`, `p` as well.

    p is (1 + draws with a mean of 0 or less) / (1 + draws).
    """
    rows = np.asarray(values, dtype=np.float64)
    if not rows.size:
        return Estimate(float("nan"))
    labels = [None] * len(rows) if classes is None else list(classes)
    drawn = mean(rows, labels, draws(groups))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(
        value=float(mean(rows, labels, np.ones((1, len(rows))))[0]),
        low=float(low),
        high=float(high),
        plain=None if classes is None else float(rows.mean()),
        p=float((1 + (drawn <= 0).sum()) / (1 + len(drawn))) if test else None,
    )


def draws(groups: Sequence[Hashable], count: int = DRAWS, seed: int = SEED) -> Numbers:
    """How often each row is drawn: `(count, rows)`, the same for all rows of one group."""
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return _often(len(order), count, seed)[:, [order[group] for group in groups]]


def mean(values: Numbers, classes: Sequence[Hashable], weights: Numbers) -> Numbers:
    """`(count,)`: for each row of weights `(count, rows)`, the mean over the classes that it holds."""
    means = []
    for name in dict.fromkeys(classes):
        mine = np.asarray([label == name for label in classes])
        total = weights[:, mine].sum(axis=1)
        with np.errstate(invalid="ignore"):
            means.append(weights[:, mine] @ values[mine] / total)
    return np.asarray(np.nanmean(np.stack(means), axis=0))


@lru_cache(maxsize=4)
def _often(groups: int, count: int, seed: int) -> Numbers:
    """How often each of so many groups is drawn, `(count, groups)`."""
    drawn = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), size=count)
    return drawn.astype(np.float64)
