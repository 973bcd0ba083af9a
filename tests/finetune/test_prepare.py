"""A prepared folder: what it holds, what it leaves out, and that it is whole or goes on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from prepare_makers import captions, copy_of, left_out, made, picture, png, quiet, saved, splits_of, write_jsonl

import cli
from finetune.errors import RecordsError
from finetune.prepare import Options, prepare
from finetune.records import read_split

ROOT = Path(__file__).parents[2]


def test_images_keep_their_bytes_are_there_once_and_are_named_by_records(tmp_path: Path) -> None:
    records = captions(tmp_path / "in", 6)
    (tmp_path / "in/pictures/5.png").write_bytes(png(0))  # the same file under two names
    report = made(tmp_path / "in", tmp_path / "out", dev=0, test=0)
    found = {record.id: record for record in read_split(tmp_path / "out", "train")}
    assert list(found) == [record["id"] for record in records]
    assert found["r1"].answer == "Caption number 1."
    assert found["r1"].article == "c0"
    assert found["r0"].images == found["r5"].images
    assert (tmp_path / "out" / found["r0"].images[0]).read_bytes() == png(0)
    assert {file.name for file in (tmp_path / "out/images").iterdir()} == {
        Path(record.images[0]).name for record in found.values()
    }
    assert (report.images, report.splits["train"].images, report.splits["train"].records) == (5, 5, 6)


def test_what_cannot_be_used_is_left_out_with_its_reason_and_stops_nothing(tmp_path: Path) -> None:
    records = captions(tmp_path / "in", 8)
    data = png(4)
    (tmp_path / "in/pictures/3.png").unlink()
    (tmp_path / "in/pictures/4.png").write_bytes(data[: len(data) // 2])
    records[5]["caption"] = "  "
    records[6]["id"] = "r0"
    del records[7]["image"]
    file = write_jsonl(tmp_path / "in/records.jsonl", records)
    file.write_text(file.read_text() + '{"id": "r9", "image"\n')
    report = made(tmp_path / "in", tmp_path / "out", dev=0, test=0)
    assert [record.id for record in read_split(tmp_path / "out", "train")] == ["r0", "r1", "r2"]
    lost = left_out(tmp_path / "out")
    assert {id_: why for id_, (why, _) in lost.items()} == {
        "r3": "image", "r4": "image", "r5": "answer", "r0": "id", "r7": "image", "line 9": "row"
    }  # fmt: skip
    assert "no such file" in lost["r3"][1]
    assert report.left_out == {"image": 3, "answer": 1, "id": 1, "row": 1}
    assert len(report.left_out_examples) == 6


def test_the_same_again_does_nothing_and_anything_else_is_refused_in_one_line(tmp_path: Path) -> None:
    captions(tmp_path / "in", 4)
    source, out = str(tmp_path / "in"), tmp_path / "out"
    first = prepare(source, out, Options(dev=0, test=0), quiet)
    times = {file: file.stat().st_mtime_ns for file in out.rglob("*")}
    again = prepare(source, out, Options(dev=0, test=0), quiet)
    assert (first.already, again.already) == (False, True)
    assert again.report == first.report
    assert {file: file.stat().st_mtime_ns for file in out.rglob("*")} == times
    with pytest.raises(RecordsError, match="was prepared otherwise: seed was not given"):
        prepare(source, out, Options(dev=0, test=0, seed=1), quiet)
    captions(tmp_path / "in", 5)
    with pytest.raises(RecordsError, match="had other records"):
        prepare(source, out, Options(dev=0, test=0), quiet)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    with pytest.raises(RecordsError, match=r"holds something else already \(thesis.txt\)"):
        prepare(source, tmp_path / "mine", Options(), quiet)
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_fewer_records_than_any_article_has_are_refused_in_one_line(tmp_path: Path) -> None:
    captions(tmp_path / "in", 4)
    with pytest.raises(RecordsError, match="each article has more records than --max 1"):
        prepare(str(tmp_path / "in"), tmp_path / "out", Options(most=1), quiet)


def test_whom_a_picture_is_attributed_to_is_part_of_what_a_folder_was_made_of(tmp_path: Path) -> None:
    records = captions(tmp_path / "in", 2, attribution="A. Person")
    made(tmp_path / "in", tmp_path / "out", dev=0, test=0)
    write_jsonl(tmp_path / "in/records.jsonl", [record | {"attribution": "B. Person"} for record in records])
    with pytest.raises(RecordsError, match="had other records"):
        prepare(str(tmp_path / "in"), tmp_path / "out", Options(dev=0, test=0), quiet)


def test_a_lost_image_is_made_again(tmp_path: Path) -> None:
    captions(tmp_path / "in", 3)
    made(tmp_path / "in", tmp_path / "out", dev=0, test=0)
    lost = tmp_path / "out" / read_split(tmp_path / "out", "train")[1].images[0]
    lost.unlink()
    assert not prepare(str(tmp_path / "in"), tmp_path / "out", Options(dev=0, test=0), quiet).already
    assert lost.read_bytes() == png(1)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


KILLED = """
import os, signal, sys
from pathlib import Path
import finetune.prepare.images as images
import finetune.prepare.run as run
from finetune.prepare import Options
images._AT_ONCE = images._AHEAD = 2
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
def progress(what, done, total):
    if (what, done) == ("images", 7) and sys.argv[1] == "images": die()
written = run.write_split
def write(*given):
    written(*given)
    if sys.argv[1] == "splits": die()
run.write_split = write
run.prepare(sys.argv[2], Path(sys.argv[3]), Options(dev=0.3, test=0.3), progress)
"""


@pytest.mark.parametrize("where", ["images", "splits"])
def test_killed_in_the_middle_it_goes_on_to_the_same_folder(where: str, tmp_path: Path) -> None:
    captions(tmp_path / "in", 12, a_case=1)
    source, out = str(tmp_path / "in"), tmp_path / "out"
    command = [sys.executable, "-c", KILLED, where, source, str(out)]
    killed = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (out / "report.json").exists()
    with pytest.raises(RecordsError, match="Make the folder with"):
        read_split(out, "train")
    kept = {file: file.stat().st_ino for file in (out / "images").glob("*.png")}
    assert len(kept) >= 6
    captions(tmp_path / "other", 2)
    with pytest.raises(RecordsError, match=r"was begun from .*, and is not whole"):
        prepare(str(tmp_path / "other"), out, Options(dev=0.3, test=0.3), quiet)
    done = prepare(source, out, Options(dev=0.3, test=0.3), quiet)
    whole = prepare(source, tmp_path / "whole", Options(dev=0.3, test=0.3), quiet)
    assert not done.already
    assert done.report == whole.report
    assert {file: file.stat().st_ino for file in kept} == kept
    assert files_of(out) == files_of(tmp_path / "whole")


def test_other_options_go_on_where_nothing_was_left_to_train_on(tmp_path: Path) -> None:
    records = captions(tmp_path / "in", 6, a_case=6)
    for number, record in enumerate(records):
        record["split"] = "test" if number == 5 else "train"
    write_jsonl(tmp_path / "in/records.jsonl", records)
    with pytest.raises(RecordsError, match=r"no record is left to train on\. Draw new splits with --resplit"):
        made(tmp_path / "in", tmp_path / "out")
    report = made(tmp_path / "in", tmp_path / "out", resplit=True, dev=0, test=0)
    assert report.splits["train"].records == 6


def test_leaks_between_given_splits_are_told_and_leave_train(tmp_path: Path) -> None:
    records = captions(tmp_path / "in", 8, a_case=1, split="train")
    (tmp_path / "in/pictures/6.png").write_bytes(copy_of(0))
    for number in (6, 7):
        records[number]["split"] = "validation"
    records[1]["case"] = records[7]["case"]
    records[2]["case"] = records[0]["case"]  # of one article with a copy of a dev picture
    write_jsonl(tmp_path / "in/records.jsonl", records)
    report = made(tmp_path / "in", tmp_path / "out")
    assert splits_of(tmp_path / "out", report) == {
        "r3": "train", "r4": "train", "r5": "train", "r6": "dev", "r7": "dev"
    }  # fmt: skip
    told = {leak.kind: (leak.splits, leak.records, leak.examples) for leak in report.leaks}
    assert told == {
        "same article": (("train", "dev"), 1, (("r1", "r7"),)),
        "copy of an image": (("train", "dev"), 1, (("r0", "r6"),)),
    }
    assert left_out(tmp_path / "out")["r2"] == ("leak", "is in train, and of one group (article c0) with r6 of dev")
    kept = made(tmp_path / "in", tmp_path / "kept", leaks="keep")
    assert (kept.splits["train"].records, kept.leaks_kept, kept.leaks) == (6, True, report.leaks)
    unseen = made(tmp_path / "in", tmp_path / "unseen", look_alikes=False)
    assert {leak.kind for leak in unseen.leaks} == {"same article"}


def test_a_full_disk_is_said_in_one_line_and_what_was_done_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captions(tmp_path / "in", 6)

    def full(_: Path, path: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("finetune.prepare.images._link", full)
        with pytest.raises(RecordsError, match=r"writing stopped: .*No space left on device.* it goes on") as told:
            made(tmp_path / "in", tmp_path / "out", dev=0, test=0)
    assert "\n" not in str(told.value)
    assert not list((tmp_path / "out").glob("*.jsonl"))
    assert made(tmp_path / "in", tmp_path / "out", dev=0, test=0).splits["train"].records == 6


def test_a_licence_that_is_not_stated_forbids_shipping(tmp_path: Path) -> None:
    records = captions(tmp_path / "in", 4)
    records[0]["license"], records[1]["license"] = "CC BY-NC 4.0", "unknown"
    write_jsonl(tmp_path / "in/records.jsonl", records)
    report = made(tmp_path / "in", tmp_path / "out", dev=0, test=0)
    assert report.licenses == {"not stated": 3, "CC BY-NC 4.0": 1}
    assert any(note.startswith("3 records state no licence") and "ship nothing" in note for note in report.notes)
    assert any(note.startswith("non-commercial: CC BY-NC 4.0") for note in report.notes)
    mine = made(tmp_path / "in", tmp_path / "mine", dev=0, test=0, license="CC0 1.0")
    assert mine.licenses == {"CC0 1.0": 2, "CC BY-NC 4.0": 1, "not stated": 1}


def test_lengths_are_told_in_words(tmp_path: Path) -> None:
    records = captions(tmp_path / "in", 4)
    for record, words in zip(records, (1, 2, 4, 9), strict=True):
        record["caption"] = "word " * words
    write_jsonl(tmp_path / "in/records.jsonl", records)
    told = made(tmp_path / "in", tmp_path / "out", dev=0, test=0).splits["train"].answer_words
    assert (told.median, told.p95, told.longest) == (3, 9, 9)


def test_one_frame_of_several_becomes_a_picture_of_its_own(tmp_path: Path) -> None:
    frames = [picture(n) for n in (1, 2)]
    (tmp_path / "in").mkdir()
    frames[0].save(tmp_path / "in/stack.tif", save_all=True, append_images=frames[1:])
    write_jsonl(tmp_path / "in/records.jsonl", [{"id": "a", "image": "stack.tif#frame=2", "caption": "Second."}])
    made(tmp_path / "in", tmp_path / "out", dev=0, test=0)
    (record,) = read_split(tmp_path / "out", "train")
    assert record.images[0].endswith(".png")
    assert (tmp_path / "out" / record.images[0]).read_bytes() == saved(frames[1], "PNG")


def test_the_command_says_what_there_is_and_what_is_wrong(tmp_path: Path) -> None:
    captions(tmp_path / "in", 6)
    out = tmp_path / "out"
    done = CliRunner().invoke(cli.main, ["finetune", "prepare", str(tmp_path / "in"), "--out", str(out), "--test", "0"])
    assert done.exit_code == 0, done.output
    assert "6 records, 6 images, 3 groups" in done.stdout
    assert "images: 100%" in done.stderr
    assert "leaks between splits: none" in done.stdout
    wrong = CliRunner().invoke(cli.main, ["finetune", "prepare", "medpics", "--out", str(tmp_path / "x")])
    assert wrong.exit_code == 2
    assert "Did you mean medpix?" in wrong.stderr
    assert wrong.stderr.count("\n") == 1
    lost = CliRunner().invoke(cli.main, ["finetune", "prepare", "path-vqa", "--out", str(tmp_path / "x")])
    assert "python cli.py data pull path-vqa" in lost.stderr


@pytest.mark.data
def test_the_real_sets_keep_their_splits(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert shared_data.is_dir()
    report = made("vqa_rad", tmp_path / "out", look_alikes=False, closed_as_labels=True)
    assert {name: split.records for name, split in report.splits.items()} == {"train": 1472, "dev": 640}
    assert report.licenses == {"CC0 1.0": 2112}
    assert not report.leaks
    dev = read_split(tmp_path / "out", "dev")
    assert {record.answer for record in dev if record.task == "classify"} == {"yes", "no"}
    assert all(record.answer not in ("Yes", "No") for record in dev)
