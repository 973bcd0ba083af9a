"""How strong each arm is, from preferences: Bradley and Terry's model with Davidson's rule for ties.

Of arms with log-strengths a and b, the first is preferred with a probability in proportion to exp(a), the second to
exp(b), neither to exp(d + (a + b) / 2), where d says how common ties are (Davidson, JASA 65:317-328, 1970). Fitted by
maximum likelihood; without any tie it is Bradley and Terry's model of 1952.

Interval: Wald, from the sandwich covariance with articles as clusters (Liang and Zeger, Biometrika 73:13-22, 1986),
since ratings of one image are not independent, times G / (G - 1), and Student's t with G - 1 degrees of freedom for
G articles. benchmarks/ratings.py measures how often it covers: without either correction too seldom where articles are
few and raters several, with both a little too often at 25 articles and one rater.

Which arm is preferred to which is several claims at once where there are more than two arms. Their p, of the same
statistic, is Holm's then; intervals are each difference's own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import RatingsError
from evaluation.ratings.store import Ratings
from evaluation.ratings.types import PREFERENCES, Preferred
from evaluation.statistics.intervals import LEVEL, Estimate
from evaluation.statistics.verdicts import ALPHA, holm

Numbers = NDArray[np.float64]
MAX_STEPS = 100
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Comparison:
    """One judgement: the two arms, what was preferred, the article that the image is of."""

    first: str
    second: str
    preferred: Preferred
    group: Hashable


@dataclass(frozen=True)
class Counted:
    """What an arm's comparisons came to."""

    won: int
    lost: int
    tied: int


@dataclass(frozen=True)
class Difference:
    """How far the log-strength of `first` is above that of `second`, with an interval of its own.

    `p` is two-sided, of "no difference"; `p_adjusted` is Holm's over all pairs of arms, None where there is one pair.
    """

    first: str
    second: str
    log_strength: Estimate
    p: float
    p_adjusted: float | None

    @property
    def sure(self) -> bool:
        """Whether it may be said that one is preferred, to be wrong in 5 % of studies at most, whatever the arms."""
        return (self.p if self.p_adjusted is None else self.p_adjusted) <= ALPHA

    @property
    def verdict(self) -> str:
        """What may be said, in words."""
        return f"{self.first} is preferred" if self.sure else "inconclusive"


@dataclass(frozen=True)
class Strengths:
    """Log-strengths by arm, their mean 0. `tie` is d, None where nobody said that there is no difference.

    `covariance` is of the arms' strengths, in their order; `degrees` is G - 1.
    """

    arms: dict[str, Estimate]
    counted: dict[str, Counted]
    tie: Estimate | None
    comparisons: int
    groups: int
    covariance: Numbers
    degrees: int

    @property
    def ranked(self) -> list[str]:
        """The arms, the strongest first."""
        return sorted(self.arms, key=lambda arm: -self.arms[arm].value)

    @property
    def differences(self) -> list[Difference]:
        """Of every pair of arms, the stronger first. Raises StatisticsError where statsmodels is missing."""
        pairs = list(combinations(self.ranked, 2))
        p = [self._p(first, second) for first, second in pairs]
        adjusted = holm(p) if len(pairs) > 1 else [None]
        return [
            Difference(first, second, self.difference(first, second), p[n], adjusted[n])
            for n, (first, second) in enumerate(pairs)
        ]

    def difference(self, first: str, second: str) -> Estimate:
        """The log-strength of the first above that of the second."""
        return _interval(self.arms[first].value - self.arms[second].value, self._variance(first, second), self.degrees)

    def _p(self, first: str, second: str) -> float:
        from scipy.stats import t

        apart = abs(self.arms[first].value - self.arms[second].value)
        return float(2 * t.sf(apart / np.sqrt(self._variance(first, second)), self.degrees))

    def _variance(self, first: str, second: str) -> float:
        names = list(self.arms)
        along = np.zeros(len(names))
        along[names.index(first)], along[names.index(second)] = 1.0, -1.0
        return float(along @ self.covariance @ along)


def strengths(ratings: Ratings) -> Strengths:
    """Of the arms of a pairwise task; gold and second occasions do not count. Raises RatingsError as `fit` does."""
    if ratings.task.kind != "pairwise":
        raise RatingsError(f"{ratings.file} has single ratings: strengths are of pairs")
    found = [
        Comparison(str(item.texts[0].arm), str(item.texts[1].arm), r.answer.preferred or "tie", item.group)
        for item, r in ratings.judged
    ]
    return fit(found)


def fit(comparisons: Sequence[Comparison]) -> Strengths:
    """The strengths of all arms that were compared.

    Raises RatingsError where there are too few articles, or where the likelihood has no finite maximum: an arm that won
    (or lost) all its comparisons, arms that were never compared with the others, nothing but ties.
    """
    names = sorted({arm for each in comparisons for arm in (each.first, each.second)})
    groups = {group: number for number, group in enumerate(dict.fromkeys(each.group for each in comparisons))}
    if len(groups) < 2:
        raise RatingsError("strengths need comparisons of two articles or more")
    tied = any(each.preferred == "tie" for each in comparisons)
    model = _Model(names, tied)
    pair, outcome, group = np.asarray([(*model.place(each), groups[each.group]) for each in comparisons]).T
    counts = np.zeros((len(model.design), model.outcomes))
    np.add.at(counts, (pair, outcome), 1.0)
    _check_finite(model, counts)
    theta = _maximum(model, counts)
    covariance = _covariance(model, theta, counts, pair, outcome, group)
    degrees = len(groups) - 1
    of_arms = model.contrast @ covariance[: len(names) - 1, : len(names) - 1] @ model.contrast.T
    values = model.contrast @ theta[: len(names) - 1]
    return Strengths(
        {name: _interval(values[n], of_arms[n, n], degrees) for n, name in enumerate(names)},
        _counted(comparisons, names),
        _interval(theta[-1], covariance[-1, -1], degrees) if tied else None,
        len(comparisons), len(groups), of_arms, degrees,
    )  # fmt: skip


class _Model:
    """The conditional logit that Davidson's model is: `design` is (pairs, outcomes, parameters).

    Parameters are coordinates of log-strengths with mean 0, by the columns of `contrast` (arms, arms - 1), then d.
    """

    def __init__(self, names: Sequence[str], tied: bool) -> None:
        count = len(names)
        self.names = list(names)
        self.outcomes = 3 if tied else 2
        # An orthonormal basis of what is at right angles to (1, 1, ..., 1).
        self.contrast: Numbers = np.linalg.svd(np.ones((1, count)))[2][1:].T
        self._number = {name: n for n, name in enumerate(names)}
        self._pairs = {(a, b): n for n, (a, b) in enumerate((a, b) for a in range(count) for b in range(a + 1, count))}
        rows = []
        for a, b in self._pairs:
            first, second = self.contrast[a], self.contrast[b]
            if tied:
                rows.append([[*first, 0.0], [*second, 0.0], [*(first + second) / 2, 1.0]])
            else:
                rows.append([[*first], [*second]])
        self.design: Numbers = np.asarray(rows)

    def place(self, each: Comparison) -> tuple[int, int]:
        """Its pair, and which outcome of it."""
        a, b = self._number[each.first], self._number[each.second]
        outcome = PREFERENCES.index(each.preferred)
        if a > b:
            a, b, outcome = b, a, (1, 0, 2)[outcome]
        return self._pairs[a, b], outcome

    def probabilities(self, theta: Numbers) -> Numbers:
        """`(pairs, outcomes)`."""
        logits = self.design @ theta
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def information(self, theta: Numbers, totals: Numbers) -> Numbers:
        """The negative Hessian of the log-likelihood, `(parameters, parameters)`; `totals` is comparisons by pair."""
        p = self.probabilities(theta)
        mean = np.einsum("po,pok->pk", p, self.design)
        second = np.einsum("p,po,pok,pol->kl", totals, p, self.design, self.design)
        return np.asarray(second - np.einsum("p,pk,pl->kl", totals, mean, mean))


def _maximum(model: _Model, counts: Numbers) -> Numbers:
    """Newton's steps, halved while they do not climb; the log-likelihood is concave."""
    theta, totals = np.zeros(model.design.shape[2]), counts.sum(axis=1)

    def likelihood(at: Numbers) -> float:
        return float((counts * np.log(model.probabilities(at))).sum())

    for _ in range(MAX_STEPS):
        residual = counts - totals[:, None] * model.probabilities(theta)
        slope = np.einsum("po,pok->k", residual, model.design)
        step = np.linalg.solve(model.information(theta, totals), slope)
        if slope @ step < TOLERANCE:
            return theta
        while likelihood(theta + step) < likelihood(theta):
            step = step / 2
        theta = theta + step
    raise RatingsError("strengths: the fit did not settle; more comparisons are needed")


def _covariance(
    model: _Model, theta: Numbers, counts: Numbers, pair: NDArray[np.int64], outcome: NDArray[np.int64],
    group: NDArray[np.int64],
) -> Numbers:  # fmt: skip
    """The sandwich covariance of the parameters, clustered by group."""
    bread = np.linalg.inv(model.information(theta, counts.sum(axis=1)))
    mean = np.einsum("po,pok->pk", model.probabilities(theta), model.design)
    scores = np.zeros((group.max() + 1, len(theta)))
    np.add.at(scores, group, model.design[pair, outcome] - mean[pair])
    clusters = len(scores)
    return np.asarray(bread @ (scores.T @ scores) @ bread * clusters / (clusters - 1))


def _check_finite(model: _Model, counts: Numbers) -> None:
    """Raises RatingsError where the likelihood climbs for ever in some direction (Albert and Anderson 1984).

    Such a direction makes no outcome that was seen less likely beside one that was possible. A linear programme finds
    it, or that there is none.
    """
    from scipy.optimize import linprog

    pairs, seen = np.nonzero(counts)
    ahead = [
        model.design[pair, outcome] - model.design[pair, other]
        for pair, outcome in zip(pairs, seen, strict=True)
        for other in range(model.outcomes)
        if other != outcome
    ]
    edges = np.asarray(ahead)
    found = linprog(-edges.sum(axis=0), A_ub=-edges, b_ub=np.zeros(len(edges)), bounds=(-1, 1))
    undecided = np.linalg.matrix_rank(edges) < edges.shape[1]
    if -found.fun < 1e-7 and not undecided:
        return
    worth = model.contrast @ found.x[: len(model.names) - 1]
    extreme = model.names[int(np.abs(worth).argmax())] if np.abs(worth).max() > 1e-7 else None
    raise RatingsError(
        "strengths are not finite yet: "
        + (f"{extreme} won or lost all that would tell how much" if extreme else "nothing but ties, or arms apart")
        + ". More comparisons are needed"
    )


def _interval(value: float, variance: float, degrees: int) -> Estimate:
    from scipy.stats import t

    half = float(t.ppf((1 + LEVEL) / 2, degrees)) * float(np.sqrt(variance))
    return Estimate(float(value), float(value) - half, float(value) + half)


def _counted(comparisons: Sequence[Comparison], names: Sequence[str]) -> dict[str, Counted]:
    won: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    tied: Counter[str] = Counter()
    for each in comparisons:
        if each.preferred == "tie":
            tied.update((each.first, each.second))
        else:
            winner, loser = (each.first, each.second) if each.preferred == "first" else (each.second, each.first)
            won[winner] += 1
            lost[loser] += 1
    return {name: Counted(won[name], lost[name], tied[name]) for name in names}
