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
_HELD = 250
"""Draws that are held at a time where only their sums are wanted."""


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
    count: int = DRAWS,
) -> Estimate:
    """The mean of `values`, of each class first where there are classes, from `count` draws. With `test`, `p` as well.

    p is (1 + draws with a mean of 0 or less) / (1 + draws).
    """
    rows = np.asarray(values, dtype=np.float64)
    if not rows.size:
        return Estimate(float("nan"))
    labels = [None] * len(rows) if classes is None else list(classes)
    drawn = mean(rows, labels, draws(groups, count))
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


def estimates(columns: Numbers, groups: Sequence[Hashable], test: bool = False) -> list[Estimate | None]:
    """`estimate` of each column of `(n, m)`, NaN left out, in one pass over the draws; None where all are NaN.

    Columns that have values in the same rows share their draws.
    """
    found: list[Estimate | None] = [None] * columns.shape[1]
    known = ~np.isnan(columns)
    for pattern in np.unique(known, axis=1).T:
        if not pattern.any():
            continue
        mine = np.flatnonzero((known == pattern[:, None]).all(axis=0))
        values = columns[np.ix_(pattern, mine)]
        sums = sums_drawn(
            np.column_stack([values, np.ones(len(values))]), [groups[int(row)] for row in np.flatnonzero(pattern)]
        )
        drawn = sums[:, :-1] / sums[:, -1:]
        ends = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
        for place, column in enumerate(mine):
            p = float((1 + (drawn[:, place] <= 0).sum()) / (1 + len(drawn))) if test else None
            found[column] = Estimate(float(values[:, place].mean()), float(ends[0, place]), float(ends[1, place]), p=p)
    return found


def sums_drawn(columns: Numbers, groups: Sequence[Hashable], count: int = DRAWS, seed: int = SEED) -> Numbers:
    """Sums over the rows of each draw, `(count, m)` of columns `(n, m)`: the draws that `draws` makes.

    A few hundred of them are held at a time, so that 10,000 groups need no more than some MiB.
    """
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    by_group = np.zeros((len(order), columns.shape[1]))
    np.add.at(by_group, [order[group] for group in groups], columns)
    chances = np.full(len(order), 1 / len(order))
    random = np.random.default_rng(seed)
    parts = []
    for start in range(0, count, _HELD):
        often = random.multinomial(len(order), chances, size=min(_HELD, count - start))
        parts.append(often.astype(np.float64) @ by_group)
    return np.concatenate(parts)
