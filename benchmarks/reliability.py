"""Do probabilities mean something? Expected calibration error and the reliability diagram.

Guo, Pleiss, Sun and Weinberger, ICML 2017: answers are put into ten bins of equal width by the probability of
the answer given (the likelier of the two), and ECE is the sum over bins of n_bin / n * |accuracy - mean probability|.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation.statistics.intervals import Estimate, Numbers, draws

BINS = 10


@dataclass(frozen=True)
class Bin:
    """The answers whose probability is in (low, high]: how many, their mean probability, the share that is right."""

    low: float
    high: float
    count: int
    probability: float
    accuracy: float


def calibration_error(
    probabilities: Sequence[float], right: Sequence[bool], groups: Sequence[Hashable]
) -> tuple[Estimate, tuple[Bin, ...]]:
    """ECE with its interval, and the bins that hold anything."""
    confidence, correct = np.asarray(probabilities, np.float64), np.asarray(right, np.float64)
    which = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1).astype(int)
    drawn = _error(correct - confidence, which, draws(groups))
    value = _error(correct - confidence, which, np.ones((1, len(which))))[0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    bins = [
        Bin(b / BINS, (b + 1) / BINS, int(mine.sum()), float(confidence[mine].mean()), float(correct[mine].mean()))
        for b in range(BINS)
        if (mine := which == b).any()
    ]
    return Estimate(float(value), float(low), float(high)), tuple(bins)


def _error(gap: Numbers, which: np.ndarray, weights: Numbers) -> Numbers:
    """`(count,)`. n_bin cancels: a bin's share of the error is |sum of its gaps| / n."""
    sums = [np.abs(weights[:, which == b] @ gap[which == b]) for b in range(BINS)]
    return np.asarray(np.sum(sums, axis=0) / weights.sum(axis=1))


def draw(curves: Mapping[str, Sequence[Bin]], path: Path) -> None:
    """The diagram as a PNG: a line for each curve, points as large as their bins are full."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.4, 6.0), layout="constrained")
    axes.plot([0.5, 1], [0.5, 1], color="0.7", linestyle="--", label="as it should be")
    for name, bins in curves.items():
        x, y = [b.probability for b in bins], [b.accuracy for b in bins]
        (line,) = axes.plot(x, y, label=f"{name} (n={sum(b.count for b in bins)})")
        axes.scatter(x, y, s=[10 + b.count for b in bins], color=line.get_color(), alpha=0.6)
    axes.set(
        xlabel="probability of the answer given", ylabel="share that is right", xlim=(0.48, 1.02), ylim=(-0.02, 1.02)
    )
    figure.legend(loc="outside lower center", fontsize=8)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
