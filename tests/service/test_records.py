"""Records are kept before they are answered, for whom they were answered, and not for ever."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from service.errors import CannotServe
from service.records import RecordStore


def test_a_record_comes_back_as_it_was_kept_and_only_to_its_owner(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.sqlite", 10)
    text = store.keep({"id": "a", "caption": "naïve ☂"}, "lab")
    assert json.loads(text) == {"id": "a", "caption": "naïve ☂"}
    assert store.text("a", "lab") == text
    assert store.text("a", "other") is None
    assert store.text("b", "lab") is None


def test_the_oldest_leave(tmp_path: Path) -> None:
    store = RecordStore(tmp_path / "records.sqlite", 3)
    for number in range(5):
        store.keep({"id": str(number)}, "")
    assert [store.text(str(number), "") is not None for number in range(5)] == [False, False, True, True, True]
    store.close()
    assert RecordStore(tmp_path / "records.sqlite", 3).text("4", "") is not None


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "records.sqlite"
    killed = (
        "import os, sys; from pathlib import Path; from service.records import RecordStore;"
        "store = RecordStore(Path(sys.argv[1]), 1000);"
        "[print(store.keep({'id': str(n)}, ''), flush=True) for n in range(50)]; os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", killed, str(file)], capture_output=True, text=True)
    acknowledged = [json.loads(line)["id"] for line in done.stdout.splitlines()]
    assert len(acknowledged) == 50
    store = RecordStore(file, 1000)
    assert all(store.text(id_, "") for id_ in acknowledged)


def test_a_folder_that_cannot_be_written_is_told_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotServe, match="records cannot be kept"):
        RecordStore(tmp_path / "file" / "records.sqlite", 10)


def test_commits_are_written_through(tmp_path: Path) -> None:
    RecordStore(tmp_path / "records.sqlite", 10)
    with sqlite3.connect(tmp_path / "records.sqlite") as db:
        assert db.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
