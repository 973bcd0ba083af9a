"""One pass of a build: what fails is counted, memory stays what it is, batches in flight keep their order."""

from __future__ import annotations

import json
import sqlite3
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Embedders
from index_makers import (
    HashEmbedder,
    families,
    index_config,
    pictures,
    search,
    write_jsonl,
)

import imaging
from imaging import LoadedImage
from indexer import (
    Passage,
    SourceFailure,
    build_index,
    verify_index,
)
from indexer.database import connect
from indexer.ledger import Ledger
from indexer.manifest import DATABASE
from indexer.publish import SpaceEmbedder
from indexer.run import Run


def test_failures_beyond_those_reported_are_counted_and_written(
    tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.run.MOST_FAILURES", 3)
    monkeypatch.setattr("indexer.notes._ROWS_AT_ONCE", 4)
    source = pictures(tmp_path / "one", 12)
    for number in range(9):
        (tmp_path / "one" / "images" / f"{number}.png").write_bytes(b"no image")
    config = index_config(tmp_path / "ix", source, **hashes.names)
    report = build_index(config, progress=False)
    assert (report.failed, [f.id for f in report.failures]) == (9, ["one0", "one1", "one2"])
    assert report.lines()[1:] == [
        "9 records could not be used:",
        *(f"  one: one{n}: {report.failures[n].reason}" for n in range(3)),
        "  and 6 more",
    ]
    with closing(sqlite3.connect(tmp_path / "ix" / DATABASE)) as database:
        written = database.execute("SELECT generation, source, id FROM failures ORDER BY rowid").fetchall()
    assert written == [(1, "one", f"one{n}") for n in range(9)]
    assert build_index(config, progress=False).failed == 9
    assert verify_index(tmp_path / "ix").ok


@pytest.mark.parametrize("apart", [1, 40])
def test_an_id_is_taken_even_by_a_record_that_cannot_be_used(tmp_path: Path, hashes: Embedders, apart: int) -> None:
    source = pictures(tmp_path / "one", 2 + apart)
    (tmp_path / "one" / "images" / "0.png").write_bytes(b"no image")
    file = tmp_path / "one" / "records.jsonl"
    again = [{**json.loads(line), "id": f"one{n}"} for n, line in enumerate(file.read_text().splitlines()[-2:])]
    write_jsonl(file, [*(json.loads(line) for line in file.read_text().splitlines()), *again])
    report = build_index(index_config(tmp_path / "ix", source, **hashes.names), progress=False)
    assert [f.id for f in report.failures] == ["one0", "one0", "one1"]
    assert all("already a record's of one" in f.reason for f in report.failures[1:])


@dataclass
class Made:
    """A source of passages that are made as they are asked for."""

    count: int
    name: str = "made"

    def __iter__(self) -> Iterator[Passage | SourceFailure]:
        for number in range(self.count):
            yield Passage(f"p{number}#0", f"Text {number}.", self.name, f"p{number}")
            if number % 10 == 0:
                yield SourceFailure(self.name, f"line {number}", "a reason that takes some room in memory")

    def __len__(self) -> int:
        return self.count + (self.count + 9) // 10


def test_memory_does_not_grow_with_the_source(
    tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.notes._ROWS_AT_ONCE", 256)
    monkeypatch.setattr("indexer.run.MOST_FAILURES", 10)
    embedder = SpaceEmbedder.load(hashes.names["text_embedder"])

    def take(count: int, batch_size: int) -> None:
        with closing(connect(tmp_path / DATABASE, create=True)) as connection:
            run = Run(
                Ledger(connection, 0, from_scratch=False, keep_others=False), {"passages": embedder}, batch_size, None
            )
            run.take([Made(count)], count, "made", progress=False)
        assert (run.kept, run.failed) == (count, len(Made(count)) - count)

    def peak(count: int) -> int:
        tracemalloc.start()
        take(count, 16)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    take(4_500, 64)
    few, many = peak(1_500), peak(4_500)
    assert many < few + (1 << 17), f"{few:,}, then {many:,} bytes"


@pytest.mark.parametrize("apart", [2, 3, 5])
def test_an_image_that_comes_again_while_it_is_being_embedded_is_not_embedded_again(
    tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch, apart: int
) -> None:
    source = pictures(tmp_path / "one", 8)
    file = tmp_path / "one" / "records.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    records.insert(apart, {**records[0], "id": "again"})
    write_jsonl(file, records)
    embed = HashEmbedder.embed_images

    def slow(self: HashEmbedder, images: Sequence[LoadedImage]) -> Any:
        time.sleep(0.1 if len(self.batches) % 2 == 0 else 0)  # every other batch is overtaken by the next
        return embed(self, images)

    monkeypatch.setattr(HashEmbedder, "embed_images", slow)
    report = build_index(index_config(tmp_path / "ix", source, **hashes.names, batch_size=2), progress=False)
    assert (report.embedded, report.reused, sum(hashes.batches)) == (8, 1, 8)
    found = families(search(tmp_path / "ix"))
    assert found == {"one0": ("again",), **{f"one{n}": () for n in range(1, 8)}}
    assert verify_index(tmp_path / "ix").ok


def test_an_image_without_a_finite_vector_fails_with_those_that_say_the_same(
    tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = pictures(tmp_path / "one", 6)
    file = tmp_path / "one" / "records.jsonl"
    records = [json.loads(line) for line in file.read_text().splitlines()]
    write_jsonl(file, [*records, {**records[0], "id": "again"}])
    bad = imaging.load(tmp_path / "one" / records[0]["image"]).sha256
    embed = HashEmbedder.embed_images

    def broken(self: HashEmbedder, images: Sequence[LoadedImage]) -> Any:
        vectors = embed(self, images)
        vectors[[image.sha256 == bad for image in images]] = np.nan
        return vectors

    monkeypatch.setattr(HashEmbedder, "embed_images", broken)
    report = build_index(index_config(tmp_path / "ix", source, **hashes.names, batch_size=2), progress=False)
    assert [(f.id, f.reason) for f in report.failures] == [(n, "its vector is not finite") for n in ("one0", "again")]
    assert set(families(search(tmp_path / "ix"))) == {f"one{n}" for n in range(1, 6)}
