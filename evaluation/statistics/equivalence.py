"""Whether a difference is surely within a margin: two one-sided tests (Schuirmann 1987) by a weighted bootstrap."""

from __future__ import annotations

import numpy as np

from evaluation.statistics.intervals import Numbers
from evaluation.statistics.pairs import Pairs

DRAWS, SEED = 10_000, 1
CELLS = 1 << 22


def not_equivalent_p(pairs: Pairs, margin: float) -> float:
    """p of the two one-sided tests that the difference is at least the margin, or at most its negative: the larger.

    1 where all values are one and the same: nothing could have differed.
    """
    if not pairs.bound:
        return 1.0
    size = float((pairs.sizes**2).sum() / pairs.sizes.sum())
    upper = beyond_p(pairs.sums[:, None] - pairs.sizes[:, None] * margin, size * (pairs.bound - margin))
    lower = beyond_p(-pairs.sums[:, None] - pairs.sizes[:, None] * margin, size * (pairs.bound - margin))
    return float(max(upper[0], lower[0]))


def beyond_p(sums: Numbers, bound: float) -> Numbers:
    """One-sided p `(m,)` of "the mean is 0 or more" for m experiments with groups' sums `(groups, m)`.

    Groups have Dirichlet weights (Rubin's Bayesian bootstrap, 1981), and one more stands at `bound`, the largest sum
    there could be: Gaffke's bound (2005; Learned-Miller and Thomas 2019). Of right and wrong it is Clopper and
    Pearson's, so that thirty images without a difference do not prove that there is none; in large samples it is the
    bootstrap's.
    """
    rng = np.random.default_rng(SEED)
    rows = max(1, CELLS // (len(sums) + 1))
    beyond, all_rows = np.zeros(sums.shape[1]), np.vstack([sums, np.full(sums.shape[1], max(bound, 0.0))])
    for start in range(0, DRAWS, rows):
        # Exponentials are Dirichlet weights but for their sum, which does not change a sign.
        weights = rng.exponential(size=(min(rows, DRAWS - start), len(all_rows)))
        beyond += (weights @ all_rows >= 0).sum(axis=0)
    return np.asarray((1 + beyond) / (1 + DRAWS))
