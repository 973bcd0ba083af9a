"""Confidence follows agreement; under the threshold a description is withheld and the evidence shown alone."""

from pathlib import Path

import pytest

from configs import ConfigError
from indexer.types import Evidence, Example
from rag.check import Checker
from rag.confidence import SIGNALS, Calibration, Reliance, signals
from vlm.types import Generation


def examples(*captions: str) -> list[Evidence]:
    return [
        Evidence(Example(f"e{n}", text, "test"), score=0.9 - n / 10, rank=n, number=n)
        for n, text in enumerate(captions, start=1)
    ]


def said(text: str, logprob: float | None = -0.1) -> Generation:
    least = None if logprob is None else 3 * logprob
    return Generation(text, 10, 5, "end", 0.1, mean_logprob=logprob, min_logprob=least)


def measured(text: str, *captions: str, logprob: float | None = -0.1) -> dict[str, float]:
    evidence = examples(*captions)
    return signals(said(text, logprob), evidence, Checker(0.6).check(text, evidence))


def test_evidence_that_says_the_same_makes_sure() -> None:
    agreeing = measured("Axial CT of the abdomen.", "Axial CT of the liver.", "CT of the abdomen, axial.")
    differing = measured("Axial CT of the abdomen.", "Sagittal MRI of the knee.", "MRI of the brain.")
    assert agreeing["agreement"] == 1.0
    assert differing["agreement"] == 0.0
    assert agreeing["consensus"] == 1.0
    assert differing["consensus"] < 1.0
    assert agreeing["support"] > differing["support"]
    assert set(agreeing) == set(SIGNALS)


def test_the_nearest_example_weighs_most() -> None:
    first, second = "CT of the abdomen.", "MRI of the abdomen."
    assert measured("CT of the abdomen.", first, second)["agreement"] == pytest.approx((1 / 1.5 + 1) / 2)
    assert measured("CT of the abdomen.", second, first)["agreement"] == pytest.approx((0.5 / 1.5 + 1) / 2)


def test_what_is_not_known_is_a_half() -> None:
    unknown = measured("A picture.", logprob=None)
    assert {unknown[name] for name in SIGNALS if name != "consistency"} == {0.5}
    known = measured("A picture.")
    assert known["likelihood"] == pytest.approx(0.9048, abs=1e-4)
    assert known["surety"] == pytest.approx(0.7408, abs=1e-4)


def test_a_conflict_lowers_consistency() -> None:
    assert measured("Axial CT of the abdomen.", "Axial CT of the abdomen.")["consistency"] == 1.0
    assert measured("Axial CT of the abdomen.", "Axial MRI of the abdomen.")["consistency"] == 0.5


def test_a_calibration_scores_by_its_weights(tmp_path: Path) -> None:
    file = tmp_path / "calibration.yaml"
    file.write_text("{weights: {agreement: 2.0}, bias: -1.0, threshold: 0.6, made_from: {set: here, n: 10}}")
    reliance = Reliance(below=0.1, calibration=Calibration.read(file))
    evidence = examples("Axial CT of the abdomen.")
    checks = Checker(0.6).check("Axial CT of the abdomen.", evidence)
    assert reliance.threshold == 0.6
    assert reliance.confidence(said("Axial CT of the abdomen."), evidence, checks).score == pytest.approx(
        0.7311, abs=1e-4
    )
    file.write_text("{weights: {}, bias: 0, treshold: 0.5, made_from: {}}")
    with pytest.raises(ConfigError, match="did you mean 'threshold'"):
        Calibration.read(file)
