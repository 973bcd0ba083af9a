"""The smallest difference that a sample could have shown."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from evaluation.statistics.pairs import Pairs

POWER = 0.8
NODES = 48


def smallest_detectable(pairs: Pairs, alpha: float, test: str) -> float:
    """The true difference that is found in 80 % of samples like this, two-sided at alpha; NaN where nothing differed.

    `multiple` standard errors. For Wilcoxon's test by 3 / pi as many images (its efficiency for normal differences,
    Hodges and Lehmann 1956).
    """
    error, groups = pairs.error, len(pairs.sizes)
    # The fewest groups that can reject at all: all signs alike are 2 of 2^G assignments.
    if not error > 0 or 2.0 ** (1 - groups) > alpha:
        return float("nan")
    if test == "wilcoxon":
        error *= float(np.sqrt(np.pi / 3))
    return multiple(groups, alpha) * error


@lru_cache(maxsize=256)
def multiple(groups: int, alpha: float, power: float = POWER) -> float:
    """How many standard errors a difference must be to be found with such a power.

    About z(1 - alpha / 2) + z(power) = 2.80 in large samples (Cohen 1988; Bloom 1995); the t test's by the noncentral t
    distribution in small ones, averaged over the standard errors that a sample of so many groups may have (its square
    is chi-square / (groups - 1)), because the one at hand is such a draw and not the true one.
    """
    from scipy.optimize import brentq
    from scipy.stats import chi2, nct, t

    freedom = groups - 1
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    errors = np.sqrt(chi2.ppf((nodes + 1) / 2, freedom) / freedom)
    needed = t.ppf(1 - alpha / 2, freedom)

    def short(times: float) -> float:
        # The other tail, of a difference that is found with the wrong sign, has no weight to speak of.
        return float(weights @ nct.sf(needed, freedom, times * errors) / 2 - power)

    enough = 2.0
    while short(enough) < 0:
        enough *= 1.25
    return float(brentq(short, 1.0, enough, xtol=1e-4))
