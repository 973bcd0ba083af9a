"""Runs: described once, gone on with, refused under another configuration."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_archive import Archive, Engine

from evaluation.errors import RunError
from evaluation.runs import COSTS, DESCRIPTIONS, FAILURES, IMAGES, RUN, Run, describe_set, read_run
from evaluation.sets import EvaluationSet, read_set
from rag.config import Settings, resolve
from rag.prompts import PromptTemplate
from vlm.types import Prompt


@pytest.fixture
def images(archive: Archive) -> EvaluationSet:
    return read_set(str(archive.records), where=["split=dev"], fields=["article=case"])


@pytest.fixture
def settings(archive: Archive) -> Settings:
    return resolve(None, ["batch_size=2", "check.text_embedder=null"], retrieval__index=str(archive.index))


def tried(run: Run) -> set[str]:
    return {*run.records, *run.failures}


def test_a_run_holds_all_that_was_said_and_how(
    images: EvaluationSet, settings: Settings, parrot: Engine, tmp_path: Path
) -> None:
    run = describe_set(settings, images, tmp_path / "run", print)
    assert tried(run) == {case.id for case in run.cases}
    assert run.cases == images.cases
    assert all(run.text(case.id) == run.records[case.id]["evidence"][0]["text"] for case in images.cases)
    assert run.made["settings"] == settings.model_dump(mode="json")
    assert run.made["set"]["images"] == len(images.cases) == parrot.asked
    assert "versions" in run.made
    assert read_run(tmp_path / "run") == run


def test_a_stopped_run_goes_on_where_it_was(
    images: EvaluationSet, settings: Settings, parrot: Engine, tmp_path: Path
) -> None:
    whole = describe_set(settings, images, tmp_path / "run", print)
    file = tmp_path / "run" / DESCRIPTIONS
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(lines[:5]) + lines[5][:40])
    parrot.asked = 0
    again = describe_set(settings, images, tmp_path / "run", print)
    assert parrot.asked == len(images.cases) - 5
    assert tried(again) == {case.id for case in again.cases}
    assert [again.text(case.id) for case in images.cases] == [whole.text(case.id) for case in images.cases]


def test_reading_a_run_that_goes_on_changes_none_of_its_files(
    images: EvaluationSet, settings: Settings, parrot: Engine, tmp_path: Path
) -> None:
    describe_set(settings, images, tmp_path, print)
    file = tmp_path / DESCRIPTIONS
    half = file.read_bytes()[:-40]
    file.write_bytes(half)
    assert len(read_run(tmp_path).records) == parrot.asked - 1
    assert file.read_bytes() == half


def test_an_image_that_cannot_be_read_is_a_failure_and_is_tried_again(
    images: EvaluationSet, settings: Settings, seer: Engine, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    first = replace(images.cases[0], image=str(broken))
    one_bad = replace(images, cases=(first, *images.cases[1:]))
    run = describe_set(settings, one_bad, tmp_path / "run", print)
    assert set(run.failures) == {first.id}
    assert tried(run) == {case.id for case in run.cases}
    assert run.text(first.id) == ""
    broken.write_bytes(Path(images.cases[0].image).read_bytes())
    seer.asked = 0
    run = describe_set(settings, one_bad, tmp_path / "run", print)
    assert (seer.asked, dict(run.failures)) == (1, {})


def test_another_configuration_is_refused_and_named(
    images: EvaluationSet, settings: Settings, seer: Engine, tmp_path: Path
) -> None:
    describe_set(settings, images, tmp_path / "run", print)
    other = settings.model_copy(update={"retrieval": settings.retrieval.model_copy(update={"k": 1})})
    with pytest.raises(RunError, match=r"settings\.retrieval\.k was 5, is 1\. Give another folder"):
        describe_set(other, images, tmp_path / "run", print)
    fewer = replace(images, cases=images.cases[1:])
    with pytest.raises(RunError, match="another configuration: set was"):
        describe_set(settings, fewer, tmp_path / "run", print)
    assert seer.asked == len(images.cases)


@pytest.mark.parametrize("file", [RUN, IMAGES, DESCRIPTIONS, FAILURES])
def test_a_folder_that_cannot_be_read_says_so(
    file: str, images: EvaluationSet, settings: Settings, seer: Engine, tmp_path: Path
) -> None:
    describe_set(settings, images, tmp_path, print)
    assert seer.asked
    (tmp_path / file).write_text(json.dumps({"no": "such"}) + "\n")
    with pytest.raises(RunError, match="cannot be read as a run"):
        read_run(tmp_path)


def test_a_folder_without_a_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        read_run(tmp_path)


@pytest.mark.usefixtures("parrot")
def test_a_run_keeps_the_templates_it_used(images: EvaluationSet, settings: Settings, tmp_path: Path) -> None:
    run = describe_set(settings, images, tmp_path, print)
    (file,) = (tmp_path / "prompts").iterdir()
    assert file.stem == run.made["prompt"]["caption"]
    assert PromptTemplate.load(str(file)).version == file.stem


def test_a_run_can_stop_after_so_many_images_and_go_on(
    images: EvaluationSet, settings: Settings, parrot: Engine, tmp_path: Path
) -> None:
    part = describe_set(settings, images, tmp_path, print, first=5)
    assert (len(part.records), tried(part) == {case.id for case in part.cases}) == (5, False)
    assert set(part.records) == {case.id for case in images.cases[:5]}
    whole = describe_set(settings, images, tmp_path, print)
    assert tried(whole) == {case.id for case in whole.cases}
    assert parrot.asked == len(images.cases)


def test_what_a_run_is_judged_by_is_that_of_the_set_as_given_now(
    images: EvaluationSet, settings: Settings, parrot: Engine, archive: Archive, tmp_path: Path
) -> None:
    first = describe_set(settings, images, tmp_path, print)
    given = {"where": ["split=dev"], "fields": ["article=case"], "truth": ["modality=kind"], "splits": ["plane=plane"]}
    other = read_set(str(archive.records), **given)
    content = Path("configs/content/radiology.yaml").read_text(encoding="utf-8").replace("Axial:", "Transverse:")
    (tmp_path / "words.yaml").write_text(content, encoding="utf-8")
    lists = read_set(
        str(archive.records), where=["split=dev"], fields=["article=case"], content=f"{tmp_path}/words.yaml"
    )
    for now in (other, lists):
        run = describe_set(settings, now, tmp_path, print)
        assert run.cases == now.cases != first.cases
        assert run.made["set"]["truth"] == now.truth_from
        assert run.content is not None
        assert run.content.lists == now.content.lists
        assert {**run.made, "set": None} == {**first.made, "set": None}
        assert run.records == first.records
    assert parrot.asked == len(images.cases)


def test_a_run_that_is_interrupted_notes_what_was_done_and_the_clock_starts_with_the_model_loaded(
    images: EvaluationSet, settings: Settings, parrot: Engine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer, started = parrot.answer, []

    def answered(prompt: Prompt) -> str:
        if parrot.asked > 3:
            raise KeyboardInterrupt
        return answer(prompt)

    monkeypatch.setattr(parrot, "answer", answered)
    monkeypatch.setattr("evaluation.spending.forget_peak", lambda: started.append(parrot.loaded))
    with pytest.raises(KeyboardInterrupt):
        describe_set(settings, images, tmp_path, print)
    assert started == [True]
    (row,) = [json.loads(line) for line in (tmp_path / COSTS).read_text().splitlines()]
    assert row["images"] == len(read_run(tmp_path).records) > 0
