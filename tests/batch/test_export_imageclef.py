"""The file of the ImageCLEF caption task, held to the task's own rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from held_runs import HeldRun, described, failed, held_run, image_file
from imageclef_rules import refusals

from batch.errors import ExportError
from batch.export import export, write_submission
from evaluation.metrics.files import read_captions

BREAKS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\t"


@pytest.fixture
def run(tmp_path: Path) -> HeldRun:
    image = image_file(tmp_path, "a.png")
    texts = {
        "img_3": 'A "ring", enhancing',
        "img_1": "Échographie, 3 mm",
        "img_2": f"{BREAKS.join('abcd')},{BREAKS}",
        "img_4": '"quoted"',
    }
    return held_run([described(image, id_, text) for id_, text in texts.items()])


def truth(tmp_path: Path, *ids: str, start: str = "ID,Caption") -> Path:
    path = tmp_path / "truth.csv"
    path.write_text("\n".join([start, *(f"{id_},what a person said" for id_ in ids)]) + "\n\n", encoding="utf-8")
    return path


def test_the_tasks_rules_refuse_what_they_should(tmp_path: Path) -> None:
    asked = truth(tmp_path, "a", "b")
    for data, why in {
        b"\xef\xbb\xbfID,Caption\na,x\nb,y\n": "header",
        b"a,x\nb,y\n": "header",
        b"ID,Caption\na,x\n\nb,y\n": "blank line",
        b"ID,Caption\na,x,y\nb,y\n": "comma without quotes",
        b'ID,Caption\na,"x\ny"\nb,y\n': "a row over several lines",
        b"ID,Caption\nb,y\na,x\n": "ids or their order",
        b"ID,Caption\na,x\n": "ids or their order",
        b"ID,Caption\n a,x\nb,y\n": "space around an id",
        b"ID,Caption\na,\xff\nb,y\n": "not in UTF-8",
    }.items():
        (tmp_path / "s.csv").write_bytes(data)
        assert why in refusals(tmp_path / "s.csv", asked), data
    (tmp_path / "s.csv").write_bytes(b'ID,Caption\na,"x, y"\nb,y\n')
    assert refusals(tmp_path / "s.csv", asked) == []


def test_captions_come_in_the_ground_truths_order_and_the_task_takes_them(run: HeldRun, tmp_path: Path) -> None:
    asked, out = truth(tmp_path, "img_1", "img_2", "img_3", "img_4"), tmp_path / "new" / "submission.csv"
    done = export(run, "imageclef", out, order=asked)
    assert refusals(out, asked) == []
    assert (done.rows, done.left_out, done.notes) == (4, 0, ())
    assert list(read_captions(out).texts) == ["img_1", "img_2", "img_3", "img_4"]
    assert read_captions(out).texts["img_2"] == "a b c d,"


def test_without_an_order_captions_come_in_the_inputs(run: HeldRun, tmp_path: Path) -> None:
    out = tmp_path / "submission.csv"
    export(run, "imageclef", out)
    assert list(read_captions(out).texts) == ["img_3", "img_1", "img_2", "img_4"]
    assert refusals(out, truth(tmp_path, "img_3", "img_1", "img_2", "img_4")) == []


def test_what_has_no_caption_is_an_error_that_counts_and_leaves_the_old_file(run: HeldRun, tmp_path: Path) -> None:
    short = held_run([*run.held, described(tmp_path / "a.png", "img_5", "")], [failed("img_6")])
    asked, out = truth(tmp_path, *(f"img_{n}" for n in (1, 6, 2, 3, 4, 5, 7))), tmp_path / "submission.csv"
    out.write_text("an older one")
    told = r"3 of 7 ids have no caption: 1 failed, 1 abstained, 1 not in the run; the first is 'img_6'.*--empty TEXT"
    with pytest.raises(ExportError, match=told):
        export(short, "imageclef", out, order=asked)
    assert out.read_text() == "an older one"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.png", "submission.csv", "truth.csv"]

    done = export(short, "imageclef", out, order=asked, empty="No finding, unclear")
    assert refusals(out, asked) == []
    assert read_captions(out).texts["img_7"] == "No finding, unclear"
    assert done.notes[0].startswith("3 captions are the text of --empty: 1 failed")
    with pytest.raises(ExportError, match="--empty needs a text"):
        export(short, "imageclef", out, order=asked, empty=" ")


def test_what_was_not_described_yet_is_lacking_in_the_inputs_order_too(run: HeldRun, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"1 of 4 ids have no caption: 1 not described yet; the first is 'img_1'"):
        export(
            HeldRun(run.folder, run.made, run.plan, [], None, held=(run.held[0], *run.held[2:])),
            "imageclef",
            tmp_path / "s",
        )


def test_a_model_that_says_that_it_cannot_tell_has_no_caption(run: HeldRun, tmp_path: Path) -> None:
    unsure = described(tmp_path / "a.png", "u", "I cannot tell what this image shows.", abstained=True)
    with pytest.raises(ExportError, match=r"1 of 5 ids have no caption: 1 abstained; the first is 'u'"):
        export(held_run([*run.held, unsure]), "imageclef", tmp_path / "s.csv")


def test_descriptions_in_another_order_than_the_plan_are_told(run: HeldRun, tmp_path: Path) -> None:
    turned = replace(run, held=run.held[::-1])
    with pytest.raises(ExportError, match="not in its plan's order, from 'img_2' on"):
        export(turned, "imageclef", tmp_path / "s.csv", empty="-")


def test_ids_that_nobody_asked_for_are_said(run: HeldRun, tmp_path: Path) -> None:
    asked = truth(tmp_path, "img_1", "img_3", start="\ufeffImage_ID,Caption")
    done = export(run, "imageclef", tmp_path / "s.csv", order=asked)
    assert done.rows == 2
    assert done.notes == (f"2 ids are not in {asked}, left out; the first is 'img_2'",)


def test_an_order_of_other_ids_says_how_they_differ(run: HeldRun, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"no id of .* is in the run: there the first is 'img_1\.jpg', here 'img_3'"):
        export(run, "imageclef", tmp_path / "s.csv", order=truth(tmp_path, "img_1.jpg"))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"name,Caption\na,b\n", "no column ID"),
        (b"", "no column ID"),
        (b"ID,Caption\n\n", "no ids"),
        (b"ID,Caption\na,b\na,c\n", "'a' stands there twice"),
        (b"ID,Caption\n\xff,c\n", "cannot be read as a CSV in UTF-8"),
    ],
)
def test_a_ground_truth_that_is_none_is_told(run: HeldRun, tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "truth.csv").write_bytes(data)
    with pytest.raises(ExportError, match=why):
        export(run, "imageclef", tmp_path / "s.csv", order=tmp_path / "truth.csv")
    with pytest.raises(ExportError, match=r"nowhere\.csv cannot be read"):
        export(run, "imageclef", tmp_path / "s.csv", order=tmp_path / "nowhere.csv")


def test_an_empty_caption_or_an_id_that_the_task_does_not_take_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"1 of 2 captions are empty, the first of id 'b'"):
        write_submission([("a", "x"), ("b", " \n")], tmp_path / "s.csv")
    for id_ in ("a,b", ' "a"', "a ", "", "a\n"):
        with pytest.raises(ExportError, match="takes no comma"):
            write_submission([(id_, "x")], tmp_path / "s.csv")
    assert list(tmp_path.iterdir()) == []
