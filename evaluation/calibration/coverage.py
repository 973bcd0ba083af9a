"""What is gained by saying nothing where one is unsure: the risk-coverage curve.

El-Yaniv and Wiener, JMLR 2010: descriptions are kept from the most confident down; coverage is the share that is
kept, risk the mean loss of these, which is the share that is wrong where a loss is 0 or 1. AURC (Geifman, Uziel and
El-Yaniv, ICLR 2019) is the mean risk over all coverages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.statistics.intervals import Numbers

REPORTED = 0.8
"""The coverage whose risk is reported."""


@dataclass(frozen=True)
class Curve:
    """Risk at each coverage from 1/n to 1, both `(n,)`, and its mean."""

    coverage: Numbers
    risk: Numbers
    aurc: float

    def at(self, coverage: float) -> float:
        """The risk at a coverage."""
        return float(np.interp(coverage, self.coverage, self.risk))

    def coverage_at(self, risk: float) -> float | None:
        """The largest coverage whose risk is no higher, None where there is none."""
        low = np.flatnonzero(self.risk <= risk)
        return float(self.coverage[low[-1]]) if len(low) else None


def risk_coverage(scores: Sequence[float] | Numbers, losses: Sequence[float] | Numbers) -> Curve:
    """The curve of keeping the highest scores `(n,)`; equal ones in random order, on average. `losses` are `(n,)`."""
    n = len(scores)
    kept = np.arange(1, n + 1, dtype=np.float64)
    sums = lost(np.asarray(scores, np.float64), np.asarray(losses, np.float64), np.ones((1, n)), kept[None, :])
    risk = sums[0] / kept
    return Curve(kept / n, risk, float(risk.mean()))


def ideal(losses: Sequence[float] | Numbers) -> Curve:
    """The curve where what loses less is always surer."""
    return risk_coverage(-np.asarray(losses, np.float64), losses)


def lost(scores: Numbers, losses: Numbers, weights: Numbers, kept: Numbers) -> Numbers:
    """For each row of `weights` `(draws, n)` the loss of the weight `kept` `(draws, m)` that is the most sure."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order]) != 0), len(scores) - 1)
    seen = np.cumsum(weights[:, order], axis=1)[:, ends]
    loss = np.cumsum(weights[:, order] * losses[order], axis=1)[:, ends]
    start = np.zeros((len(weights), 1))
    # Within equal scores losses are spread evenly, as a random order spreads them on average.
    return np.stack([
        np.interp(k, s, w)
        for k, s, w in zip(kept, np.hstack([start, seen]), np.hstack([start, loss]), strict=True)
    ])  # fmt: skip
