"""Whether a difference is surely within a margin: two one-sided tests (Schuirmann 1987) by a weighted bootstrap."""

from __future__ import annotations

import numpy as np

from evaluation.statistics.intervals import Numbers

DRAWS, SEED = 10_000, 1
CELLS = 1 << 22
"""Weights or means held at once."""
FEW = 10
"""With fewer groups that differ at all, they do not show how large a difference may be."""


def not_equivalent_p(sums: Numbers, sizes: Numbers, reach: Numbers, margin: float) -> Numbers:
    """p `(m,)` of m experiments: the larger of those of "at least the margin" and "at most its negative".

    `sums` are `(groups, m)`, `sizes` `(groups,)`, `reach` `(m,)` the largest difference that an image could have. Where
    nothing could have differed, p is 1. Groups have Dirichlet weights (Rubin's Bayesian bootstrap, 1981), and one more
    stands for what was not drawn, at the largest sum seen, or at what its size could reach where few differ: Gaffke's
    bound (2005; Learned-Miller and Thomas 2019). Of right and wrong that is Clopper and Pearson's bound, so that thirty
    images without a difference do not prove that there is none; in large samples it is the plain bootstrap. The same
    weights are drawn for the same groups, in whatever order they come and whichever arm is first.
    """
    sums, sizes = _in_one_order(sums, sizes)
    size = (sizes**2).sum() / sizes.sum()
    few = (sums != 0).sum(axis=0) < FEW
    beyond = np.where(few, size * (reach - margin), np.abs(sums).max(axis=0))
    rng = np.random.default_rng(SEED)
    rows, above = max(1, CELLS // max(sums.shape)), np.zeros((2, sums.shape[1]))
    for start in range(0, DRAWS, rows):
        # Exponentials are Dirichlet weights but for their sum, which changes no sign.
        weights = rng.exponential(size=(min(rows, DRAWS - start), len(sums) + 1))
        drawn = weights[:, :-1] @ np.column_stack([sums, sizes * margin])
        difference, at, rest = drawn[:, :-1], drawn[:, -1:], weights[:, -1:] * np.maximum(beyond, 0)
        above += [np.count_nonzero(way * difference - at + rest >= 0, axis=0) for way in (1, -1)]
    p = (1 + above.max(axis=0)) / (1 + DRAWS)
    return np.asarray(np.where(reach > 0, p, 1.0))


def _in_one_order(sums: Numbers, sizes: Numbers) -> tuple[Numbers, Numbers]:
    """Sums and sizes by size, then sum, each experiment by itself; of its sums and their negatives, the larger."""
    one, other = (_sorted(way * sums, sizes) for way in (1, -1))
    apart = one - other
    first = np.take_along_axis(apart, (apart != 0).argmax(axis=0)[None], axis=0)
    return np.where(first >= 0, one, other), np.sort(sizes)


def _sorted(sums: Numbers, sizes: Numbers) -> Numbers:
    order = np.lexsort((sums, np.broadcast_to(sizes[:, None], sums.shape)), axis=0)
    return np.take_along_axis(sums, order, axis=0)
