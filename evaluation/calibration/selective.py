"""Logistic confidence: how signals tell what is right, and what holding back the least sure takes away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.model_selection import StratifiedGroupKFold  # type: ignore[import-untyped]
from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]

from evaluation.calibration.coverage import lost
from evaluation.errors import CalibrationError
from evaluation.statistics.intervals import LEVEL, Estimate, Numbers, draws

Truth = NDArray[np.bool_]
FOLDS = 5
FEWEST = 10
"""Of right and of wrong descriptions each, for anything to be fitted."""


@dataclass(frozen=True)
class Logistic:
    """The logistic function of `bias` plus the weighted signals, as a calibration file has it."""

    weights: Mapping[str, float]
    bias: float

    def scores(self, signals: Sequence[Mapping[str, float]]) -> Numbers:
        """0 to 1, of each description's signals."""
        rows = np.asarray([[row[name] for name in self.weights] for row in signals], np.float64)
        return np.asarray(1 / (1 + np.exp(-(self.bias + rows @ np.asarray(list(self.weights.values()))))))


@dataclass(frozen=True)
class Fitted:
    """A model fitted on all descriptions; and each one's score by a model that saw no other of its article."""

    model: Logistic
    held_out: Numbers


def fit(signals: Sequence[Mapping[str, float]], right: Sequence[bool], groups: Sequence[Hashable]) -> Fitted:
    """How the signals of descriptions tell which are right. Raises CalibrationError where too little is known.

    Signals are brought to the same scale and their weights held small (L2, C = 1), then written for the signals as
    they are; one that never changes weighs nothing.
    """
    names = sorted({name for row in signals for name in row})
    lacking = next((name for row in signals for name in names if name not in row), None)
    if not names or lacking is not None:
        raise CalibrationError(f"the descriptions have not all the same signals: {lacking or 'one has none'}")
    count = Counter(bool(one) for one in right)
    if min(count[True], count[False]) < FEWEST:
        raise CalibrationError(
            f"{count[True]} descriptions are right and {count[False]} wrong: {FEWEST} of each are the least to tell "
            "them apart by. Take a larger set"
        )
    number = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    if len(number) < FOLDS:
        raise CalibrationError(
            f"the set has {len(number)} articles, and {FOLDS} are the least to cross-fit by. Take more"
        )
    rows = np.asarray([[row[name] for name in names] for row in signals], np.float64)
    truth = np.asarray(right, bool)
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    held_out = np.empty(len(rows))
    for known, unseen in folds.split(rows, truth, [number[group] for group in groups]):
        if len(set(truth[known].tolist())) < 2:
            raise CalibrationError("the wrong descriptions are all of one article. Take a larger set")
        held_out[unseen] = _logistic(names, rows[known], truth[known]).scores([signals[place] for place in unseen])
    return Fitted(_logistic(names, rows, truth), held_out)


def risk_at(
    scores: Sequence[float] | Numbers, right: Sequence[bool], groups: Sequence[Hashable], coverage: float
) -> tuple[Estimate, Estimate]:
    """Risk at a coverage, and the share of all errors' rate that this takes away, each with its bootstrap interval.

    Articles are drawn whole; the second is 1 - risk / risk at full coverage, 0 where nothing is wrong.
    """
    values, wrong = np.asarray(scores, np.float64), 1.0 - np.asarray(right, np.float64)
    weights = np.concatenate([np.ones((1, len(values))), draws(groups)])
    total = weights.sum(axis=1, keepdims=True)
    risk = lost(values, wrong, weights, coverage * total)[:, 0] / (coverage * total[:, 0])
    whole = weights @ wrong / total[:, 0]
    fall = 1 - risk / np.where(whole > 0, whole, 1)
    fall[whole == 0] = 0
    return _estimate(risk), _estimate(fall)


def threshold_for(scores: Numbers, coverage: float) -> float:
    """The score from which on such a share of the descriptions is kept: halfway to the next lower one."""
    order = np.sort(scores)[::-1]
    kept = min(max(round(coverage * len(order)), 1), len(order))
    return float(order[-1] if kept == len(order) else (order[kept - 1] + order[kept]) / 2)


def _logistic(names: Sequence[str], rows: Numbers, right: Truth) -> Logistic:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=1000)).fit(rows, right)
    scaler, regression = model[0], model[1]
    weights = regression.coef_[0] / scaler.scale_
    bias = float(regression.intercept_[0] - weights @ scaler.mean_)
    return Logistic({name: float(weight) for name, weight in zip(names, weights, strict=True)}, bias)


def _estimate(drawn: Numbers) -> Estimate:
    """The first is the value, the others are its bootstrap draws."""
    low, high = np.quantile(drawn[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(float(drawn[0]), float(low), float(high))
