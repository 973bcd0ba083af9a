"""Files out and back: nothing changes on the way, and what is wrong is named place by place."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_ratings import made_task, rate_all

from evaluation.errors import RatingsError
from evaluation.ratings.exchange import FORMATS, Imported, export, import_
from evaluation.ratings.making import Sample
from evaluation.ratings.store import Store, read_ratings
from evaluation.ratings.types import Answer, Kind


@pytest.fixture(params=["single", "pairwise"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """A task that three raters have rated, and the same one before they did."""
    kind: Kind = request.param
    file = made_task(tmp_path, kind, Sample(items=20, repeated=0.2))
    shutil.copy(file, tmp_path / "empty.sqlite")
    rate_all(file, raters=3)
    return file, tmp_path / "empty.sqlite"


@pytest.mark.parametrize("format_", FORMATS)
def test_ratings_come_back_as_they_went(format_: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    file, empty = files
    export(file, tmp_path / "out", format_)
    there = read_ratings(file).ratings
    assert {r.occasion for r in there} == {1, 2}
    assert any(r.answer.skipped and r.answer.comment for r in there)
    assert import_(empty, tmp_path / "out", format_) == Imported(len(there), 0, 0)
    assert read_ratings(empty).ratings == there
    assert import_(empty, tmp_path / "out", format_) == Imported(0, len(there), 0)
    export(empty, tmp_path / "again", format_)
    assert (tmp_path / "again").read_bytes() == (tmp_path / "out").read_bytes()


@pytest.mark.parametrize("format_", FORMATS)
def test_a_task_without_ratings_goes_out_whole(format_: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    _, empty = files
    export(empty, tmp_path / "out", format_)
    text = (tmp_path / "out").read_text()
    assert all(item.id in text for item in read_ratings(empty).items)
    assert import_(empty, tmp_path / "out", format_) == Imported(0, 0, 0)


def test_ratings_are_never_written_over_by_what_is_made_of_them(files: tuple[Path, Path]) -> None:
    file, _ = files
    before = read_ratings(file)
    with pytest.raises(RatingsError, match="holds the ratings themselves"):
        export(file, file.parent / "." / file.name, "csv")
    assert read_ratings(file) == before


def test_a_spreadsheet_does_as_a_form(tmp_path: Path) -> None:
    file = made_task(tmp_path)
    export(file, tmp_path / "out.csv", "csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    rows[3] |= {"rater": "anna", "accuracy": "5", "completeness": "4", "usefulness": "4"}
    text = io.StringIO()
    writer = csv.DictWriter(
        text, ["item", "text", "rater", "accuracy", "completeness", "usefulness"], extrasaction="ignore"
    )
    writer.writeheader()
    writer.writerows(rows)
    (tmp_path / "sheet.csv").write_text(text.getvalue(), encoding="utf-8-sig")  # as spreadsheets write it
    assert import_(file, tmp_path / "sheet.csv", "csv") == Imported(1, 0, 0)
    (kept,) = read_ratings(file).ratings
    assert (kept.item, kept.rater, kept.answer) == (rows[3]["item"], "anna", Answer(5, 4, 4))


def edited(file: Path, tmp_path: Path, change: Callable[[list[dict[str, str]]], None]) -> Path:
    """The file's CSV with its rows changed."""
    export(file, tmp_path / "out.csv", "csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_bytes().decode(), newline="")))
    change(rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    (tmp_path / "edited.csv").write_text(text.getvalue(), newline="")
    return tmp_path / "edited.csv"


def test_wrong_lines_are_all_named_and_nothing_is_kept(tmp_path: Path) -> None:
    file = made_task(tmp_path, "single", Sample(items=20))
    right = {"rater": "anna", "accuracy": "5", "completeness": "4", "usefulness": "4"}

    def change(rows: list[dict[str, str]]) -> None:
        for row in rows:
            row.update(right)
        rows[0]["comment"] = "of two\nlines"
        rows[1]["accuracy"] = "6"
        rows[2]["item"] = "nowhere"
        rows[3]["rater"] = ""
        rows[4]["usefulness"] = ""
        rows[5]["text"] = "Another text."
        rows[6]["seconds"] = "-3"
        rows[7]["at"] = "yesterday"
        rows[8]["skipped"] = "maybe"
        rows[9]["item"] = rows[10]["item"]
        rows[9]["text"] = rows[10]["text"]
        rows[11]["occasion"] = "3"
        rows[12]["accuracy"] = "4.5"

    with pytest.raises(RatingsError) as caught:
        import_(file, edited(file, tmp_path, change), "csv")
    lines = str(caught.value).split("\n")
    assert [line.split(":")[0] for line in lines[:-1]] == [
        f"edited.csv line {n}" for n in (4, 5, 6, 7, 8, 9, 10, 11, 14, 15, 13)
    ]  # fmt: skip
    for line, told in zip(lines, ("accuracy is '6': give 1 to 5", "no item 'nowhere'", "has an answer, but no rater",
        "no usefulness", "write a better one into edited", "seconds is -3", "at is 'yesterday'", "skipped is 'maybe'",
        "not shown a 3. time", "accuracy is '4.5'", "the rating of line 12 again"), strict=False):  # fmt: skip
        assert told in line
    assert lines[-1] == "Nothing was imported"
    assert read_ratings(file).ratings == ()


def test_commas_at_the_end_of_every_line_are_no_columns(tmp_path: Path) -> None:
    file = made_task(tmp_path, "single", Sample(items=4))
    item = read_ratings(file).items[0].id
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(f"item,rater,accuracy,completeness,usefulness,,\n{item},anna,5,4,4,,\n,,,,,,\n")
    assert import_(file, sheet, "csv") == Imported(1, 0, 0)
    sheet.write_text(f"item,rater,accuracy,completeness,usefulness,,\n{item},ben,5,4,4,a remark,\n")
    with pytest.raises(RatingsError, match=r"sheet.csv line 2: has more than the 5 columns of the first line"):
        import_(file, sheet, "csv")


@pytest.mark.parametrize("said", ["1.0", "nan", "inf", "-1", "1e0", "\u00b2", "9" * 5000])
def test_an_occasion_that_is_no_whole_number_is_named_by_line(said: str, tmp_path: Path) -> None:
    file = made_task(tmp_path)

    def change(rows: list[dict[str, str]]) -> None:
        rows[0] |= {"rater": "anna", "accuracy": "5", "completeness": "4", "usefulness": "4", "occasion": said}

    with pytest.raises(RatingsError, match=r"edited.csv line 2: occasion is '.*': give a whole number, 1 or 2"):
        import_(file, edited(file, tmp_path, change), "csv")
    assert read_ratings(file).ratings == ()


def test_an_answer_that_differs_is_kept_only_if_asked(files: tuple[Path, Path], tmp_path: Path) -> None:
    file, _ = files
    before = read_ratings(file)
    changed = next(r for r in before.ratings if not r.answer.skipped)

    def change(rows: list[dict[str, str]]) -> None:
        row = next(r for r in rows if (r["rater"], r["item"], int(r["occasion"])) == changed.key)
        row["comment"] = "on second thoughts"

    given = edited(file, tmp_path, change)
    with pytest.raises(RatingsError, match=f"{changed.rater}'s of item {changed.item}.* has another answer here"):
        import_(file, given, "csv")
    assert read_ratings(file).ratings == before.ratings
    assert import_(file, given, "csv", replace=True) == Imported(0, len(before.ratings) - 1, 1)
    after = read_ratings(file)
    assert after.replaced == 1
    assert "on second thoughts" in {r.answer.comment for r in after.ratings}


@pytest.mark.parametrize(
    ("format_", "data", "told"),
    [
        ("csv", b"item,rater\nx,y\n", "line 1: no column accuracy, completeness, usefulness; a file of this task has"),
        ("csv", b"item,rater,accuracy,completeness,usefulness\na,b,1,2,3,4,5\n", "line 2: has more than the 5 columns"),
        ("csv", b'item,rater,accuracy,completeness,usefulness\na,"b\n', "line 2: not CSV from here on"),
        ("csv", b"item,rater\nx,y\nM\xfcller,z\n", "line 3: not UTF-8 (byte 0xfc)"),
        ("csv", "item,rater".encode("utf-16"), "line 1: not UTF-8 (byte 0xff)"),
        ("csv", b"", "line 1: no column item"),
        ("label-studio", b"{", "as a whole: not JSON"),
        ("label-studio", b"{}", "not a list of tasks"),
        ("label-studio", b'[{"data": {}}, 3]', "task 1: data.item: field required"),
        ("label-studio", b'[{"data": {"item": "x"}, "annotations": [{"completed_by": 1}]}]', "annotation 1: this"),
        ("argilla", b"[]x", "not JSON"),
        ("argilla", b'[{"id": "x", "responses": {"colour": []}}]', "record 1: unknown question 'colour'"),
        ("argilla", b'[{"id": "x", "responses": {"comment": [{"value": "a", "user_id": "u"}]}}]', "1, user u: this"),
    ],
)  # fmt: skip
def test_what_is_no_such_file_is_told(format_: str, data: bytes, told: str, tmp_path: Path) -> None:
    file = made_task(tmp_path)
    (tmp_path / "given").write_bytes(data)
    with pytest.raises(RatingsError) as caught:
        import_(file, tmp_path / "given", format_)
    assert told in str(caught.value)
    assert read_ratings(file).ratings == ()
    with pytest.raises(RatingsError, match="cannot be read"):
        import_(file, tmp_path / "not there", format_)


def studio_annotation(*results: tuple[str, str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """An annotation as Label Studio exports it, with all that it adds."""
    result = [
        {"id": f"r{n}", "from_name": name, "to_name": "text", "type": type_, "origin": "manual", "value": value}
        for n, (name, type_, value) in enumerate(results)
    ]
    times = {"created_at": "2026-03-01T09:30:00.000000Z", "updated_at": "2026-03-01T09:31:00.000000Z"}
    return {
        "id": 12, "completed_by": 7, "result": result, "was_cancelled": False, "ground_truth": False, "lead_time": 8.5,
        "result_count": 3, "task": 3, **times, **more,
    }  # fmt: skip


def test_what_label_studio_exports_is_read(tmp_path: Path) -> None:
    file = made_task(tmp_path)
    with Store.open(file) as store:
        ids = [item.id for item in store.items]
    scores = [(name, "rating", {"rating": score}) for name, score in
              (("accuracy", 4), ("completeness", 3), ("usefulness", 5))]  # fmt: skip
    text = ("edited", "textarea", {"text": ["One line.", "Another."]})
    tasks = [
        {"id": 1, "data": {"item": ids[0], "image": "x"}, "annotations": [studio_annotation(*scores, text)]},
        {"id": 2, "data": {"item": ids[1]}, "annotations": [studio_annotation(*scores[:1], was_cancelled=True)]},
        {"id": 3, "data": {"item": ids[2]}, "annotations": [
            studio_annotation(*scores, completed_by={"id": 3, "email": "b@example.org", "first_name": ""})]},
        {"id": 4, "data": {"item": ids[3]}, "annotations": []},
    ]  # fmt: skip
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    assert import_(file, tmp_path / "export.json", "label-studio") == Imported(3, 0, 0)
    kept = {r.item: r for r in read_ratings(file).ratings}
    assert kept[ids[0]].answer == Answer(4, 3, 5, edited="One line.\nAnother.")
    assert (kept[ids[0]].rater, kept[ids[0]].seconds) == ("user 7", 8.5)
    assert kept[ids[1]].answer == Answer(skipped=True)
    assert kept[ids[2]].rater == "b@example.org"


def test_what_argilla_writes_is_read(tmp_path: Path) -> None:
    file = made_task(tmp_path, "pairwise")
    item = read_ratings(file).items[0].id
    user = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
    record = {
        "id": item, "fields": {"first": "a", "second": "b"}, "metadata": {}, "suggestions": {}, "vectors": {},
        "responses": {
            "preferred": [{"value": "tie", "user_id": user}], "comment": [{"value": "same", "user_id": user}],
        },
        "_server_id": "7b0d",
    }  # fmt: skip
    (tmp_path / "records.json").write_text(json.dumps([record]))
    assert import_(file, tmp_path / "records.json", "argilla") == Imported(1, 0, 0)
    (kept,) = read_ratings(file).ratings
    assert (kept.rater, kept.answer) == (user, Answer(preferred="tie", comment="same"))


def test_argilla_brings_back_raters_whom_the_task_knows(tmp_path: Path) -> None:
    """Argilla keeps of our file what it has a place for: the names of raters are not among it."""
    file = made_task(tmp_path, "pairwise")
    rate_all(file, raters=2)
    export(file, tmp_path / "out", "argilla")
    records = json.loads((tmp_path / "out").read_text())
    skipped = sum(each["skipped"] for record in records for each in record.pop("ratings"))
    (tmp_path / "back").write_text(json.dumps(records))
    found = read_ratings(file).ratings
    assert import_(file, tmp_path / "back", "argilla") == Imported(0, len(found) - skipped, 0)


def test_a_record_of_another_task_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    file, _ = files
    other = made_task(tmp_path / "other", read_ratings(file).task.kind, Sample(items=20, repeated=0.2, seed=5))
    for format_ in FORMATS:
        export(file, tmp_path / "out", format_)
        with pytest.raises(RatingsError, match="this task has no item"):
            import_(other, tmp_path / "out", format_)
    assert read_ratings(other).ratings == ()
