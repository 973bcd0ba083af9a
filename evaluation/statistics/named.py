"""The tests that reviewers ask for by name: McNemar's of right and wrong, Wilcoxon's signed ranks of ratings.

Where every group is one image they are statsmodels' and scipy's. Where images share a group, the same statistic is
judged by flipping the signs of whole groups (`flips`), which is what both do for single images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.errors import StatisticsError
from evaluation.statistics.flips import ALL_UP_TO, flip_p
from evaluation.statistics.intervals import Numbers
from evaluation.statistics.pairs import Pairs, over_groups
from evaluation.statistics.verdicts import NEEDED

ODDS, BISERIAL = "odds ratio", "rank-biserial correlation"


@dataclass(frozen=True)
class Tested:
    """A test's name, its two-sided p, and the size of the effect with the name of the measure."""

    name: str
    p: float
    effect: str
    effect_size: float


def mcnemar(pairs: Pairs) -> Tested:
    """Images that the second has right and the first wrong (b), against those that it is the other way round (c).

    The mid-p version (Fagerland, Lydersen and Laake 2013): the exact one is too careful by half the probability of the
    table seen. In groups, sums of b - c over each are compared as by Obuchowski (1998) in Yang, Sun and Hardin's form
    (2010), with the distribution under flips in place of chi-square. The effect is the odds ratio b / c, with one half
    added to both where one is 0. Raises StatisticsError where a value is neither 0 nor 1.
    """
    if not pairs.right_or_wrong:
        raise StatisticsError("McNemar's test is for right and wrong, 1 and 0; other values are there: use bootstrap")
    b, c = int((pairs.differences > 0).sum()), int((pairs.differences < 0).sum())
    half = 0.0 if b and c else 0.5
    odds = (b + half) / (c + half)
    if not pairs.single:
        return Tested("McNemar by group, signs flipped", float(flip_p(pairs.sums[:, None])[0]), ODDS, odds)
    from scipy.stats import binom

    try:
        from statsmodels.stats.contingency_tables import mcnemar as exact
    except ImportError as error:
        raise StatisticsError(NEEDED) from error
    # b and c are off the diagonal; what is on it plays no part. All agree: nothing speaks against equality.
    p = float(exact([[0, b], [c, 0]], exact=True).pvalue) if b + c else 1.0
    mid = p - float(binom.pmf(b, b + c, 0.5)) * (0.5 if b == c else 1.0) if b + c else 1.0
    return Tested("McNemar mid-p", mid, ODDS, odds)


def wilcoxon(pairs: Pairs) -> Tested:
    """Signed ranks of the differences; images without one are left out (Wilcoxon 1945).

    In groups, the sums of signed ranks over each are compared as by Rosner, Glynn and Lee (2006), with the distribution
    under flips. The effect is the matched rank-biserial correlation, (W+ - W-) / (W+ + W-) (Kerby 2014).
    """
    from scipy.stats import wilcoxon as single

    ranks = signed_ranks(pairs.differences)
    if not ranks.any():
        return Tested("Wilcoxon signed rank", 1.0, BISERIAL, 0.0)
    biserial = float(ranks.sum() / np.abs(ranks).sum())
    if pairs.single and np.count_nonzero(ranks) > ALL_UP_TO:
        # Of the ranks, which tie where differences do but for rounding. Fewer scipy permutes one by one, for seconds.
        return Tested("Wilcoxon signed rank", float(single(ranks[ranks != 0]).pvalue), BISERIAL, biserial)
    sums = over_groups(ranks, pairs.group, len(pairs.sizes))
    name = "Wilcoxon signed rank, signs flipped" if pairs.single else "Wilcoxon signed rank by group, signs flipped"
    return Tested(name, float(flip_p(sums[sums != 0][:, None])[0]), BISERIAL, biserial)


def signed_ranks(differences: Numbers) -> Numbers:
    """`(n,)`: the rank of each magnitude among those that are not 0, ties sharing their mean, with its sign; else 0."""
    from scipy.stats import rankdata

    # Rounded, so that 0.3 - 0.2 ties with 0.2 - 0.1.
    rounded = np.round(differences, 12)
    ranks = np.zeros(len(rounded))
    there = rounded != 0
    ranks[there] = rankdata(np.abs(rounded[there])) * np.sign(rounded[there])
    return ranks
