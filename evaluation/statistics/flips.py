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


def flip_p(sums: Numbers) -> Numbers:
    """Two-sided p `(m,)` of m experiments whose groups' sums are `(groups, m)`.

    The share of sign assignments whose sum is as far from 0 as the one seen. Others that are exactly as far count half:
    of right and wrong, and of ratings, many are, and p would be too careful (mid-p; Fagerland, Lydersen and Laake
    2013).
    """
    total, tie = sums.sum(axis=0), TIE * np.abs(sums).sum(axis=0)
    as_far, level, count = np.zeros(sums.shape[1]), np.zeros(sums.shape[1]), 0
    for turned in _turned(sums):
        beyond = np.abs(total - 2 * turned) - np.abs(total)
        as_far += np.count_nonzero(beyond >= -tie, axis=0)
        level += np.count_nonzero(np.abs(beyond) <= tie, axis=0)
        count += len(beyond)
    # The assignment seen counts whole, as its mirror does where all are tried.
    own = 2 if len(sums) <= ALL_UP_TO else 1
    p = (as_far - np.maximum(level - own, 0) / 2) / count
    return np.asarray(np.where(np.abs(total) <= tie, 1.0, p))


def flip_interval(sums: Numbers, sizes: Numbers, alpha: float) -> tuple[Numbers, Numbers]:
    """The ends `(m,)`, `(m,)` of the differences with p above alpha; infinite where there are too few groups.

    Sums are `(groups, m)`, sizes `(groups,)`. With t taken off every image, an assignment's sum is as far from 0 as
    the one seen exactly where t lies between the mean of the groups that it flips and that of the others; so the ends
    are quantiles of means of random halves, Hartigan's typical values (1969).
    """
    lows, highs = [], []
    for turned in _turned(np.column_stack([sums, sizes])):
        there, size = turned[:, :-1], turned[:, -1:]
        with np.errstate(divide="ignore", invalid="ignore"):
            one, other = there / size, (sums.sum(axis=0) - there) / (sizes.sum() - size)
        empty = (size == 0) | (size == sizes.sum())
        lows.append(np.where(empty, -np.inf, np.minimum(one, other)))
        highs.append(np.where(empty, np.inf, np.maximum(one, other)))
    low, high = np.concatenate(lows), np.concatenate(highs)
    rank = int(np.floor(alpha * len(low) * (1 + 1e-12)))
    return np.partition(low, rank, axis=0)[rank], np.partition(high, -1 - rank, axis=0)[-1 - rank]


def _turned(columns: Numbers) -> Iterator[Numbers]:
    """Sums `(rows, m)` of `(groups, m)` over the groups whose sign is turned, none in the first row.

    Every assignment of signs where groups are few, else FLIPS random ones.
    """
    groups, m = columns.shape
    if groups <= ALL_UP_TO:
        yield (((np.arange(1 << groups)[:, None] >> np.arange(groups)) & 1) @ columns).astype(np.float64)
        return
    rng = np.random.default_rng(SEED)
    rows = max(1, CELLS // max(groups, m))
    for start in range(0, FLIPS, rows):
        signs = rng.integers(0, 2, (min(rows, FLIPS - start), groups), dtype=np.int8)
        if start == 0:
            signs[0] = 0
        yield signs.astype(np.float64) @ columns
