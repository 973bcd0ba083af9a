"""A test that flips the signs of the groups' differences, and the interval of all differences that it does not reject.

If two arms are exchangeable, as in an A/A experiment, swapping them in any article changes the sign of its differences
and nothing else, so the sum of the differences is one of equally likely sums. That holds exactly for any number of
groups, of any sizes, however skewed, tied or full of zeros the metric (Fisher 1935; Lehmann and Romano, Testing
Statistical Hypotheses, section 15.2). Where only the means are equal it holds in large samples (Janssen 1999);
econometrics knows it as the wild cluster bootstrap with the null imposed and Rademacher weights (Cameron, Gelbach and
Miller 2008).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evaluation.statistics.intervals import Numbers

FLIPS, SEED = 10_000, 0
CELLS = 1 << 22
"""Signs or sums held at once."""
ALL_UP_TO = 13
"""Up to so many groups every assignment of signs is tried."""
TIE = 1e-9
"""Sums as near as this, relative to the sum of all magnitudes, are the same."""


def flip_p(sums: Numbers, mid: bool = False) -> Numbers:
    """Two-sided p `(m,)` of m experiments whose groups' sums are `(groups, m)`.

    The share of sign assignments, the one seen among them, whose sum is as far from 0. With `mid`, those exactly as far
    count half: for right and wrong, where many are (Fagerland, Lydersen and Laake 2013).
    """
    seen, tie = np.abs(sums.sum(axis=0)), TIE * np.abs(sums).sum(axis=0)
    beyond, level, count = np.zeros(sums.shape[1]), np.zeros(sums.shape[1]), 0
    for signs in _signs(*sums.shape):
        flipped = np.abs(signs @ sums)
        beyond += (flipped > seen + tie).sum(axis=0)
        level += (np.abs(flipped - seen) <= tie).sum(axis=0)
        count += len(signs)
    return np.asarray((beyond + level * (0.5 if mid else 1.0)) / count)


def flip_interval(sums: Numbers, sizes: Numbers, alpha: float) -> tuple[Numbers, Numbers]:
    """The ends `(m,)`, `(m,)` of the differences with p above alpha; infinite where there are too few groups.

    Sums are `(groups, m)`, sizes `(groups,)`. With t taken off every image, an assignment's sum is as far from 0 as
    the one seen exactly where t lies between the mean of the groups that it flips and that of the others; so the ends
    are quantiles of means of random halves, Hartigan's typical values (1969).
    """
    lows, highs = [], []
    for signs in _signs(*sums.shape):
        kept = (signs + 1) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            one = (kept @ sums) / (kept @ sizes)[:, None]
            other = ((1 - kept) @ sums) / ((1 - kept) @ sizes)[:, None]
        empty = np.isnan(one) | np.isnan(other)
        lows.append(np.where(empty, -np.inf, np.minimum(one, other)))
        highs.append(np.where(empty, np.inf, np.maximum(one, other)))
    low, high = np.concatenate(lows), np.concatenate(highs)
    rank = int(np.floor(alpha * len(low) * (1 + 1e-12)))
    return np.partition(low, rank, axis=0)[rank], np.partition(high, -1 - rank, axis=0)[-1 - rank]


def _signs(groups: int, columns: int) -> Iterator[Numbers]:
    """Rows of signs `(rows, groups)`, the first all +1: every assignment where they are few, else FLIPS random ones."""
    if groups <= ALL_UP_TO:
        bits = (np.arange(1 << groups)[:, None] >> np.arange(groups)) & 1
        yield np.where(bits, -1.0, 1.0)
        return
    rng = np.random.default_rng(SEED)
    rows = max(1, CELLS // max(groups, columns))
    for start in range(0, FLIPS, rows):
        signs = np.where(rng.integers(0, 2, (min(rows, FLIPS - start), groups), dtype=np.int8), -1.0, 1.0)
        if start == 0:
            signs[0] = 1.0
        yield signs
