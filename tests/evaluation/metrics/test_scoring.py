"""Scores with their foils, intervals and reasons for what is blank."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from evaluation.errors import MetricError, MissingMetricError, RunError
from evaluation.metrics import table
from evaluation.metrics.config import MetricsConfig, read_config
from evaluation.metrics.foils import make, shuffle
from evaluation.metrics.measures import Asked
from evaluation.metrics.registry import METRICS, PRESETS, families, named
from evaluation.metrics.score import score_texts
from evaluation.metrics.scored import CONSTANT, NEAREST, SHUFFLED, read_scores, write_scores
from evaluation.statistics.intervals import estimate, estimates

ORGANS = ("brain", "liver", "lung", "kidney")
CAPTIONS = [f"Axial CT of the {ORGANS[n % 4]} with {'a mass' if n % 3 else 'an abscess'} number {n}" for n in range(24)]
METRICS_HERE = ("rouge1", "bleu4", "cider", "concept_f1")


def asked(**more: object) -> Asked:
    ids = tuple(f"i{n}" for n in range(24))
    held = {"ids": ids, "references": tuple(CAPTIONS), "groups": tuple(f"g{n // 2}" for n in range(24)), **more}
    return Asked(**held)  # type: ignore[arg-type]


def test_right_texts_gain_over_shuffled_ones_and_a_constant_gains_nothing() -> None:
    own = score_texts("own", CAPTIONS, asked(), METRICS_HERE)
    gain = own.gain("rouge1")
    assert gain is not None
    assert gain.low is not None
    assert gain.low > 0
    assert gain.p is not None
    assert gain.p < 0.001
    same = score_texts("same", ["Axial CT of the brain"] * 24, asked(), METRICS_HERE)
    for metric in METRICS_HERE:
        nothing = same.gain(metric)
        assert nothing is not None
        assert nothing.value == pytest.approx(0)


def test_no_image_is_given_its_own_articles_caption_as_the_constant_text() -> None:
    config = MetricsConfig()
    found, _ = make(asked(), CAPTIONS, config, content=False)
    sentences, words = found[0].variants
    assert len(set(words)) == 1
    assert len(set(sentences)) == 2
    groups = [f"g{n // 2}" for n in range(24)]
    common = max(set(sentences), key=sentences.count)
    own = {group for group, caption in zip(groups, CAPTIONS, strict=True) if caption == common}
    assert [place for place, text in enumerate(sentences) if text != common] == [
        place for place, group in enumerate(groups) if group in own
    ]


def test_no_text_is_dealt_to_its_own_group_and_each_once() -> None:
    groups = [f"g{n // 3}" for n in range(30)]
    within = ["a" if n % 2 else "b" for n in range(30)]
    for seed in range(20):
        order = shuffle(groups, within, seed)
        assert sorted(order) == list(range(30))
        assert all(
            groups[place] != groups[other] and within[place] == within[other] for place, other in enumerate(order)
        )
    with pytest.raises(MissingMetricError, match="has 3 of 4 texts"):
        shuffle(["a", "a", "a", "b"], [None] * 4, 0)


def test_the_nearest_captions_are_a_foil_where_there_are_any() -> None:
    without = score_texts("x", CAPTIONS, asked(), ("rouge1",))
    assert "no record has evidence" in without.missing[NEAREST]
    near = score_texts("x", CAPTIONS, asked(nearest=(*CAPTIONS[:23], None)), ("rouge1",))
    assert near.foils[NEAREST]["rouge1"].tolist() == pytest.approx([1] * 23 + [0])
    assert "1 of 24 have none" in near.notes[NEAREST]
    assert set(near.foils) == {CONSTANT, SHUFFLED, NEAREST}


def test_only_such_foils_are_made_as_are_named() -> None:
    alone = score_texts("x", CAPTIONS, asked(), ("rouge1",), foils=())
    assert (alone.foils, alone.missing, alone.notes) == ({}, {}, {})
    shuffled = score_texts("x", CAPTIONS, asked(), ("rouge1",), foils=(SHUFFLED,))
    assert set(shuffled.foils) == {SHUFFLED}
    every = score_texts("x", CAPTIONS, asked(), ("rouge1",))
    assert np.array_equal(shuffled.foils[SHUFFLED]["rouge1"], every.foils[SHUFFLED]["rouge1"])


def test_a_metric_that_cannot_be_had_is_blank_with_the_reason() -> None:
    found = score_texts("x", CAPTIONS, asked(), ("rouge1", "bertscore", "imageclef", "radgraph"))
    assert set(found.values) == {"rouge1", "imageclef_rouge1"}
    assert "--with bertscore.model=FOLDER" in found.missing["bertscore"]
    assert "microsoft/deberta-xlarge-mnli" in found.missing["imageclef_bertscore"]
    assert "pip install 'radeval>=2'" in found.missing["radgraph"]
    assert "--with bleurt.model=FOLDER" in found.missing["bleurt"]
    assert "bertscore" in table.text(found)


def test_metrics_and_presets_are_told_by_name() -> None:
    assert named(["lexical", "rouge1", "content"]) == (*PRESETS["lexical"], "content")
    assert [name for names in families(tuple(METRICS)).values() for name in names].sort() == list(METRICS).sort()
    with pytest.raises(MetricError, match="did you mean 'rougeL'"):
        named(["rougel"])
    with pytest.raises(MetricError, match="KEY=VALUE"):
        read_config(["bertscore.model"])
    assert read_config(["bertscore.model=minilm", "shuffles=2"]).bertscore.model == "minilm"


def test_the_default_is_what_suits_the_texts_and_is_chosen_by_one_rule() -> None:
    answers = asked(types=("closed",) * 24)
    documents = asked(references=tuple(f'{{"number": {n}}}' for n in range(24)))
    assert named(["default"], asked()) == PRESETS["default"]
    assert named(["default"], answers) == PRESETS["questions"]
    assert named(["default", "rouge1"], documents) == (*PRESETS["fields"], "rouge1")
    numbers = asked(references=tuple(map(str, range(24))))
    assert named(["default"], numbers) == PRESETS["default"]
    assert set(score_texts("x", list(documents.references), documents).values) == {"field_f1"}


def test_scores_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    kinds = tuple("CT" if n % 2 else "MR" for n in range(24))
    truth = tuple({"modality": kind} for kind in kinds)
    from rag.content import Content

    held = asked(splits={"modality": kinds}, truth=truth, content=Content.load("radiology"))
    scored = score_texts("own", CAPTIONS, held, ("rouge1", "bleu4", "content"))
    write_scores(scored, tmp_path)
    made = json.loads((tmp_path / "scores.json").read_text(encoding="utf-8"))["recipe"]
    assert made["command"]
    assert datetime.fromisoformat(made["date"]).tzinfo is not None
    assert "numpy" in made["versions"]
    again = read_scores(tmp_path)
    assert again.recipes == scored.recipes
    assert again.splits == scored.splits
    assert again.corpus == scored.corpus
    assert again.notes == scored.notes
    for name, values in scored.values.items():
        assert np.array_equal(values, again.values[name], equal_nan=True)
    for name, values in scored.foils[SHUFFLED].items():
        assert np.array_equal(values, again.foils[SHUFFLED][name], equal_nan=True)
    assert table.to_json(again) == table.to_json(scored)
    with pytest.raises(RunError, match="holds no scores"):
        read_scores(tmp_path / "elsewhere")
    file = tmp_path / "scores.jsonl"
    file.write_text(file.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(RunError, match="has 23 whole lines of 24"):
        read_scores(tmp_path)


def test_all_figures_at_once_are_those_of_one_at_a_time() -> None:
    random = np.random.default_rng(3)
    columns = random.normal(size=(60, 5))
    columns[:20, 1] = columns[20:, 2] = columns[:, 4] = np.nan
    groups = [n // 3 for n in range(60)]
    together = estimates(columns, groups, test=True)
    assert together[4] is None
    for column in range(4):
        rows = np.flatnonzero(~np.isnan(columns[:, column]))
        alone = estimate(columns[rows, column], [groups[row] for row in rows], test=True)
        found = together[column]
        assert found is not None
        assert (found.value, found.low, found.high, found.p) == pytest.approx(
            (alone.value, alone.low, alone.high, alone.p)
        )


def test_figures_are_split_by_what_the_records_say() -> None:
    kinds = tuple("CT" if n < 12 else "MR" for n in range(24))
    texts = [*CAPTIONS[:12], *[""] * 12]
    found = table.figures(score_texts("x", texts, asked(splits={"modality": kinds}), ("rouge1",), MetricsConfig()))
    assert found.counts == {"modality": {"CT": 12, "MR": 12}}
    assert found.splits["modality"]["CT"]["rouge1"].value == pytest.approx(1)
    assert found.splits["modality"]["MR"]["rouge1"].value == 0


def test_answers_have_the_commonest_answer_of_their_type_as_a_foil() -> None:
    types = tuple("closed" if n % 2 else "open" for n in range(24))
    truth = tuple(("yes" if n % 3 else "no") if n % 2 else ORGANS[n % 4] for n in range(24))
    found = score_texts("x", list(truth), asked(references=truth, types=types), ("questions",))
    own = found.estimate("accuracy")
    assert own is not None
    assert own.value == 1
    assert set(found.values) == {"accuracy", "accuracy.closed", "accuracy.open", "accuracy.open_recall"}
    constant = found.foil(CONSTANT, "accuracy.closed")
    assert constant is not None
    assert constant.value == pytest.approx(8 / 12)
    assert "no nearest caption" in found.missing[NEAREST]
