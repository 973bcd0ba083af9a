"""The smallest difference that a sample could have shown."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from evaluation.statistics.pairs import Pairs

POWER, AIM = 0.8, 0.83
"""The power that is stated, and the one that is aimed at: skewed values and unequal articles take up to 3 % of it."""
NODES = 48
FEWEST = 16
"""Articles of one size that a statement needs. In `benchmarks/verdicts_few.json` what was stated is found in 24 to 89 %
of samples with 6 to 8, in 80 to 92 % with 10 to 14, in 81 to 89 % from 16 on, and is at most 12 % above the analytic
effect there, not a third."""


def smallest_detectable(pairs: Pairs, alpha: float, test: str, fewest: int = FEWEST) -> float:
    """The true difference that is found in 80 % of samples like this, two-sided at alpha.

    NaN with fewer than `fewest` groups, where nothing differed, and where so few of other values than right and wrong
    did that none of their signs could have rejected.
    `multiple` standard errors, of as many groups as groups of one size that would weigh the same (Kish 1965). For
    Wilcoxon's test by 3 / pi as many images (its efficiency for normal differences, Hodges and Lehmann 1956); for right
    and wrong as `right_or_wrong` says.
    """
    alike = round(float(pairs.sizes.sum() ** 2 / (pairs.sizes**2).sum()))
    error = pairs.error
    # Of right and wrong, more would differ with an effect: `right_or_wrong` counts on it.
    if alike < fewest or not error > 0 or not (pairs.right_or_wrong or pairs.can_reject(alpha)):
        return float("nan")
    if test == "wilcoxon":
        error *= float(np.sqrt(np.pi / 3))
    effect = multiple(max(2, alike), alpha) * error
    if not pairs.right_or_wrong:
        return effect
    right = float((pairs.first.mean() + pairs.second.mean()) / 2)
    return right_or_wrong(effect, right, float(np.abs(pairs.differences).mean()))


def right_or_wrong(effect: float, right: float, discordant: float) -> float:
    """The effect where values are right and wrong, from the one for a spread that stays as it is.

    If one arm stays right in a share of `right` and the other moves, the share in which they differ moves from
    `discordant` with it, at the same correlation between arms (Dupont 1988), and Connor's (1987) formula has the
    effect: z(1 - alpha / 2) and z(power), 0.7 and 0.3 of their sum, times the spread without and with the effect. The
    move is towards one half, where the spread is larger.
    """
    spread = right * (1 - right)
    correlation = 1 - discordant / (2 * spread)
    found = effect
    for _ in range(50):
        moved = min(max(right - np.copysign(found, right - 0.5), 0.0), 1.0)
        share = right * (1 - moved) + moved * (1 - right) - 2 * correlation * np.sqrt(spread * moved * (1 - moved))
        share = max(share, found**2)
        found = effect * (0.7 * np.sqrt(share) + 0.3 * np.sqrt(share - found**2)) / np.sqrt(discordant)
    return float(min(found, 1.0))


@lru_cache(maxsize=256)
def multiple(groups: int, alpha: float) -> float:
    """How many standard errors a difference must be to be found with the power that is aimed at.

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
        return float(weights @ nct.sf(needed, freedom, times * errors) / 2 - AIM)

    enough = 2.0
    while short(enough) < 0:
        enough *= 1.25
    return float(brentq(short, 1.0, enough, xtol=1e-4))
