"""Metrics against published values and against a second implementation (benchmarks/metrics_second.py)."""

import shutil
from pathlib import Path

import pytest

from benchmarks import metrics_cases as golden
from benchmarks import metrics_second as second
from evaluation.metrics import coco
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.lexical import Bleu, Chrf, rouge
from evaluation.metrics.measures import Asked
from evaluation.metrics.score import score_texts

TEXTS = ["CT of the chest shows a mass in the right lung.", "An image.", "Axial MR", "", "the the the the mass mass"]
REFERENCES = [
    "CT of the chest with a mass of the left lung.", "Coronal MR of the brain", "Axial MR of the brain.",
    "A chest film", "the mass",
]  # fmt: skip
ASKED = Asked(tuple("abcde"), tuple(REFERENCES), tuple("abcde"))

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="METEOR 1.5 is a Java program; no Java is here")


def test_cider_has_its_published_value() -> None:
    assert coco.cider(golden.TEXTS, golden.REFERENCES).mean() == pytest.approx(1.242192, abs=1e-6)


@needs_java
def test_meteor_has_its_published_values() -> None:
    assert coco.meteor_of_all(golden.TEXTS, golden.REFERENCES) == pytest.approx(0.295797, abs=1e-6)
    texts, references, values = zip(*golden.METEOR_OF_ONE, strict=True)
    assert coco.meteor(texts, references) == pytest.approx(values, abs=1e-6)


@needs_java
def test_meteor_gives_a_value_to_each_text_and_none_to_an_empty_one() -> None:
    measure = coco.Meteor(ASKED, MetricsConfig())
    own, same = measure.score([TEXTS, REFERENCES])
    assert own["meteor"][3] == 0
    assert 0 < own["meteor"][0] < 1
    assert same["meteor"] == pytest.approx(1.0, abs=1e-6)


def test_lexical_metrics_are_equal_to_a_second_implementation() -> None:
    found = golden.lexical(TEXTS, REFERENCES)
    assert set(found) >= {"rouge1", "rougeL", "imageclef_rouge1", "bleu1", "bleu4", "chrf", "cider"}
    assert {name: value for name, value in found.items() if value > 1e-9 and "all texts" not in name} == {}


def test_what_is_said_is_judged_as_by_a_second_implementation() -> None:
    said = ["Yes, it is", "not seen", "the left lung", "3,5 cm of two", "", "T2-weighted", "Left upper lobe"]
    true = ["yes", "no", "Left lung", "2 of 3.5 cm", "no", "T2 weighted MR", "left lobe"]
    types = ["closed", "closed", "open", "open", "closed", "open", "open"]
    page = {"patient": {"age": 42, "sex": None}, "findings": ["A mass", "fluid", "fluid"], "seen": True}
    read = {"patient": {"age": "42"}, "findings": ["fluid", "the mass", "cyst"], "seen": False}
    names, held = [frozenset("ab"), frozenset("c"), frozenset()], [frozenset("bd"), frozenset(), frozenset("a")]
    found = golden.answers(said, true, types) | golden.fields([read, "no", page], [page, page, {}])
    found |= golden.codes(names, held) | golden.content(TEXTS, REFERENCES)
    assert set(found) >= {"accuracy", "accuracy.open_recall", "field_f1", "cui_f1", "content", "content.plane"}
    assert {name: value for name, value in found.items() if not value < 1e-9} == {}


def test_an_empty_text_has_no_score_and_the_reference_itself_the_full_one() -> None:
    for measure in (rouge(ASKED, MetricsConfig()), Bleu(ASKED, MetricsConfig()), Chrf(ASKED, MetricsConfig())):
        empty, same = measure.score([[""] * 5, REFERENCES])
        assert all(values.tolist() == [0] * 5 for values in empty.values())
        assert all(values.tolist() == pytest.approx([1] * 5) for values in same.values())


def test_bleu_of_all_texts_is_of_their_summed_counts_with_an_interval() -> None:
    from sacrebleu.metrics.bleu import BLEU

    found = Bleu(ASKED, MetricsConfig()).corpus(TEXTS)["bleu4"]
    by_library = BLEU(lowercase=True).corpus_score(TEXTS, [REFERENCES]).score / 100
    assert found.value == pytest.approx(by_library)
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.value <= found.high


@pytest.mark.data
def test_on_500_pairs_of_real_captions_every_metric_without_a_model_is_equal_to_a_second_implementation(
    shared_data: Path,
) -> None:
    texts, references = golden.pairs(shared_data)
    found = golden.lexical(texts, references)
    assert len(texts) == 500
    assert max(found.values()) < 1e-9
    assert {name: value for name, value in golden.judged(shared_data).items() if not value < 1e-9} == {}
    assert second.largest_difference([1.0], [float("nan")]) == float("inf")


def test_without_java_there_is_no_meteor_and_nothing_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.metrics.coco.shutil.which", lambda _: None)
    found = score_texts("x", TEXTS, ASKED, ("meteor", "rouge1"))
    assert "meteor" not in found.values
    assert found.missing["meteor"].endswith("apt install default-jre-headless")


def test_without_the_extra_its_install_line_is_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.metrics.measures.importlib.util.find_spec", lambda _: None)
    found = score_texts("x", TEXTS, ASKED, ("lexical",))
    assert found.values == {}
    assert found.missing["rouge1"] == "rouge-score is not installed. Install it: pip install 'lumenscribe[eval]'"
