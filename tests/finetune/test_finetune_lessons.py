"""Lessons have the prompts of a run, their own article left out; what is drawn at random is the same after a stop."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from finetune.config import FinetuneConfig
from finetune.errors import RecordsError, TooLong
from finetune.evidence import load_images
from finetune.fitting import Fit, FittingLessons, measure
from finetune.lesson import Lesson
from finetune.lessons import Lessons, open_lessons
from finetune.records import TrainingRecord, read_split, write_split
from imaging import LoadedImage
from rag.errors import RequestError
from rag.opening import open_pipeline
from rag.pipeline import Pipeline
from rag.starter import index_folder
from rag.types import Request
from tests.vlm import tiny
from vlm.types import Prompt

LINE = re.compile(r"^\[(\d+)\] (.*)$", re.MULTILINE)


@pytest.fixture(scope="module")
def files() -> Path:
    """The images that the starter index was built from, with their records."""
    return index_folder("starter", lambda _: None).parent / "files"


@pytest.fixture(scope="module")
def records(files: Path) -> list[TrainingRecord]:
    """Some of them as things to learn: every one is in the index itself."""
    rows = [json.loads(line) for line in (files / "records.jsonl").read_text().splitlines()][::7]
    return [TrainingRecord(r["id"], "caption", (r["image"],), r["caption"], article=r["article"]) for r in rows]


def config(files: Path, **changes: Any) -> FinetuneConfig:
    return FinetuneConfig.model_validate({"name": "test", "model": "pocket", "data": {"folder": files}, **changes})


def opened(config: FinetuneConfig, records: Sequence[TrainingRecord], folder: Path, training: bool = True) -> Lessons:
    return open_lessons(config, records, folder, training=training, tell=lambda _: None)


def text(prompt: Prompt) -> str:
    """A prompt's texts and the hashes of its images, in the order they are read."""
    parts = [part for message in prompt.messages for part in message.parts]
    return "\n".join(part if isinstance(part, str) else part.sha256 for part in parts)


def shown(prompt: Prompt) -> dict[int, str]:
    """The numbered lines of a prompt."""
    return {int(number): line for number, line in LINE.findall(text(prompt))}


@pytest.fixture(scope="module")
def plain(files: Path, records: list[TrainingRecord], tmp_path_factory: pytest.TempPathFactory) -> Lessons:
    return opened(config(files), records, tmp_path_factory.mktemp("run"))


def test_a_lesson_is_asked_as_a_run_would_ask(plain: Lessons, files: Path, records: list[TrainingRecord]) -> None:
    requests = [record.request(files) for record in records]
    prepared = open_pipeline(config(files).resolved_settings(), requests).prepare(requests)
    asked = {item.request.id: item.prompt.prompt for item in prepared.items}
    assert len(plain) == len(records) > 5
    for place, record in enumerate(records):
        lesson = plain[place]
        assert (lesson.id, lesson.answer) == (record.id, record.answer)
        assert text(lesson.prompt) == text(asked[record.id])
        assert (lesson.prompt.template, lesson.prompt.template_hash) == (
            asked[record.id].template,
            asked[record.id].template_hash,
        )


def test_no_language_model_is_loaded_and_the_retriever_goes(plain: Lessons) -> None:
    assert plain[0]
    assert plain._pipeline.speaker.engine._loaded is None  # type: ignore[attr-defined]
    assert plain._pipeline.retriever is None


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_no_record_is_shown_itself_or_its_article(
    share: float, files: Path, records: list[TrainingRecord], tmp_path: Path
) -> None:
    """One article for half of them: what is drawn of others must not be of it either."""
    half = [replace(r, article=records[0].article) if place % 2 else r for place, r in enumerate(records)]
    rows = [json.loads(line) for line in (files / "records.jsonl").read_text().splitlines()]
    captions = Counter(row["caption"] for row in rows)
    article = {row["caption"]: row["article"] for row in rows if captions[row["caption"]] == 1}
    assert sum(record.answer in article for record in records) > 3
    lessons = opened(config(files, evidence={"distract": share}), half, tmp_path)
    for place, record in enumerate(half):
        lines = shown(lessons[place].prompt)
        assert lines
        assert record.answer not in lines.values() or record.answer not in article
        assert record.article not in [article.get(line) for line in lines.values()]


def test_distraction_keeps_numbers_and_places(
    plain: Lessons, files: Path, records: list[TrainingRecord], tmp_path: Path
) -> None:
    distracted = opened(config(files, evidence={"distract": 1.0}), records, tmp_path)
    known = {line for place in range(len(plain)) for line in shown(plain[place].prompt).values()}
    for place in range(len(records)):
        before, after = shown(plain[place].prompt), shown(distracted[place].prompt)
        assert list(after) == list(before) == list(range(1, len(before) + 1))
        assert not set(after.values()) & set(before.values())
        assert set(after.values()) <= known
        assert len(set(after.values())) == len(after)


def test_what_is_drawn_depends_on_seed_epoch_and_record_alone(
    files: Path, records: list[TrainingRecord], tmp_path: Path
) -> None:
    drawn = {"evidence": {"dropout": 0.4, "distract": 0.5}}
    lessons = opened(config(files, **drawn), records, tmp_path)
    first = [text(lessons[place].prompt) for place in range(len(records))]
    lessons.set_epoch(1)
    second = [text(lessons[place].prompt) for place in range(len(records))]
    assert first != second
    again = opened(config(files, **drawn), records, tmp_path)
    again.set_epoch(1)
    assert [text(again[place].prompt) for place in reversed(range(len(records)))] == second[::-1]
    other = opened(config(files, **drawn, training={"seed": 1}), records, tmp_path)
    assert [text(other[place].prompt) for place in range(len(records))] not in (first, second)


def test_dropout_shows_no_evidence_so_often(
    plain: Lessons, files: Path, records: list[TrainingRecord], tmp_path: Path
) -> None:
    lessons = opened(config(files, evidence={"dropout": 0.5}), records, tmp_path)
    bare = []
    for epoch in range(40):
        lessons.set_epoch(epoch)
        bare += [not shown(lessons[place].prompt) for place in range(len(records))]
    assert 0.4 < sum(bare) / len(bare) < 0.6
    place = bare[-len(records) :].index(True)
    assert not shown(lessons[place].prompt)
    undropped = list(plain.ever_shorter(place))
    assert shown(undropped[0].prompt)
    assert text(lessons[place].prompt) == text(undropped[-1].prompt)


def test_a_dev_split_is_drawn_nothing_for(
    plain: Lessons, files: Path, records: list[TrainingRecord], tmp_path: Path
) -> None:
    drawn = config(files, evidence={"dropout": 1.0, "distract": 1.0})
    dev = opened(drawn, records, tmp_path, training=False)
    dev.set_epoch(3)
    assert [text(dev[place].prompt) for place in range(len(dev))] == [text(plain[p].prompt) for p in range(len(plain))]


def test_a_lesson_is_shortened_from_the_least_similar_on(plain: Lessons) -> None:
    """Pocket has the most similar first."""
    whole = list(shown(plain[0].prompt).items())
    assert len(whole) > 2
    shorter = [shown(lesson.prompt) for lesson in plain.ever_shorter(0)]
    assert shorter == [dict(whole[:kept]) for kept in range(len(whole), -1, -1)]


def pieces_and_one(lesson: Lesson) -> int:
    """A length: that of a lesson without evidence is 1."""
    return 1 + len(shown(lesson.prompt))


def test_a_lesson_is_shortened_until_it_fits_with_its_images_read_once(
    plain: Lessons, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(pipeline: Pipeline, request: Request) -> tuple[LoadedImage, ...]:
        read.append(request.id)
        return load_images(pipeline, request)

    monkeypatch.setattr("finetune.lessons.load_images", counted)
    whole = pieces_and_one(plain[0])
    for most in (whole, 3, 1):
        read.clear()
        lesson, length, shortened = Fit(pieces_and_one, most, shorten=True).measured(plain, 0)
        assert (length, pieces_and_one(lesson), shortened) == (most, most, most < whole)
        assert read == [plain.records[0].id]


def test_what_is_learned_from_fits_in_later_epochs_too(
    files: Path, records: list[TrainingRecord], tmp_path: Path
) -> None:
    """Where longer ones are left out, those that were shown without evidence at first get less of it later."""
    lessons = opened(config(files, evidence={"dropout": 0.5}), records, tmp_path)
    fit = Fit(pieces_and_one, 2, shorten=False)
    kept = measure(lessons, fit, tmp_path / "lengths.json").kept
    assert 0 < len(kept) < len(records)
    fitting, longer = FittingLessons(lessons, kept, fit), 0
    for epoch in range(1, 5):
        fitting.set_epoch(epoch)
        longer += sum(pieces_and_one(lessons[place]) > 2 for place in kept)
        assert all(pieces_and_one(fitting[position]) <= 2 for position in range(len(fitting)))
    assert longer


def test_a_run_that_goes_on_finds_only_what_is_missing(
    plain: Lessons, files: Path, records: list[TrainingRecord], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(config(files), records, tmp_path)
    file = tmp_path / "evidence-train.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex(b'"evidence"')])  # killed while the last line was written
    sought: list[str] = []
    evidence = Pipeline.evidence

    def counting(self: Pipeline, good: Any, clock: Any) -> Any:
        sought.extend(request.id for request, _ in good)
        return evidence(self, good, clock)

    monkeypatch.setattr(Pipeline, "evidence", counting)
    lessons = opened(config(files), records, tmp_path)
    assert sought == [records[-1].id]
    assert file.read_bytes() == whole
    assert text(lessons[-1 % len(records)].prompt) == text(plain[-1 % len(records)].prompt)


@pytest.mark.parametrize("changed", ["index", "settings", "records"])
def test_evidence_of_something_else_is_refused(
    changed: str, files: Path, records: list[TrainingRecord], tmp_path: Path
) -> None:
    opened(config(files), records, tmp_path)
    asked, several = config(files), list(records)
    if changed == "index":
        file = tmp_path / "evidence-train.jsonl"
        first, rest = file.read_text().split("\n", 1)
        file.write_text(json.dumps(json.loads(first) | {"index": "starter@1:00000000"}) + "\n" + rest)
    elif changed == "settings":
        asked = config(files, settings={"retrieval": {"k": 2}})
    else:
        several[0] = replace(several[0], images=several[1].images)
    with pytest.raises(RecordsError, match=rf"evidence-train\.jsonl was made with (other )?{changed}.*another folder"):
        opened(asked, several, tmp_path)


def test_the_guard_cannot_be_switched_off(files: Path, records: list[TrainingRecord], tmp_path: Path) -> None:
    with pytest.raises(RecordsError, match="training prompts would hold their own answers"):
        opened(config(files, settings={"retrieval": {"guard": {"enabled": False}}}), records, tmp_path)


def test_an_image_that_went_bad_is_named_with_its_record(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(b"no image")
    bad = [TrainingRecord("r7", "caption", ("images/a.png",), "A caption.")]
    bare = config(tmp_path, settings={"retrieval": {"enabled": False}})
    with pytest.raises(RecordsError, match=r"^record r7: .*a\.png.*$"):
        opened(bare, bad, tmp_path)[0]
    with pytest.raises(RecordsError, match=r"^record r7: "):
        opened(config(tmp_path), bad, tmp_path)


def test_a_question_over_the_budget_is_too_long(files: Path, records: list[TrainingRecord], tmp_path: Path) -> None:
    long = [replace(records[0], task="ask", question="what is this " * 700)]
    with pytest.raises(TooLong, match=rf"record {records[0].id}: prompt question: its text alone is \d+ tokens over"):
        opened(config(files), long, tmp_path)[0]


def test_a_document_is_answered_in_its_schema_s_order(files: Path, tmp_path: Path) -> None:
    """As run time asks and its grammar writes, whatever the order of the record."""
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "drugs": {
                "type": "array",
                "items": {"type": "object", "properties": {"what": {"type": "string"}, "mg": {"type": "integer"}}},
            },
        },
    }
    image = json.loads((files / "records.jsonl").read_text().splitlines()[0])["image"]
    shutil.copytree((files / image).parent, tmp_path / Path(image).parent)
    answer = '{"drugs":[{"mg":5,"what":"Höxil"}],"name":"A"}'
    record = TrainingRecord("d1", "extract", (image,), answer, schema=json.dumps(schema))
    write_split(tmp_path, "train", [record])
    bare = config(tmp_path, settings={"retrieval": {"enabled": False}})
    lesson = opened(bare, read_split(tmp_path, "train"), tmp_path)[0]
    assert lesson.answer == '{"name": "A", "drugs": [{"what": "Höxil", "mg": 5}]}'
    assert lesson.prompt.schema == json.dumps(schema)


@pytest.fixture
def text_model(tmp_path: Path) -> str:
    """A file that describes a tiny language model without eyes."""
    tiny.MAKERS["llama"](tmp_path / "llama")
    about = "family: llama\npath: llama\nprompt_tokens: 200\ncaption_prompt: zero_shot\nchoice_prompt: choice_text\n"
    (tmp_path / "llama.yaml").write_text(about + "license: MIT\nparameters: 1000\n")
    return str(tmp_path / "llama.yaml")


def test_texts_alone_are_learned_by_a_model_of_texts(
    text_model: str, files: Path, records: list[TrainingRecord], tmp_path: Path
) -> None:
    asked = config(files, model=text_model)
    note = TrainingRecord("t1", "classify", (), "yes", "Note: seen today. Is this a referral?", ("yes", "no"))
    lesson = opened(asked, [note], tmp_path / "run")[0]
    assert (lesson.answer, lesson.labels, lesson.prompt.images) == ("yes", ("yes", "no"), ())
    assert "Note: seen today. Is this a referral?" in text(lesson.prompt)
    with pytest.raises(RequestError, match="reads texts alone"):
        opened(asked, records, tmp_path)


def test_examples_pictures_come_from_the_index(files: Path, records: list[TrainingRecord], tmp_path: Path) -> None:
    tiny.MAKERS["smolvlm"](tmp_path / "smolvlm")
    about = "family: smolvlm\npath: smolvlm\nprompt_tokens: 600\ncaption_prompt: few_shot\n"
    (tmp_path / "smolvlm.yaml").write_text(about + "license: MIT\nparameters: 1000\n")
    asked = config(
        files,
        model=str(tmp_path / "smolvlm.yaml"),
        settings={"prompt": {"example_images": True}, "retrieval": {"k": 2}},
    )
    requests = [record.request(files) for record in records[:2]]
    prepared = open_pipeline(asked.resolved_settings(), requests).prepare(requests)
    lessons = opened(asked, records[:2], tmp_path)
    for place, item in enumerate(prepared.items):
        prompt = lessons[place].prompt
        assert len(prompt.images) == 3
        assert [i.sha256 for i in prompt.images] == [i.sha256 for i in item.prompt.prompt.images]


def test_a_record_is_as_it_was_written(tmp_path: Path) -> None:
    """A schema's order is that of generation: reading it back must not sort it."""
    schema = '{"type": "object", "properties": {"z": {"type": "string"}, "a": {"type": "string"}}}'
    record = TrainingRecord("d", "extract", (), '{"z": "1", "a": "2"}', schema=schema)
    write_split(tmp_path, "train", [record])
    assert read_split(tmp_path, "train") == [record]
    write_split(tmp_path, "train", [replace(record, answer="no JSON")])
    with pytest.raises(RecordsError, match=r"train\.jsonl:1: .*answer is no JSON object"):
        read_split(tmp_path, "train")
