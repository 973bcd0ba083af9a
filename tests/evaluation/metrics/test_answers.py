"""Answers and fields: what counts as right."""

import json

import numpy as np
import pytest

from evaluation.errors import MissingMetricError
from evaluation.metrics.answers import Accuracy, FieldF1, is_right, leaves, normalise, recall
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked


@pytest.mark.parametrize(
    ("answer", "normalised"),
    [
        ("Yes.", "yes"),
        ("The left lung", "left lung"),
        ("two masses", "2 masses"),
        ("3.5 cm", "3.5 cm"),
        ("1,000", "1.000"),
        ("T2-weighted", "t2 weighted"),
        ("  An  X-ray!", "x ray"),
        ("", ""),
    ],
)
def test_answers_are_normalised_by_the_published_rule(answer: str, normalised: str) -> None:
    assert normalise(answer) == normalised


@pytest.mark.parametrize(
    ("said", "true", "right"),
    [
        ("Yes, there is an infarct.", "yes", True),
        ("No", "No.", True),
        ("There is no infarct", "no", False),
        ("not seen", "no", False),
        ("", "no", False),
        ("the left lung", "Left lung", True),
        ("left lung and right lung", "left lung", False),
        ("Axial", "axial", True),
    ],
)
def test_yes_and_no_are_read_from_the_first_word_and_all_else_must_be_equal(said: str, true: str, right: bool) -> None:
    assert is_right(said, true) is right


def test_open_answers_have_the_recall_of_their_words() -> None:
    assert recall("a mass in the left lung", "left upper lung") == pytest.approx(2 / 3)
    assert recall("", "lung") == 0


def test_accuracy_is_told_apart_by_type() -> None:
    asked = Asked(
        tuple("abcd"), ("yes", "no", "lung", "left lung"), tuple("abcd"), types=("closed", "closed", "open", "open")
    )
    found = Accuracy(asked, MetricsConfig()).score([["yes", "yes", "lung", "lung"]])[0]
    assert found["accuracy"].tolist() == [1, 0, 1, 0]
    assert np.nanmean(found["accuracy.closed"]) == 0.5
    assert np.nanmean(found["accuracy.open"]) == 0.5
    assert np.nanmean(found["accuracy.open_recall"]) == pytest.approx(0.75)
    assert np.isnan(found["accuracy.open"][:2]).all()


def test_captions_have_no_accuracy() -> None:
    with pytest.raises(MissingMetricError, match="no questions"):
        Accuracy(Asked(("a",), ("CT",), ("a",)), MetricsConfig())


def test_fields_are_pairs_of_path_and_value_whatever_the_order_of_lists() -> None:
    true = {"patient": {"age": 42, "sex": "F"}, "findings": ["mass", "fluid"], "note": None}
    said = {"patient": {"age": "42"}, "findings": ["Fluid", "cyst"]}
    assert sorted(leaves(true)) == [
        ("findings[]", "fluid"), ("findings[]", "mass"), ("patient.age", "42"), ("patient.sex", "f"),
    ]  # fmt: skip
    asked = Asked(("a", "b"), (json.dumps(true), json.dumps(true)), ("a", "b"))
    found = FieldF1(asked, MetricsConfig()).score([[json.dumps(said), "no JSON"]])[0]["field_f1"]
    assert found.tolist() == pytest.approx([2 * 2 / (3 + 4), 0.0])
