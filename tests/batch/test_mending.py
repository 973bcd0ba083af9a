"""What was damaged, thrown away or cut short beneath a run is noticed, told in a line, and mended where it can be."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import fakes
import pytest
from folders import NAMES, Runner, given, out, run, texts, untimed

import batch.runner
from batch.errors import RunDamaged, RunStopped
from batch.run_folder import read_run
from rag.types import Prepared, Request

__all__ = ["given", "out", "run"]


def shards(out: Path) -> list[Path]:
    return sorted(read_run(out).folder.glob("shards/*"))


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
