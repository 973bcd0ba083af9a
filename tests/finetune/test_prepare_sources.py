"""Sources of every kind, tiny and made up, in the layouts of the real ones.

Those of ROCOv2, of the hub's sets of questions and of MTSamples are described, with where they are documented, in
tests/indexer/test_rocov2.py and tests/indexer/test_question_sets.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from prepare_makers import (
    REPORTS,
    captions,
    left_out,
    made,
    picture,
    png,
    saved,
    splits_of,
    write_csv,
    write_files,
    write_hub,
    write_jsonl,
    write_rocov2,
)

from batch.errors import InputError
from finetune.errors import RecordsError
from finetune.records import read_split
from rag.fields import read_fields


def test_rocov2_keeps_its_splits_articles_licences_and_the_bytes_of_its_zips(tmp_path: Path) -> None:
    root = write_rocov2(tmp_path / "rocov2")
    report = made(root, tmp_path / "out")
    assert {name: split.records for name, split in report.splits.items()} == {"train": 4, "dev": 4, "test": 3}
    first = read_split(tmp_path / "out", "dev")[0]
    assert (first.id, first.task, first.answer) == (
        "ROCOv2_2023_valid_000001", "caption", "Caption of ROCOv2_2023_valid_000001."
    )  # fmt: skip
    assert (first.article, first.license, first.kind) == ("PMC10", "CC BY-NC", "CT")
    assert first.attribution == "CC BY-NC [Ito et al. (2021)]"
    assert (tmp_path / "out" / first.images[0]).read_bytes() == saved(picture(10), "JPEG")
    assert left_out(tmp_path / "out")["ROCOv2_2023_test_000004"][0] == "image"
    assert (report.groups, report.licenses) == (6, {"CC BY-NC": 11})


def test_rocov2_of_the_hub_is_read_where_it_is_named(tmp_path: Path) -> None:
    for place, split in enumerate(("train", "validation")):
        rows = {"image_id": [f"{split}{n}" for n in range(3)], "caption": ["One.", "Two.", " "], "cui": [["nan"]] * 3}
        cells = [png(10 * place + n) for n in range(3)]
        write_hub(tmp_path / f"hub/data/{split}-00000-of-00001.parquet", "image", cells, rows)
    report = made(tmp_path / "hub", tmp_path / "out", read_as="rocov2-hub")
    assert splits_of(tmp_path / "out", report) == {
        "train0": "train", "train1": "train", "validation0": "dev", "validation1": "dev"
    }  # fmt: skip
    assert report.licenses == {"CC BY-NC-SA 4.0": 4}
    image = read_split(tmp_path / "out", "dev")[1].images[0]
    assert image.endswith(".png")
    assert (tmp_path / "out" / image).read_bytes() == png(11)


def hub_questions(root: Path, name: str = "image", **more: Any) -> Path:
    rows = {
        "question": ["Is it normal?", "Which lobe?", "Is it a mass?", "What is it?", None],
        "answer": ["Yes ", "right  lobe ", "NO.", " ", "yes"],
        **more,
    }
    write_hub(root / "data/train-00000-of-00001.parquet", name, [png(0), png(0), png(1), png(2), png(3)], rows)
    write_hub(
        root / "data/test-00000-of-00001.parquet", name, [png(9)],
        {"question": ["is it?"], "answer": ["no"], **{key: values[:1] for key, values in more.items()}},
    )  # fmt: skip
    return root


def test_questions_are_open_or_closed_and_yes_and_no_are_written_one_way(tmp_path: Path) -> None:
    report = made(hub_questions(tmp_path / "vqa-rad"), tmp_path / "out", read_as="vqa-rad", dev=0)
    found = {record.id: record for record in read_split(tmp_path / "out", "train")}
    assert {id_: (r.task, r.answer, r.kind) for id_, r in found.items()} == {
        "vqa-rad/train/0": ("ask", "yes", "closed"),
        "vqa-rad/train/1": ("ask", "right  lobe", "open"),
        "vqa-rad/train/2": ("ask", "no", "closed"),
    }
    assert found["vqa-rad/train/0"].images == found["vqa-rad/train/1"].images
    assert report.splits["test"].records == 1
    assert report.left_out == {"answer": 1, "question": 1}
    assert report.splits["train"].kinds == {"closed": 2, "open": 1}


def test_closed_questions_can_be_a_choice(tmp_path: Path) -> None:
    root = hub_questions(tmp_path / "path-vqa")
    made(root, tmp_path / "out", read_as="path-vqa", dev=0, closed_as_labels=True)
    found = read_split(tmp_path / "out", "train")
    assert [(r.task, r.answer, r.labels) for r in found] == [
        ("classify", "yes", ("yes", "no")), ("ask", "right  lobe", ()), ("classify", "no", ("yes", "no"))
    ]  # fmt: skip


def test_cases_of_medpix_shortqa_stay_on_one_side_and_its_weights_are_not_shipped(tmp_path: Path) -> None:
    data = tmp_path / "set/data"
    rows = {
        "question": ["Which plane?"] * 4, "answer": ["Axial"] * 4, "mode": ["plane"] * 4,
        "case_id": ["MPX1", "MPX2", "MPX3", "MPX3"],
    }  # fmt: skip
    write_hub(data / "Train-00000-of-00001.parquet", "image_id", [png(n) for n in range(4)], rows)
    test = {key: values[:1] for key, values in rows.items()}
    write_hub(data / "Test-00000-of-00001.parquet", "image_id", [png(8)], test)
    report = made(tmp_path / "set", tmp_path / "out", read_as="medpix-shortqa", dev=0)
    assert sorted(splits_of(tmp_path / "out", report)) == ["medpix-shortqa/test/0"] + [
        f"medpix-shortqa/train/{n}" for n in (1, 2, 3)
    ]
    assert {leak.kind for leak in report.leaks} == {"same article"}
    assert any("ship nothing made from them" in note for note in report.notes)


def test_reports_become_pages_with_their_fields_as_the_answer(tmp_path: Path) -> None:
    write_files(tmp_path / "mtsamples", {"mtsamples (1).csv": REPORTS.encode()})
    report = made(tmp_path / "mtsamples", tmp_path / "out", dev=0, test=0)
    found = {record.id: record for record in read_split(tmp_path / "out", "train")}
    assert list(found) == [f"mtsamples/{n}" for n in (0, 2, 3, 5)]
    first = found["mtsamples/0"]
    assert (first.task, first.kind, first.license) == ("extract", "Cardiovascular / Pulmonary", "CC0 1.0")
    assert first.schema is not None
    assert read_fields(first.answer, first.schema) == {
        "medical_specialty": "Cardiovascular / Pulmonary",
        "sample_name": "Echo - 1",
        "description": "A heart.",
        "keywords": ["cardiovascular", "doppler"],
    }
    assert list(json.loads(first.answer)) == list(json.loads(first.schema)["properties"])
    assert json.loads(found["mtsamples/2"].answer)["keywords"] == []
    assert found["mtsamples/2"].images == found["mtsamples/3"].images  # the same words, filed twice
    assert found["mtsamples/2"].article == found["mtsamples/3"].article
    assert len(found["mtsamples/5"].images) == report.splits["train"].images_a_record >= 2
    assert {why for why, _ in left_out(tmp_path / "out").values()} == {"row"}
    assert report.several_answers == 1


def test_a_set_of_configs_is_read_whole_with_its_splits(tmp_path: Path) -> None:
    records = captions(tmp_path / "set", 4, a_case=1)
    for number, record in enumerate(records):
        record["split"] = "dev" if number == 3 else "train"
    write_jsonl(tmp_path / "set/records.jsonl", records)
    config = tmp_path / "mine.yaml"
    config.write_text(
        f"path: {tmp_path / 'set'}\nfields: {{caption: caption, article: case}}\nwhere: {{split: dev}}\n"
        "license: MIT\n"
    )  # fmt: skip
    report = made(config, tmp_path / "out")
    assert splits_of(tmp_path / "out", report) == {"r0": "train", "r1": "train", "r2": "train", "r3": "dev"}
    assert report.licenses == {"MIT": 4}


def test_a_folder_of_the_hub_needs_no_name(tmp_path: Path) -> None:
    report = made(hub_questions(tmp_path / "mine"), tmp_path / "out", dev=0)
    assert splits_of(tmp_path / "out", report) == {"train/0": "train", "train/1": "train", "train/2": "train",
                                                   "test/0": "test"}  # fmt: skip
    assert report.splits["train"].kinds == {"closed": 2, "open": 1}


def test_a_csv_with_fields_of_its_own_and_a_bad_row(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{n}.png": png(n) for n in range(3)})
    rows = [("0.png", "A mass.", "p1", "tr"), ("1.png", "Clear.", "p2", "ev"), ("2.png", "x", "p3", "tr", "too many")]
    write_csv(tmp_path / "cases.csv", ("file", "report", "patient", "part"), rows)
    fields = ("image=file", "answer=report", "article=patient", "split=part")
    report = made(tmp_path / "cases.csv", tmp_path / "out", fields=fields, where=("part=ev", "part=tr"), resplit=True,
                  dev=0, test=0)  # fmt: skip
    assert [(r.id, r.article) for r in read_split(tmp_path / "out", "train")] == [
        (str(tmp_path / "0"), "p1"), (str(tmp_path / "1"), "p2")
    ] or [r.id for r in read_split(tmp_path / "out", "train")] == ["0", "1"]  # fmt: skip
    assert report.left_out == {"row": 1}
    with pytest.raises(InputError, match="did you mean 'report'"):
        made(tmp_path / "cases.csv", tmp_path / "x", fields=("image=file", "answer=reprot"))


def test_texts_alone_are_classified(tmp_path: Path) -> None:
    rows = [("1", "Please see this patient.", "Referral"), ("2", "Went home well.", "discharge"), ("3", "Hm.", "other")]
    write_csv(tmp_path / "notes.csv", ("id", "note", "what"), rows)
    made(
        tmp_path / "notes.csv", tmp_path / "out", fields=("text=note", "answer=what"), question="Which kind is it?",
        labels=("referral", "discharge"), dev=0, test=0,
    )  # fmt: skip
    found = read_split(tmp_path / "out", "train")
    assert [(r.id, r.task, r.answer, r.images) for r in found] == [
        ("1", "classify", "referral", ()), ("2", "classify", "discharge", ())
    ]  # fmt: skip
    assert found[0].question == "Please see this patient.\n\nWhich kind is it?"
    assert left_out(tmp_path / "out")["3"] == ("answer", "its answer 'other' is none of the labels")


def test_answers_that_are_json_satisfy_the_schema_in_its_order(tmp_path: Path) -> None:
    write_files(tmp_path, {f"{n}.png": png(n) for n in range(2)})
    answers = [{"b": 2, "a": "x"}, {"a": 1, "b": 2}]
    records = [{"id": str(n), "image": f"{n}.png", "fields": answer} for n, answer in enumerate(answers)]
    write_jsonl(tmp_path / "documents.jsonl", records)
    schema = '{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}'
    made(tmp_path / "documents.jsonl", tmp_path / "out", fields=("answer=fields",), schema=schema, dev=0, test=0)
    (record,) = read_split(tmp_path / "out", "train")
    assert record.answer == '{"a": "x", "b": 2}'
    assert "does not satisfy the schema" in left_out(tmp_path / "out")["1"][1]


def test_several_questions_about_an_image_get_ids_of_their_own(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.png": png(0)})
    asked = [{"image": "a.png", "question": f"Is it {what}?", "answer": "no"} for what in ("big", "small")]
    write_jsonl(tmp_path / "qa.jsonl", asked)
    made(tmp_path / "qa.jsonl", tmp_path / "out", dev=0, test=0)
    assert [record.id for record in read_split(tmp_path / "out", "train")] == ["a", "a#2"]


def test_what_cannot_be_a_source_is_said_in_one_line(tmp_path: Path) -> None:
    write_files(tmp_path / "pictures", {"a.png": png(0)})
    with pytest.raises(RecordsError, match="which field is the answer"):
        made(tmp_path / "pictures", tmp_path / "x")
    with pytest.raises(RecordsError, match="known are rocov2"):
        made(tmp_path / "pictures", tmp_path / "x", read_as="roco")
    captions(tmp_path / "in", 2)
    (tmp_path / "in/pictures/0.png").unlink()
    (tmp_path / "in/pictures/1.png").unlink()
    with pytest.raises(RecordsError, match="none of its 2 records has its images"):
        made(tmp_path / "in", tmp_path / "x")
    (tmp_path / "whole").mkdir()
    (tmp_path / "whole/rows.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        made(tmp_path / "whole/rows.parquet", tmp_path / "y")
