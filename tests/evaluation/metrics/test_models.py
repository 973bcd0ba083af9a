"""Metrics that need a model, each with a tiny real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import metrics_second as second
from evaluation.errors import MetricError, MissingMetricError
from evaluation.metrics.bertscore import BertScore, bertscore, imageclef_bertscore
from evaluation.metrics.config import BertScoreConfig, MetricsConfig, read_config
from evaluation.metrics.learned import AlignScore, Bleurt, PairModel, pieces
from evaluation.metrics.measures import Asked

REFERENCES = (
    "Axial CT of the chest with a mass in the right lung.",
    "MR of the brain.",
    "No effusion. A mass is noted.",
)
TEXTS = ["CT of the chest with a mass.", "Coronal view of the abdomen.", ""]
ASKED = Asked(tuple("abc"), REFERENCES, tuple("abc"))


def test_bertscore_is_equal_to_a_second_implementation_and_prints_its_recipe(encoder: Path) -> None:
    measure = BertScore(ASKED, BertScoreConfig(model=str(encoder), layer=1), "bertscore")
    own, again, same = measure.score([TEXTS, TEXTS[::-1], REFERENCES])
    # The third text is empty; any other there leaves the idf of the references what it is.
    by_hand = second.bertscore([*TEXTS[:2], "mass"], REFERENCES, str(encoder), 1)
    assert own["bertscore"][:2] == pytest.approx(by_hand[:2], abs=1e-5)
    assert own["bertscore"][2] == 0
    assert again["bertscore"][0] == 0
    assert same["bertscore"] == pytest.approx(1, abs=1e-5)
    recipe = measure.recipes["bertscore"]
    assert recipe.text == (
        "F1, model tiny-bert, layer 1, idf over the 3 references, no normalisation, no rescaling, batches of 32"
    )
    assert recipe.version.startswith("bert-score 0.3")


def test_bertscore_takes_the_last_layer_where_none_is_named_and_refuses_one_that_is_not_there(encoder: Path) -> None:
    measure = bertscore(ASKED, read_config([f"bertscore.model={encoder}", "bertscore.idf=false"]))
    assert "layer 2, no idf" in measure.recipes["bertscore"].text
    with pytest.raises(MetricError, match=r"bertscore\.layer is 3; .* has 2"):
        bertscore(ASKED, read_config([f"bertscore.model={encoder}", "bertscore.layer=3"]))


def test_no_other_model_stands_in_for_the_official_one(encoder: Path) -> None:
    for config in (
        MetricsConfig(),
        read_config([f"bertscore.model={encoder}"]),
        read_config(["bertscore.model=minilm"]),
    ):
        with pytest.raises(MissingMetricError, match="microsoft/deberta-xlarge-mnli"):
            imageclef_bertscore(ASKED, config)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingMetricError, match=str(tmp_path)):
        bertscore(ASKED, read_config([f"bertscore.model={tmp_path}"]))
    with pytest.raises(MissingMetricError, match=r"no model\.safetensors"):
        Bleurt(ASKED, read_config([f"bleurt.model={tmp_path}"]))


def test_bleurt_is_the_models_output_for_reference_and_text_normalised(regressor: Path) -> None:
    config = read_config([f"bleurt.model={regressor}"])
    own, shouted = Bleurt(ASKED, config).score([TEXTS, [text.upper() + "!" for text in TEXTS]])
    pair = ("axial ct of the chest with a mass in the right lung", "ct of the chest with a mass")
    alone = PairModel(str(regressor), "BLEURT", "x").logits([pair])[0, 0]
    assert own["bleurt"][0] == pytest.approx(alone, abs=1e-5)
    assert own["bleurt"] == pytest.approx(shouted["bleurt"], abs=1e-5)


def test_alignscore_is_the_mean_over_sentences_of_their_best_piece(aligner: Path) -> None:
    measure = AlignScore(ASKED, read_config([f"alignscore.model={aligner}"]))
    texts = ["A mass is noted. No effusion.", "MR.", ""]
    values = measure.score([texts])[0]["alignscore"]
    logits = PairModel(str(aligner), "AlignScore", "x").logits(
        [(REFERENCES[0], "A mass is noted."), (REFERENCES[0], "No effusion.")]
    )
    odds = np.exp(logits)
    assert values[0] == pytest.approx((odds / odds.sum(axis=1, keepdims=True))[:, 0].mean(), abs=1e-5)
    assert values[2] == 0


def test_alignscore_wants_a_label_of_that_name(regressor: Path) -> None:
    with pytest.raises(MissingMetricError, match="no label ALIGNED; it has LABEL_0"):
        AlignScore(ASKED, read_config([f"alignscore.model={regressor}"]))


def test_contexts_are_cut_between_sentences() -> None:
    sentence = "One two three four five six seven eight nine ten."
    cut = pieces(" ".join([sentence] * 60))
    assert [len(piece.split()) for piece in cut] == [350, 250]
