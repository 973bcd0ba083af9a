"""Curves by hand, and fits on signals that are made to tell much, little or nothing."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.calibration.coverage import ideal, risk_coverage
from evaluation.calibration.selective import fit, risk_at, threshold_for
from evaluation.errors import CalibrationError

RIGHT = [True, True, False, True, False]
WRONG = [not one for one in RIGHT]
SCORES = [0.9, 0.8, 0.7, 0.6, 0.5]


def made(count: int, told: float) -> tuple[list[dict[str, float]], list[bool], list[int]]:
    """Signals of which one goes along with being right as much as is `told`, one is noise and one never changes."""
    rng = np.random.default_rng(0)
    right = rng.random(count) < 0.6
    good = np.clip(0.5 + told * (right - 0.5) + rng.normal(0, 0.2, count), 0, 1)
    noise = rng.random(count)
    signals = [{"good": float(g), "noise": float(n), "same": 1.0} for g, n in zip(good, noise, strict=True)]
    return signals, right.tolist(), [place // 3 for place in range(count)]


def test_risk_by_coverage_by_hand() -> None:
    curve = risk_coverage(SCORES, WRONG)
    assert curve.coverage.tolist() == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert curve.risk.tolist() == pytest.approx([0, 0, 1 / 3, 1 / 4, 2 / 5])
    assert curve.aurc == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert ideal(WRONG).risk.tolist() == pytest.approx([0, 0, 0, 1 / 4, 2 / 5])
    assert curve.at(0.7) == pytest.approx((1 / 3 + 1 / 4) / 2)
    assert curve.coverage_at(0.3) == pytest.approx(0.8)
    assert risk_coverage([0.9, 0.1], [True, False]).coverage_at(0.1) is None


def test_equal_scores_keep_errors_as_a_random_order_does() -> None:
    assert risk_coverage([0.5] * 5, WRONG).risk.tolist() == pytest.approx([0.4] * 5)
    assert risk_coverage([0.9, 0.5, 0.5], [False, False, True]).risk.tolist() == pytest.approx([0, 0.25, 1 / 3])


def test_a_loss_may_be_any_figure() -> None:
    assert risk_coverage([0.9, 0.5, 0.5], [0.2, 0.4, 0.9]).risk.tolist() == pytest.approx([0.2, 0.85 / 2, 0.5])
    assert ideal([0.9, 0.2, 0.4]).risk.tolist() == pytest.approx([0.2, 0.3, 0.5])


def test_risk_at_a_coverage_and_what_it_takes_away() -> None:
    risk, fall = risk_at(SCORES, RIGHT, range(5), 0.8)
    assert risk.value == pytest.approx(1 / 4)
    assert fall.value == pytest.approx(1 - (1 / 4) / (2 / 5))
    many, _ = risk_at(SCORES * 40, RIGHT * 40, range(200), 0.8)
    together, _ = risk_at(SCORES * 40, RIGHT * 40, [n // 20 for n in range(200)], 0.8)
    assert many.low is not None
    assert many.high is not None
    assert many.low < many.value < many.high
    # Twenty rows of one article hold the same of each five: whole articles differ less than rows do.
    assert together.high is not None
    assert together.low is not None
    assert together.high - together.low < many.high - many.low


def test_a_threshold_keeps_what_was_asked_for() -> None:
    scores = np.asarray([0.1, 0.9, 0.5, 0.3, 0.7])
    assert threshold_for(scores, 0.6) == pytest.approx(0.4)
    assert (scores >= threshold_for(scores, 1.0)).all()
    assert (scores >= threshold_for(scores, 0.01)).sum() == 1


def test_signals_that_tell_are_weighed_and_noise_is_not() -> None:
    signals, right, groups = made(300, 0.6)
    fitted = fit(signals, right, groups)
    weights = fitted.model.weights
    assert weights["good"] > 5 * abs(weights["noise"])
    assert weights["same"] == 0
    overall = 1 - np.mean(right)
    assert risk_coverage(fitted.held_out, ~np.asarray(right)).at(0.6) < overall / 3
    # The weights are for the signals as they are: the scores by hand.
    first = fitted.model.bias + sum(weights[name] * signals[0][name] for name in weights)
    assert fitted.model.scores(signals)[0] == pytest.approx(1 / (1 + np.exp(-first)))
    assert fitted.model.scores(signals).mean() == pytest.approx(np.mean(right), abs=0.02)


def test_noise_gains_nothing_on_articles_that_were_not_seen() -> None:
    signals, right, groups = made(300, 0.0)
    curve = risk_coverage(fit(signals, right, groups).held_out, ~np.asarray(right))
    assert curve.aurc > 0.85 * (1 - np.mean(right))


def test_scores_are_held_out_by_article() -> None:
    """A signal that names the article tells nothing of articles that were not seen."""
    rng = np.random.default_rng(1)
    groups = [place // 6 for place in range(240)]
    right = [bool(rng.integers(2)) for _ in range(40)]
    truth = [right[group] for group in groups]
    names = [f"article {group}" for group in range(40)]
    signals = [{name: float(name == f"article {group}") for name in names} for group in groups]
    fitted = fit(signals, truth, groups)
    assert risk_coverage(fitted.model.scores(signals), ~np.asarray(truth)).at(0.4) == 0
    assert risk_coverage(fitted.held_out, ~np.asarray(truth)).at(0.4) > 0.3


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s, r, g: (s[:12], r[:12], g[:12]), "right and .* wrong: 10 of each"),
        (lambda s, r, g: (s, [True] * len(r), g), "60 descriptions are right and 0 wrong"),
        (lambda s, r, g: (s, r, [n % 3 for n in g]), "the set has 3 articles, and 5 are the least"),
        (lambda s, r, g: ([*s[:-1], {"good": 1.0}], r, g), "not all the same signals: noise"),
        (lambda s, r, g: ([{} for _ in s], r, g), "not all the same signals: one has none"),
    ],
)
def test_what_cannot_be_fitted_says_why(change, told: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(CalibrationError, match=told):
        fit(*change(*made(60, 0.5)))
