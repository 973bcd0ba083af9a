"""Experiments: the same images in every arm, models shared and one at a time, gone on with, refused when changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from made_archive import Archive, Engine, Parrot, Seer

import cli
from evaluation.errors import ExperimentError
from evaluation.experiments import describe, scoring
from evaluation.experiments.run import run_experiment
from evaluation.experiments.show import text
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.scored import Scored, read_scores
from evaluation.plain import plain
from evaluation.runs import DESCRIPTIONS, Run, read_run
from vlm import ModelConfig

ARMS = {"parrot": {}, "seer": {"model.name": "smolvlm-256m"}, "first": {"retrieval.k": 1}}


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """Every engine that is opened: one that repeats its evidence for pocket, one that looks for every other model."""
    opened: list[Engine] = []

    def open_engine(config: ModelConfig, *_: object) -> Engine:
        engine: Engine = Parrot() if config.name == "pocket" else Seer()
        engine.model = config.name
        opened.append(engine)
        return engine

    monkeypatch.setattr("rag.opening.open_engine", open_engine)
    return opened


def written(archive: Archive, folder: Path, **data: Any) -> str:
    made = {
        "images": {
            "name": str(archive.records),
            "where": ["split=dev"],
            "fields": ["article=case"],
            "truth": ["modality=kind", "plane=plane"],
        },
        "settings": {"retrieval.index": str(archive.index), "batch_size": 2, "check.text_embedder": None},
        "arms": ARMS,
        "baseline": "parrot",
        "metrics": ["rouge1"],
        "primary": {"metric": "content", "margin": 0.1},
    }
    file = folder / "try.yaml"
    file.write_text(yaml.safe_dump(made | data, sort_keys=False))
    return str(file)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(cli.main, ["experiment", *arguments])


def test_every_arm_is_a_run_of_the_same_images_and_its_settings_are_kept(
    archive: Archive, tmp_path: Path, engines: list[Engine]
) -> None:
    found, out = run_experiment(written(archive, tmp_path), tmp_path / "out", print)
    runs = {name: read_run(out / "arms" / name) for name in ARMS}
    assert all(run.cases == runs["parrot"].cases for run in runs.values())
    assert all(len(run.records) == len(run.cases) == 16 for run in runs.values())
    assert [run.made["model"].partition("@")[0] for run in runs.values()] == ["pocket", "smolvlm-256m", "pocket"]
    kept = json.loads((out / "experiment.json").read_text())["arms"]
    assert kept["first"]["changed"] == {"retrieval.k": 1}
    for name, run in runs.items():
        assert kept[name]["settings"] == run.made["settings"]
        assert read_scores(run.folder).ids == tuple(case.id for case in run.cases)
    assert len({arm["settings_hash"] for arm in kept.values()}) == 3
    assert len(engines) == 2
    assert found.arms["seer"].n == 16


def test_models_and_indexes_are_shared_and_one_model_is_in_memory_at_a_time(
    archive: Archive, tmp_path: Path, engines: list[Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []
    real = describe.open_pipeline

    def watched(*args: Any, **options: Any) -> Any:
        opened.append(pipeline := real(*args, **options))
        return pipeline

    together: list[int] = []
    load = Engine.load

    def counted(self: Engine) -> object:
        load(self)
        together.append(sum(engine.loaded for engine in engines))
        return self

    monkeypatch.setattr(describe, "open_pipeline", watched)
    monkeypatch.setattr(Engine, "load", counted)
    run_experiment(written(archive, tmp_path), tmp_path / "out", print)
    assert [engine.loads for engine in engines] == [1, 1]  # arms 1 and 3 have one model: it is not loaded twice
    assert set(together) == {1}
    assert len({id(pipeline.retriever.index) for pipeline in opened}) == 1  # type: ignore[attr-defined]


def test_a_stopped_experiment_goes_on_where_it_was(archive: Archive, tmp_path: Path, engines: list[Engine]) -> None:
    file = written(archive, tmp_path)
    whole, out = run_experiment(file, tmp_path / "out", print)
    seer = out / "arms" / "seer" / DESCRIPTIONS
    lines = seer.read_text().splitlines(keepends=True)
    seer.write_text("".join(lines[:6]) + lines[6][:30])
    del engines[:]
    again, _ = run_experiment(file, tmp_path / "out", print)
    assert [(engine.model, engine.asked, engine.loads) for engine in engines] == [
        ("pocket", 0, 0), ("smolvlm-256m", 10, 1),
    ]  # fmt: skip
    for name in ARMS:
        assert again.arms[name].figures["rouge1"] == whole.arms[name].figures["rouge1"]
    assert again.comparisons["content"]["seer"].difference == whole.comparisons["content"]["seer"].difference


CHANGED = [
    ({"primary": {"metric": "content", "margin": 0.2}}, r"primary\.margin was 0\.1, is 0\.2"),
    ({"baseline": "seer"}, "baseline was parrot, is seer"),
    ({"arms": {**ARMS, "first": {"retrieval.k": 2}}}, r"arms\.first\.retrieval\.k was 1, is 2"),
    ({"metric_settings": ["shuffles=9"]}, r"metric_settings was \[\], is \['shuffles=9'\]"),
    ({"arms": {"parrot": {}, "seer": ARMS["seer"]}}, r"arms\.first\.model\.name was pocket, is not there"),
]


@pytest.mark.usefixtures("engines")
def test_a_changed_experiment_is_refused_and_the_difference_named(archive: Archive, tmp_path: Path) -> None:
    run_experiment(written(archive, tmp_path), tmp_path / "out", print)
    for data, told in CHANGED:
        with pytest.raises(ExperimentError, match=f"holds another experiment: {told}.*--out"):
            run_experiment(written(archive, tmp_path, **data), tmp_path / "out", print)


@pytest.mark.usefixtures("engines")
def test_other_metrics_and_notes_are_no_other_experiment(archive: Archive, tmp_path: Path) -> None:
    run_experiment(written(archive, tmp_path), tmp_path / "out", print)
    more, _ = run_experiment(written(archive, tmp_path, metrics=["chrf"], note="again"), tmp_path / "out", print)
    assert "chrf" in more.arms["seer"].figures


@pytest.mark.usefixtures("engines")
def test_what_is_wrong_with_the_last_arm_shows_before_the_first_is_described(archive: Archive, tmp_path: Path) -> None:
    arms = {**ARMS, "last": {"prompt.template": "no_such"}}
    with pytest.raises(ExperimentError, match="arm last: unknown prompt 'no_such'"):
        run_experiment(written(archive, tmp_path, arms=arms), tmp_path / "out", print)
    assert not (tmp_path / "out" / "arms" / "parrot" / DESCRIPTIONS).exists()
    with pytest.raises(Exception, match="no metric 'rouge11'; did you mean 'rouge1'"):
        run_experiment(written(archive, tmp_path, metrics=["rouge11"]), tmp_path / "other", print)
    assert not (tmp_path / "other").exists()


@pytest.mark.usefixtures("engines")
def test_an_image_that_cannot_be_read_is_left_out_of_all_arms(archive: Archive, tmp_path: Path) -> None:
    records = [json.loads(line) for line in archive.records.read_text().splitlines()]
    (tmp_path / "broken.png").write_bytes(b"no image")
    rows = [{**row, "image": str(archive.records.parent / row["image"])} for row in records if row["split"] == "dev"]
    rows[3]["image"] = str(tmp_path / "broken.png")
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    images = {"name": str(tmp_path / "dev.jsonl"), "fields": ["article=case"], "truth": ["modality=kind"]}
    file = written(archive, tmp_path, images=images)
    done = command("run", file, "--out", str(tmp_path / "out"), "--json")
    assert done.exit_code == 1, done.output
    said = json.loads(done.stdout)
    assert (said["set"]["images"], said["set"]["left_out"]) == (16, 1)
    assert {arm["n"] for arm in said["arms"].values()} == {15}
    assert {arm["failures"] for arm in said["arms"].values()} == {1}
    assert "NaN" not in (tmp_path / "out" / "results.json").read_text()


@pytest.mark.usefixtures("engines")
def test_scores_are_kept_until_the_words_change_or_where_a_metric_is_blank(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scored: list[str] = []
    real = scoring.score_run

    def counted(run: Run, *others: Any, **more: Any) -> Scored:
        scored.append(run.name)
        return real(run, *others, **more)

    monkeypatch.setattr(scoring, "score_run", counted)
    words = tmp_path / "words.yaml"
    words.write_text("one")
    monkeypatch.setattr(scoring, "WORDS", words)

    def scored_again(**data: Any) -> list[str]:
        del scored[:]
        run_experiment(written(archive, tmp_path, **data), tmp_path / "out", print)
        return list(scored)

    assert scored_again() == list(ARMS)
    assert scored_again() == []
    words.write_text("two")
    assert scored_again() == list(ARMS)
    # BLEURT needs a model that is not here, and may be tomorrow.
    assert [scored_again(metrics=["rouge1", "bleurt"]) for _ in range(2)] == [list(ARMS)] * 2


def test_a_blank_is_found_by_whatever_name_its_metric_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`default` is other metrics where texts are answers; a foil that cannot be made is no metric."""
    run, scored = Run(tmp_path, "key", {}, (), {}, {}), list[str]()
    missing = {"accuracy": "", "nearest": ""}

    def described(*_: object) -> Scored:
        scored.append(run.name)
        return Scored("run", (), (), {}, {}, missing=dict(missing))

    monkeypatch.setattr(scoring, "score_described", described)

    def times() -> int:
        del scored[:]
        for _ in range(2):
            scoring.score_once(run, (), ["default"], MetricsConfig())
        return len(scored)

    assert times() == 2
    del missing["accuracy"]
    assert times() == 1


@pytest.mark.usefixtures("engines")
def test_the_blind_one_is_found_worse_and_an_equal_one_is_not(archive: Archive, tmp_path: Path) -> None:
    """Captions of the index are of other patients: repeating them is right in modality and plane, as looking is."""
    arms = {
        "looks": {"model.name": "smolvlm-256m", "check.named_alike": False},
        "looks_twice": {"model.name": "smolvlm-256m", "check.named_alike": False, "retrieval.k": 1},
        "blind": {"retrieval.enabled": False, "prompt.template": "few_shot"},
    }
    found, _ = run_experiment(
        written(archive, tmp_path, arms=arms, baseline="looks", pairs=[["blind", "looks_twice"]]), tmp_path / "o", print
    )
    # Eight articles without a difference do not prove that there is none.
    assert dict(found.verdicts) == {"looks_twice": "inconclusive", "blind": "worse"}
    assert found.comparisons["content"]["looks_twice"].difference.value == 0
    ((first, second, pair),) = found.pairs
    assert (first, second, pair.verdict) == ("blind", "looks_twice", "better")
    assert pair.difference.value == 1.0
    assert found.arms["looks"].figures["content"].value == 1.0
    assert found.arms["looks"].gains["rouge1"].value > 0
    assert {name: arm.texts_changed for name, arm in found.arms.items()} == {"looks": 0, "looks_twice": 0, "blind": 16}
    # Costs are there, and not judged.
    assert found.arms["looks"].figures["latency_s"].value > 0
    assert list(found.comparisons) == ["content", "rouge1", "content.modality", "content.plane"]


@pytest.mark.usefixtures("engines")
def test_a_pair_is_compared_as_the_same_arm_with_the_baseline(archive: Archive, tmp_path: Path) -> None:
    """In the difference of two arms alone, how far values reach and that they are right and wrong is lost."""
    images = {"name": str(archive.records), "fields": ["article=id"], "truth": ["modality=kind"]}
    arms = {"looks": {"model.name": "smolvlm-256m"}, "blind": {"retrieval.enabled": False}}
    file = written(archive, tmp_path, images=images, arms=arms, baseline="looks", pairs=[["looks", "blind"]], alpha=0.1)
    found, _ = run_experiment(file, tmp_path / "out", print)
    ((_, _, pair),) = found.pairs
    assert plain(pair) == plain(found.comparisons["content"]["blind"])
    assert pair.test == "McNemar mid-p"
    shown = text(found)
    assert "difference [90 %]" in shown
    assert f" OR {pair.effect_size:.2f} " in shown
