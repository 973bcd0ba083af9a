"""A run that is begun, changed, broken and gone on with: every image is described once, by what is asked now."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import fakes
import pytest
from folders import HeldInput, Runner, failed, made_run, run, texts, untimed

import batch.runner
import batch.writer
from batch.errors import InputError, NoRun, RunBusy, RunDamaged, RunStopped
from batch.run_folder import read_run
from batch.shards import read_shard
from batch.stopping import Stop
from batch.types import Item, Unusable
from indexer.images import FileImage
from rag.config import resolve
from rag.types import Prepared, Request

__all__ = ["run"]
NAMES = [f"i{n:02d}" for n in range(10)]


@pytest.fixture
def given(tmp_path: Path) -> Path:
    return fakes.images(tmp_path / "images", NAMES)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def shards(out: Path) -> list[Path]:
    return sorted(read_run(out).folder.glob("shards/*"))


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
    with pytest.raises(NoRun, match="holds no run 'x', but "):
        read_run(out, "x")


def test_where_things_lie_changes_no_run(run: Runner, given: Path, out: Path, tmp_path: Path) -> None:
    first = run(given, out).run
    elsewhere = resolve(fakes.SETTINGS.model_dump(), [f"retrieval.index={tmp_path / 'elsewhere'}"])
    assert run(given, out, settings=elsewhere).run == first
    assert read_run(out).made["settings"]["retrieval"]["index"] == "starter"


@pytest.mark.parametrize("harm", ["truncated", "flipped", "deleted"])
def test_a_torn_shard_is_noticed_said_and_redone(run: Runner, given: Path, out: Path, harm: str) -> None:
    run(given, out)
    whole, torn = untimed(out), shards(out)[1]
    data = bytearray(torn.read_bytes())
    data[len(data) // 2] ^= 1
    if harm == "deleted":
        torn.unlink()
    else:
        torn.write_bytes(data if harm == "flipped" else data[:-9])
    run(given, out)
    assert run.said == [f"{torn} is damaged or gone: its 4 descriptions are made again"]
    assert run.described == 4
    assert untimed(out) == whole


def test_shards_that_are_all_gone_are_told_in_few_lines_and_redone(run: Runner, given: Path, out: Path) -> None:
    run(given, out, block=1)
    whole = untimed(out)
    for file in shards(out):
        file.unlink()
    (read_run(out).folder / "shards").rmdir()
    run(given, out, block=1)
    assert len(run.said) == 4
    assert run.said[3] == "so are 7 more shards, of 7 descriptions"
    assert untimed(out) == whole


def test_shards_are_not_thrown_away_where_their_ledger_was(run: Runner, given: Path, out: Path) -> None:
    run(given, out)
    ledger, written = read_run(out).folder / "ledger.sqlite", shards(out)
    kept = ledger.read_bytes()
    for empty in (ledger.unlink, lambda: ledger.write_bytes(b"")):
        empty()
        with pytest.raises(RunDamaged, match=r"is empty, but .* holds 3 files of descriptions. Put the ledger back"):
            run(given, out)
        assert shards(written[0].parents[2]) == written
    ledger.write_bytes(kept)
    run(given, out)
    assert run.described == 0


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error", "index/faiss"), sqlite3.DatabaseError("torn")])
def test_what_the_system_says_to_a_worker_is_not_told_of_the_folder(
    run: Runner, given: Path, out: Path, fault: Exception
) -> None:
    class Broken(fakes.Pipeline):
        def prepare(self, requests: Sequence[Request]) -> Prepared:
            if requests[0].id == "i04":
                raise fault
            return super().prepare(requests)

    run.opener = lambda settings, *_: fakes.pipeline_of(Broken, settings)
    with pytest.raises(RunStopped, match=f"^describing failed: {type(fault).__name__}: .*(index/faiss|torn)"):
        run(given, out)
    assert list(texts(out)) == NAMES[:4]


def test_what_was_not_committed_is_cleared_away(run: Runner, given: Path, out: Path) -> None:
    run(given, out)
    folder = read_run(out).folder / "shards"
    written = shards(out)
    (folder / "part-000009.parquet").write_bytes(written[0].read_bytes())
    (folder / ".part-000010.parquet.part").write_bytes(b"half")
    run(given, out)
    assert shards(out) == written
    assert run.described == 0


def test_a_ledger_that_is_none_is_told_in_one_line(run: Runner, given: Path, out: Path) -> None:
    run(given, out)
    ledger = read_run(out).folder / "ledger.sqlite"
    data = ledger.read_bytes()
    ledger.write_bytes(b"no database, but long enough to be taken for one" * 9)
    for act in (lambda: run(given, out), lambda: read_run(out)):
        with pytest.raises(RunDamaged, match=r"ledger.sqlite is no whole ledger of a run: file is not a database"):
            act()
    ledger.write_bytes(data[:4096] + b"\xff" * (len(data) - 4096))
    with pytest.raises(RunDamaged, match=r"ledger.sqlite is no whole ledger of a run: ") as told:
        run(given, out)
    assert "\n" not in str(told.value)


def test_a_transaction_that_was_killed_is_undone_by_whoever_looks_next(run: Runner, given: Path, out: Path) -> None:
    run(given, out)
    folder = read_run(out).folder
    ledger, journal = folder / "ledger.sqlite", folder / "ledger.sqlite-journal"
    with sqlite3.connect(ledger) as db:
        db.execute("PRAGMA cache_size = 1")  # so that the file itself is written to before the commit
        db.execute("DELETE FROM results")
        db.executemany("INSERT INTO marks VALUES (?, ?)", [(f"{n:0900d}", "x") for n in range(99)])
        half = ledger.read_bytes(), journal.read_bytes()
        db.rollback()
    db.close()
    ledger.write_bytes(half[0])
    journal.write_bytes(half[1])
    assert len(texts(out)) == 10


def test_a_damaged_run_json_and_plan_are_written_again(run: Runner, given: Path, out: Path) -> None:
    run(given, out)
    folder = read_run(out).folder
    for name in ("run.json", "plan.parquet"):
        (folder / name).write_bytes(b"{")
        with pytest.raises(RunDamaged, match="cannot be read as a run"):
            read_run(out)
        run(given, out)
        assert len(texts(out)) == 10
    assert run.described == 0


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


@pytest.mark.parametrize("file", ["part-000001.parquet", "failures.parquet", "summary.json"])
def test_a_disk_that_is_full_is_told_in_one_line(
    run: Runner, given: Path, out: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    put = batch.runner.put

    def full(data: bytes, at: Path) -> None:
        if at.name == file:
            raise OSError(28, "No space left on device", str(at))
        put(data, at)

    with monkeypatch.context() as patch:
        for room in ("batch.runner.put", "batch.writer.put", "batch.shards.put"):
            patch.setattr(room, full)
        with pytest.raises(
            RunStopped, match=f"{file} cannot be written or read: No space left on device. What"
        ) as told:
            run(given, out)
    assert "\n" not in str(told.value)
    kept = 4 if file.startswith("part") else 10
    assert len(texts(out)) == kept
    run(given, out)
    assert run.described == 10 - kept
    assert len(texts(out)) == 10


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
