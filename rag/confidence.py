"""How sure a description may be of itself: the signals, and the calibration that weighs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from configs import StrictModel


@dataclass(frozen=True)
class Confidence:
    """`score` is 0 to 1; `signals` are what it is made of, each 0 to 1, the same names for one configuration."""

    score: float
    signals: Mapping[str, float]


class Calibration(StrictModel):
    """What `evaluate calibrate` writes and `check.calibration` names.

    The score of a description is the logistic function of `bias` plus the weighted signals; below `threshold` it
    abstains. `made_from` says on what it was fitted.
    """

    weights: dict[str, float]
    bias: float
    threshold: float
    made_from: dict[str, str | int | float]
