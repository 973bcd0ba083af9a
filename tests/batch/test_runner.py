"""A run that is begun, changed, broken and gone on with: every image is described once, by what is asked now."""

from __future__ import annotations

import os
from pathlib import Path

import fakes
import pytest
from folders import NAMES, HeldInput, Runner, failed, given, made_run, out, run, texts

import batch.runner
import batch.writer
from batch.errors import InputError, NoRun, RunBusy, RunStopped
from batch.run_folder import read_run
from batch.shards import read_shard
from batch.stopping import Stop
from batch.types import Item, Unusable
from indexer.images import FileImage
from rag.config import resolve
from rag.types import Request

__all__ = ["given", "out", "run"]


def test_the_same_again_does_nothing_and_says_so(run: Runner, given: Path, out: Path) -> None:
    first = run(given, out)
    assert run.described == 10
    assert (first.tally.total, first.tally.described, first.tally.failed, first.tally.left) == (10, 10, 0, 0)
    again = run(given, out)
    assert run.described == 0
    assert run.pipelines[-1].speaker.engine.loads == 0  # type: ignore[attr-defined]
    assert again.to_json() == first.to_json()
    assert run.said == [f"{read_run(out).folder}: nothing is left to do"]
    assert texts(out) == {name: f"An image of brightness {n}." for n, name in enumerate(NAMES)}


def test_what_changes_a_text_makes_a_run_beside_the_old(run: Runner, given: Path, out: Path) -> None:
    names = [run(given, out).run]
    run.opener = lambda settings, *_: fakes.pipeline_of(fakes.Pipeline, settings, fakes.Told("1" * 12))
    names.append(run(given, out).run)
    run.opener = fakes.told_pipeline
    changed = resolve(fakes.SETTINGS.model_dump(), ["prompt.length=short"])
    names.append(run(given, out, settings=changed).run)
    assert len(set(names)) == 3
    assert [len(texts(out, name)) for name in names] == [10, 10, 10]
    assert read_run(out).name == names[2]
    assert run(given, out).run == names[0]
    assert run.described == 0
    assert read_run(out).name == names[0]
    assert read_run(out / names[0], names[0]).name == names[0]
    with pytest.raises(NoRun, match="holds no run 'x', but "):
        read_run(out, "x")


def test_where_things_lie_changes_no_run(run: Runner, given: Path, out: Path, tmp_path: Path) -> None:
    first = run(given, out).run
    elsewhere = resolve(fakes.SETTINGS.model_dump(), [f"retrieval.index={tmp_path / 'elsewhere'}"])
    assert run(given, out, settings=elsewhere).run == first
    assert read_run(out).made["settings"]["retrieval"]["index"] == "starter"


def test_an_image_that_changed_in_place_is_described_again(run: Runner, given: Path, out: Path) -> None:
    run(given, out)
    fakes.paint(given / "i03.png", 200)
    assert run(given, out).tally.described == 10
    assert run.described == 1
    assert texts(out)["i03"] == "An image of brightness 200."
    fakes.paint(given / "i03.png", 3)
    run(given, out)
    assert run.described == 0
    assert texts(out)["i03"] == "An image of brightness 3."


def test_a_moved_or_touched_file_is_known_by_its_bytes(run: Runner, given: Path, out: Path) -> None:
    run(given, out)
    os.utime(given / "i03.png", (1, 1))
    run(given, out)
    assert run.described == 0
    moved = given.rename(given.with_name("elsewhere"))
    os.utime(moved / "i04.png", (2, 2))
    run(moved, out)
    assert run.described == 0
    assert texts(out)["i09"] == "An image of brightness 9."


def test_reading_touched_files_can_be_stopped_and_what_was_found_is_kept(
    run: Runner, given: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(given, out)
    for name in NAMES:
        os.utime(given / f"{name}.png", (1, 1))
    stop, sha256 = Stop(), FileImage.sha256
    with monkeypatch.context() as patch:
        patch.setattr(FileImage, "sha256", lambda self: (stop.ask() if "i03" in self.path else None, sha256(self))[1])
        patch.setattr("batch.plan._TOLD_FROM", 10)
        summary = run(given, out, stop=stop)
    assert run.said[0] == "10 images were moved or touched since they were described: they are read anew"
    assert (summary.tally.described, run.described) == (4, 0)
    assert run(given, out).tally.left == run.described == 0


def test_only_what_failed_of_this_input_is_tried_again(run: Runner, given: Path, out: Path, tmp_path: Path) -> None:
    bad = fakes.images(tmp_path / "bad", ["bad-a", "b"])
    fakes.images(given, ["i05-bad"])
    run(bad, out)
    assert run(given, out, retry_failed=True).tally.failed == 1
    run(bad, out)
    assert run.said[-1].endswith("nothing is left to do. What failed is tried again with --retry-failed")


def test_added_images_alone_are_described_and_removed_ones_leave(run: Runner, given: Path, out: Path) -> None:
    run(given, out)
    fakes.paint(given / "i03a.png", 77)
    fakes.paint(given / "i07a.png", 78)
    (given / "i00.png").unlink()
    summary = run(given, out)
    assert run.described == 2
    assert (summary.tally.total, summary.tally.described) == (11, 11)
    assert list(texts(out)) == sorted({*NAMES, "i03a", "i07a"} - {"i00"})


def test_a_result_that_comes_a_second_time_takes_the_place_of_the_first(
    run: Runner, given: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that cannot be read when files are looked at, and can be when they are described."""
    run(given, out)
    os.utime(given / "i03.png", (1, 1))
    with monkeypatch.context() as patch:
        patch.setattr("indexer.images.refs.FileImage.sha256", lambda _: (_ for _ in ()).throw(OSError("stale handle")))
        run(given, out)
    assert run.described == 1
    assert len(texts(out)) == 10


def test_bad_images_fail_with_a_reason_and_are_tried_again_when_asked(run: Runner, given: Path, out: Path) -> None:
    fakes.images(given, ["bad-a", "bad-b"])
    summary = run(given, out)
    assert (summary.tally.total, summary.tally.described, summary.tally.failed) == (12, 10, 2)
    assert failed(out) == {"bad-a": "image", "bad-b": "image"}
    rows = read_shard(read_run(out).folder / "failures.parquet").to_pylist()
    assert [(row["id"], row["kind"], row["image"]) for row in rows] == [
        (name, "image", str(given / f"{name}.png")) for name in ("bad-a", "bad-b")
    ]
    assert "not an image in a format read here" in rows[0]["reason"]
    told = summary.to_json()
    assert list(told["failures_by_reason"].values()) == [2]
    assert told["failures_by_kind"] == {"image": 2}

    stat = (given / "bad-a.png").stat()
    run(given, out)
    assert run.said[-1].endswith("nothing is left to do. What failed is tried again with --retry-failed")
    fakes.paint(given / "bad-a.png", 55)
    os.utime(given / "bad-a.png", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    summary = run(given, out, retry_failed=True)
    assert (summary.tally.described, summary.tally.failed) == (11, 1)
    assert run.described == 1
    assert failed(out) == {"bad-b": "image"}
    assert texts(out)["bad-a"] == "An image of brightness 55."


def test_a_block_of_bad_images_alone_is_done_with(run: Runner, tmp_path: Path, out: Path) -> None:
    given = fakes.images(tmp_path / "images", ["bad-a", "bad-b", "c"])
    assert run(given, out, block=2).tally.failed == 2
    assert run(given, out, block=2).tally.left == 0
    assert run.pipelines[-1].speaker.engine.loads == 0  # type: ignore[attr-defined]


def test_records_that_cannot_be_used_are_failures(run: Runner, given: Path, out: Path) -> None:
    item = Item(Request("i01", (str(given / "i01.png"),), article="PMC1"), "1")
    summary = run(HeldInput([Unusable("line 2", "image is missing"), item], notes=["one note"]), out)
    assert run.said == ["one note"]
    assert (summary.tally.total, summary.tally.described, summary.tally.failed) == (2, 1, 1)
    assert failed(out) == {"line 2": "record"}
    assert [row.article for row in read_run(out).plan] == [None, "PMC1"]
    with pytest.raises(InputError, match="none of its 1 records can be described, the first, x: torn"):
        run(HeldInput([Unusable("x", "torn")]), out)
    with pytest.raises(InputError, match="none of its 0 records"):
        run(HeldInput([]), out)


def test_a_server_that_dies_keeps_what_was_done(run: Runner, given: Path, out: Path) -> None:
    fakes.images(given, ["i05-dead"])
    with pytest.raises(RunStopped, match="cannot be reached"):
        run(given, out)
    assert list(texts(out)) == NAMES[:5]
    assert read_run(out).left == 6
    assert read_run(out).summary is not None
    (given / "i05-dead.png").rename(given / "i05-back.png")
    assert run(given, out).tally.left == 0
    assert run.described == 6


def test_it_stops_when_asked_and_goes_on(run: Runner, given: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    commit = batch.writer.Writer.commit
    monkeypatch.setattr(batch.writer.Writer, "commit", lambda self, block: (commit(self, block), stop.ask()))
    summary = run(given, out, block=2, stop=stop)
    assert 2 <= summary.tally.described < 10
    assert summary.tally.left == 10 - summary.tally.described
    assert run(given, out, block=2).tally.left == 0
    assert run.described == summary.tally.left


def test_the_second_run_in_a_folder_says_so(
    run: Runner, given: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, told = batch.writer.Writer.commit, []

    def second(self: batch.writer.Writer, block: object) -> None:
        if not told:
            with pytest.raises(RunBusy, match=r"another batch is writing to it") as busy:
                Runner(monkeypatch)(given, out)
            told.append(str(busy.value))
        commit(self, block)  # type: ignore[arg-type]

    monkeypatch.setattr(batch.writer.Writer, "commit", second)
    assert run(given, out).tally.left == 0
    assert len(told) == 1


def test_a_run_may_be_read_while_it_goes_on(
    run: Runner, given: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, seen = batch.writer.Writer.commit, []

    def read(self: batch.writer.Writer, block: object) -> None:
        seen.append((list(texts(out)), read_run(out).left))
        commit(self, block)  # type: ignore[arg-type]

    monkeypatch.setattr(batch.writer.Writer, "commit", read)
    run(given, out, block=5)
    assert seen == [([], 10), (NAMES[:5], 5)]
    assert list(texts(out)) == NAMES


def test_a_made_run_is_one(tmp_path: Path) -> None:
    made = made_run(tmp_path, ["b", "a", "bad"])
    assert [row.id for row in made.plan] == ["a", "b", "bad"]
    assert [result.text for result in made.descriptions()] == ["An image of brightness 1.", "An image of brightness 0."]
    assert made.summary is not None
    assert made.summary["failed"] == 1


def test_counts_of_a_summary_add_up(run: Runner, given: Path, out: Path) -> None:
    fakes.images(given, ["bad-a"])
    run(given, out, stop=None)
    fakes.paint(given / "z.png", 90)
    told = run(given, out).to_json()
    assert told["records"] == told["described"] + told["failed"] + told["left"] == 12
    assert sum(told["failures_by_reason"].values()) == sum(told["failures_by_kind"].values()) == told["failed"]
    assert [session["described"] for session in told["sessions"]] == [10, 1]
    assert told["sentences"] == told["described"]
    assert told["prompt_tokens"] == 9 * told["described"]
    assert read_run(out).summary == told


def test_a_summary_does_not_grow_with_reasons_that_are_all_different(run: Runner, given: Path, out: Path) -> None:
    rows = [Item(Request("i01", (str(given / "i01.png"),)), "1")]
    summary = run(HeldInput([*rows, *(Unusable(f"line {n}", f"torn {chr(4000 + n)}") for n in range(150))]), out)
    told = summary.to_json()["failures_by_reason"]
    assert len(told) == 101
    assert told["other reasons"] == 50
    assert sum(told.values()) == 150
