"""Confidence follows agreement; under the threshold a description is withheld and the evidence shown alone."""

from collections.abc import Mapping
from dataclasses import replace
from math import e, exp
from pathlib import Path

import pytest

from configs import ConfigError
from indexer.types import Evidence, Example
from rag.check import Checker
from rag.confidence import SIGNALS, Calibration, Reliance
from rag.content import Content
from rag.neighbourhood import NEIGHBOURS, Electorate
from vlm.types import Generation


def examples(*captions: str) -> list[Evidence]:
    return [
        Evidence(Example(f"e{n}", text, "test"), score=0.9 - n / 10, rank=n, number=n)
        for n, text in enumerate(captions, start=1)
    ]


def said(text: str, logprob: float | None = -0.1) -> Generation:
    least = None if logprob is None else 3 * logprob
    return Generation(text, 10, 5, "end", 0.1, mean_logprob=logprob, min_logprob=least)


ELECTORATE = Electorate(Content.of_all(["radiology", "microscopy"]))
RELIANCE = Reliance(ELECTORATE)


def measured(text: str, *captions: str, logprob: float | None = -0.1) -> Mapping[str, float]:
    evidence = examples(*captions)
    return RELIANCE.confidence(said(text, logprob), evidence, Checker(0.6).check(text, evidence)).signals


def test_evidence_that_says_the_same_makes_sure() -> None:
    agreeing = measured("Axial CT of the abdomen.", "Axial CT of the liver.", "CT of the abdomen, axial.")
    differing = measured("Axial CT of the abdomen.", "Sagittal MRI of the knee.", "MRI of the brain.")
    assert agreeing["agreement"] == 1.0
    assert differing["agreement"] == 0.0
    assert agreeing["consensus"] == 1.0
    assert differing["consensus"] < 1.0
    assert agreeing["support"] > differing["support"]
    assert set(agreeing) == set(SIGNALS)


def test_the_nearest_neighbour_weighs_most() -> None:
    """The second is less alike by 0.1, and so weighs 1/e of the first."""
    first, second = "CT of the abdomen.", "MRI of the abdomen."
    votes = ELECTORATE.votes(examples(first, second))
    assert votes["modality"] == pytest.approx({"CT": e / (e + 1), "MR": 1 / (e + 1)})
    assert list(votes["modality"]) == ["CT", "MR"]
    assert votes["location"] == {"Abdomen": 1.0}
    assert measured("CT of the abdomen.", first, second)["agreement"] == pytest.approx(e / (e + 1))
    assert measured("CT of the abdomen.", second, first)["agreement"] == pytest.approx(1 / (e + 1))


def test_every_disagreement_counts() -> None:
    kind, part = measured("CT of the knee.", "CT of the chest."), measured("MRI of the chest.", "CT of the chest.")
    assert kind["agreement"] == part["agreement"] == 0.0
    assert measured("CT of the chest.", "CT of the chest.", "A chart.")["agreement"] == 1.0


def test_neighbours_that_were_not_shown_vote() -> None:
    text, evidence = "CT of the chest.", examples("CT of the chest.")
    votes = {"modality": {"CT": 0.6, "MR": 0.4}, "location": {"Thorax": 0.5, "Head": 0.5}}
    confidence = RELIANCE.confidence(said(text), evidence, Checker(0.6).check(text, evidence), votes)
    assert confidence.signals["agreement"] == pytest.approx(0.3)
    assert confidence.signals["consensus"] == pytest.approx(0.55)
    assert confidence.votes == votes
    assert confidence.score == pytest.approx(0.3 * exp(-0.1))


def test_a_smear_is_agreed_on_too() -> None:
    assert measured("Blood smear with one white cell.", "Blood smear, 20 red cells.")["agreement"] == 1.0
    assert measured("Blood smear with one white cell.", "Biopsy of the colon.")["agreement"] == 0.0


def test_no_more_than_twenty_vote() -> None:
    many = ["CT of the chest."] * NEIGHBOURS + ["MRI of the head."] * 30
    evidence = [replace(one, score=0.5) for one in examples(*many)]
    assert ELECTORATE.votes(evidence)["modality"] == {"CT": 1.0}


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
    reliance = Reliance(ELECTORATE, below=0.1, calibration=Calibration.read(file))
    evidence = examples("Axial CT of the abdomen.")
    checks = Checker(0.6).check("Axial CT of the abdomen.", evidence)
    assert reliance.threshold == 0.6
    assert reliance.confidence(said("Axial CT of the abdomen."), evidence, checks).score == pytest.approx(
        0.7311, abs=1e-4
    )
    file.write_text("{weights: {agrement: 2.0}, bias: 0, threshold: 0.5, made_from: {}}")
    with pytest.raises(ConfigError, match="no signal 'agrement'; did you mean 'agreement'"):
        Calibration.read(file)
    file.write_text("{weights: {}, bias: 0, treshold: 0.5, made_from: {}}")
    with pytest.raises(ConfigError, match="did you mean 'threshold'"):
        Calibration.read(file)
