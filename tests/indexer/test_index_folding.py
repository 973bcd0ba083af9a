"""Records that say the same share one vector and are found as one, whatever happens to any of them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from conftest import Embedders
from index_makers import (
    families,
    index_config,
    pictures,
    search,
    texts,
    unit_vector,
)
from PIL import Image

from indexer import (
    Filter,
    IndexConfig,
    IndexCorruptError,
    Passage,
    Query,
    build_index,
    compact_index,
    open_index,
    remove_from_index,
    verify_index,
)
from indexer.database import said_hash
from indexer.manifest import DATABASE


@pytest.fixture
def two(tmp_path: Path, hashes: Embedders) -> IndexConfig:
    """An index of six images; four of them come from a second source too."""
    config = index_config(tmp_path / "ix", pictures(tmp_path / "one", 6), pictures(tmp_path / "two", 4), **hashes.names)
    report = build_index(config, progress=False)
    assert (report.added, report.embedded, report.reused, report.counts) == (10, 6, 4, {"example": 10})
    assert "4 share a vector that was there" in report.lines()[0]
    assert sum(hashes.batches) == 6
    hashes.created.clear()
    return config


def test_a_duplicate_is_embedded_once_and_found_once(two: IndexConfig) -> None:
    path = Path(two.out)
    found = search(path)
    assert families(found) == {**{f"one{n}": (f"two{n}",) for n in range(4)}, "one4": (), "one5": ()}
    assert [e.rank for e in found] == [1, 2, 3, 4, 5, 6]
    (copy,) = next(e for e in found if e.id == "one2").copies
    assert (copy.source, copy.id) == ("two", "two2")
    with open_index(path) as index:
        info = index.info()
        assert (len(index), index.count("images"), info.folded) == (10, 6, 4)
        assert info.kinds == {"example": 10}
        assert info.spaces[0].count == 6
        assert [e.id for e in index.examples(["two2", "one2"])] == ["two2", "one2"]
    assert verify_index(path).ok


def test_nothing_new_stays_nothing_new(two: IndexConfig) -> None:
    before = {file: file.read_bytes() for file in Path(two.out).iterdir()}
    report = build_index(two, progress=False)
    assert (report.changed, report.unchanged, report.embedded, report.reused) == (False, 10, 0, 0)
    assert {file: file.read_bytes() for file in Path(two.out).iterdir()} == before


def test_duplicates_within_a_batch(tmp_path: Path, hashes: Embedders) -> None:
    rows = [(f"d{n}", "Title", f"Text {n % 3}.") for n in range(20)]
    report = build_index(
        index_config(tmp_path / "ix", texts(tmp_path / "t.jsonl", rows), **hashes.names), progress=False
    )
    assert (report.embedded, report.reused, hashes.batches) == (3, 17, [3])
    expected = {f"d{n}#0": tuple(f"d{m}#0" for m in range(n + 3, 20, 3)) for n in range(3)}
    assert families(search(tmp_path / "ix", "passages")) == expected


def test_passages_are_the_same_by_title_and_text_but_for_white_space(tmp_path: Path, hashes: Embedders) -> None:
    rows = [("a", "Title", "The same text."), ("b", "Title ", "The  same\ntext."), ("c", "Other", "The same text.")]
    report = build_index(
        index_config(tmp_path / "ix", texts(tmp_path / "t.jsonl", rows), **hashes.names), progress=False
    )
    assert (report.embedded, report.reused) == (2, 1)
    assert families(search(tmp_path / "ix", "passages")) == {"a#0": ("b#0",), "c#0": ()}


def test_what_makes_a_duplicate() -> None:
    passage = Passage("1", "A  text.", "s", "1")
    assert said_hash(passage) == said_hash(Passage("2", "A text. ", "t", "9", license="CC0", year=1999))
    assert said_hash(passage) != said_hash(Passage("1", "A text!", "s", "1"))
    assert said_hash(Passage("1", "b", "s", "1", title="a")) != said_hash(Passage("1", "a b", "s", "1"))
    assert len(said_hash(passage)) == 16


@pytest.mark.parametrize("gone", ["one", "two"])
def test_one_source_goes_and_the_other_is_still_found(two: IndexConfig, hashes: Embedders, gone: str) -> None:
    path = Path(two.out)
    before = {file.name for file in path.glob("*.faiss")}
    report = remove_from_index(path, sources=[gone])
    left = {"one": 4, "two": 6}[gone]
    assert (report.removed, report.counts) == ({"one": 6, "two": 4}[gone], {"images": left})
    other = "two" if gone == "one" else "one"
    assert families(search(path)) == {f"{other}{n}": () for n in range(left)}
    assert ({file.name for file in path.glob("*.faiss")} == before) is (
        gone == "two"
    )  # the same vectors, the same file
    assert verify_index(path).ok
    compact_index(path)
    assert families(search(path)) == {f"{other}{n}": () for n in range(left)}
    hashes.created.clear()
    back = build_index(two, progress=False)
    assert (back.added, back.embedded, back.reused) == (10 - left, 2 if gone == "one" else 0, 4)
    assert sum(hashes.batches) == back.embedded
    with open_index(path) as index:
        assert index.info().folded == 4
    assert verify_index(path).ok


def test_removing_everything_is_refused_by_records_not_by_vectors(two: IndexConfig) -> None:
    assert remove_from_index(two.out, ids=[f"one{n}" for n in range(6)]).removed == 6  # as many as there are vectors


@pytest.mark.parametrize(
    "out",
    [{"exclude_articles": frozenset({"two-case1"})}, {"exclude_ids": frozenset({"two1"})}],
    ids=["article", "id"],
)
def test_what_excludes_a_copy_excludes_all(two: IndexConfig, out: dict[str, frozenset[str]]) -> None:
    found = families(search(Path(two.out), **out))
    assert set(found) == {"one0", "one2", "one3", "one4", "one5"}
    assert "two1" not in {copy for copies in found.values() for copy in copies}
    assert len(search(Path(two.out), k=5, **out)) == 5


def test_a_filter_shows_the_record_that_passes(two: IndexConfig) -> None:
    found = search(Path(two.out), only=Filter(sources=frozenset({"two"})))
    assert families(found) == {f"two{n}": (f"one{n}",) for n in range(4)}
    assert len(search(Path(two.out), k=3, only=Filter(sources=frozenset({"two"})))) == 3
    both = [Query("images", unit_vector("q"), 9, only=Filter(sources=frozenset({source}))) for source in ("one", "two")]
    with open_index(two.out) as index:
        one, two_ = index.search(both)
    assert {e.record.source for e in one} == {"one"}
    assert {e.record.source for e in two_} == {"two"}


def test_words_do_not_count_twice(tmp_path: Path, hashes: Embedders) -> None:
    distinct = [("a", "T", "The lung and the pleura."), ("b", "T", "Pleura, pleura."), ("c", "T", "A stone.")]
    same = [(f"copy{n}", "T", "Pleura, pleura.") for n in range(60)]
    plain = index_config(tmp_path / "plain", texts(tmp_path / "p.jsonl", distinct), **hashes.names)
    folded = index_config(tmp_path / "folded", texts(tmp_path / "f.jsonl", distinct + same), **hashes.names)
    for config in (plain, folded):
        build_index(config, progress=False)
    one, other = (search(tmp_path / name, "passages", k=3, text="lung pleura") for name in ("plain", "folded"))
    assert [(e.id, e.score) for e in one] == [(e.id, e.score) for e in other]
    assert [e.found_by for e in other if e.id != "c#0"] == [("vectors", "words")] * 2
    with open_index(tmp_path / "folded") as index:
        assert index.info().folded == 60
    (copied,) = [e for e in other if e.copies]
    assert [copy.id for copy in copied.copies] == [f"copy{n}#0" for n in range(20)]  # at most so many are shown


def test_a_licence_that_changes_embeds_nothing(tmp_path: Path, hashes: Embedders) -> None:
    rows = [("a", "T", "One."), ("b", "T", "Two.")]
    path = tmp_path / "ix"
    images = pictures(tmp_path / "one", 3, license="CC BY 4.0")
    config = index_config(path, images, texts(tmp_path / "t.jsonl", rows, license="CC BY 4.0"), **hashes.names)
    build_index(config, progress=False)
    files = {file.name: file.read_bytes() for file in path.glob("*.faiss")}
    hashes.created.clear()
    pictures(tmp_path / "one", 3, license="CC0")
    texts(tmp_path / "t.jsonl", rows, license="CC0")
    report = build_index(config, progress=False)
    assert (report.changed, report.replaced, report.embedded, report.reused) == (True, 5, 0, 5)
    assert hashes.batches == []
    assert {file.name: file.read_bytes() for file in path.glob("*.faiss")} == files
    found = search(path) + search(path, "passages")
    assert {e.record.license for e in found} == {"CC0"}
    assert all(not e.copies for e in found)
    assert verify_index(path).ok
    assert build_index(config, progress=False).changed is False


def test_a_reader_keeps_the_copies_of_its_generation(two: IndexConfig) -> None:
    with open_index(two.out) as index:
        before = index.search([Query("images", unit_vector("q"), 9)])[0]
        remove_from_index(two.out, sources=["two"])
        assert index.search([Query("images", unit_vector("q"), 9)])[0] == before
        assert any(e.copies for e in before)


def test_near_duplicates_are_counted_and_kept(tmp_path: Path, hashes: Embedders) -> None:
    source = pictures(tmp_path / "one", 5)
    rng = np.random.default_rng(0)
    noise = np.repeat(np.repeat(rng.integers(0, 256, (8, 8, 3), np.uint8), 8, 0), 8, 1)
    for number, level in ((1, 1), (2, 9)):  # the same pixels in files that differ
        Image.fromarray(noise).save(tmp_path / "one" / "images" / f"{number}.png", compress_level=level)
    Image.fromarray(255 - noise[::-1]).save(tmp_path / "one" / "images" / "3.png")
    report = build_index(index_config(tmp_path / "ix", source, **hashes.names), progress=False)
    assert report.embedded == 5
    with open_index(tmp_path / "ix") as index:
        phashes = [e.phash for e in index.examples([f"one{n}" for n in range(5)])]
        alike = sum(phashes.count(phash) > 1 for phash in phashes)
        assert phashes[1] == phashes[2] != phashes[3]
        assert (index.info().folded, index.info().look_alikes) == (0, alike)
        assert len(index.search([Query("images", unit_vector("q"), 9)])[0]) == 5


def test_an_index_of_the_schema_before_is_refused_and_rebuilt(two: IndexConfig) -> None:
    path = Path(two.out)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps({**manifest, "schema_version": 2}))
    with closing(sqlite3.connect(path / DATABASE)) as database:
        for name in ("records_vector", "records_said"):
            database.execute(f"DROP INDEX {name}")
        for name in ("vector", "said_hash"):
            database.execute(f"ALTER TABLE records DROP COLUMN {name}")
    for refused in (lambda: open_index(path), lambda: build_index(two, progress=False)):
        with pytest.raises(IndexCorruptError, match=r"schema 2, this version reads 3\..*index build CONFIG --rebuild"):
            refused()
    report = build_index(two, progress=False, rebuild=True)
    assert (report.embedded, report.counts) == (6, {"example": 10})
    assert verify_index(path).ok


def test_a_damaged_vector_is_not_carried_over(two: IndexConfig) -> None:
    (file,) = Path(two.out).glob("*.faiss")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(IndexCorruptError, match=r"faiss: missing or damaged\. Build the index again with --rebuild"):
        remove_from_index(two.out, sources=["two"])
