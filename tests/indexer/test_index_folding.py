"""Records that say the same share one vector and are found as one, whatever happens to any of them."""

from __future__ import annotations

import json
import random
import sqlite3
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
    folder_config,
    index_config,
    text_config,
    unit_vector,
    write_images,
    write_jsonl,
)
from PIL import Image

from indexer import (
    Evidence,
    Filter,
    IndexConfig,
    IndexCorruptError,
    Passage,
    Query,
    SourceFailure,
    build_index,
    compact_index,
    open_index,
    remove_from_index,
    verify_index,
)
from indexer.database import connect, said_hash
from indexer.ledger import Ledger
from indexer.manifest import DATABASE
from indexer.publish import SpaceEmbedder
from indexer.run import Run


def pictures(root: Path, count: int, **more: Any) -> dict[str, Any]:
    """A source of images whose files and captions are the same in every folder; ids and articles are its own."""
    records = write_images(root, count)
    own = [{**r, "id": f"{root.name}{n}", "case": f"{root.name}-case{n}", **more} for n, r in enumerate(records)]
    write_jsonl(root / "records.jsonl", own)
    fields = {"id": "id", "image": "image", "caption": "caption", "article": "case", "license": "license"}
    return folder_config(root, fields=fields if more else {k: v for k, v in fields.items() if k != "license"})


def texts(file: Path, rows: Sequence[tuple[str, str, str]], **more: Any) -> dict[str, Any]:
    """A source of passages from ids, titles and texts."""
    write_jsonl(file, [{"id": i, "title": title, "text": text, **more} for i, title, text in rows])
    fields = {"title": "title", **({"license": "license"} if "license" in more else {})}
    return text_config(file, fields=fields)


def search(path: Path, space: str = "images", k: int = 100, **query: Any) -> list[Evidence]:
    with open_index(path) as index:
        return index.search([Query(space, unit_vector("q"), k, **query)])[0]


def families(found: Sequence[Evidence]) -> dict[str, tuple[str, ...]]:
    """The id of each record that is shown, and the ids of its copies."""
    return {e.id: tuple(copy.id for copy in e.copies) for e in found}


@pytest.fixture
def two(tmp_path: Path, hashes: Embedders) -> IndexConfig:
    """An index of six images; four of them come from a second source too."""
    config = index_config(
        tmp_path / "ix", pictures(tmp_path / "one", 6), pictures(tmp_path / "two", 4), **hashes.names, batch_size=1
    )
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
        index_config(tmp_path / "ix", texts(tmp_path / "t.jsonl", rows), **hashes.names, batch_size=1), progress=False
    )
    assert (report.embedded, report.reused, hashes.batches) == (3, 17, [3])
    expected = {f"d{n}#0": tuple(f"d{m}#0" for m in range(n + 3, 20, 3)) for n in range(3)}
    assert families(search(tmp_path / "ix", "passages")) == expected


def test_passages_are_the_same_by_title_and_text_but_for_white_space(tmp_path: Path, hashes: Embedders) -> None:
    rows = [("a", "Title", "The same text."), ("b", "Title ", "The  same\ntext."), ("c", "Other", "The same text.")]
    report = build_index(
        index_config(tmp_path / "ix", texts(tmp_path / "t.jsonl", rows), **hashes.names, batch_size=1), progress=False
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
    plain = index_config(tmp_path / "plain", texts(tmp_path / "p.jsonl", distinct), **hashes.names, batch_size=1)
    folded = index_config(
        tmp_path / "folded", texts(tmp_path / "f.jsonl", distinct + same), **hashes.names, batch_size=1
    )
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
    config = index_config(
        path, images, texts(tmp_path / "t.jsonl", rows, license="CC BY 4.0"), **hashes.names, batch_size=1
    )
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


def stopping(after: int) -> pytest.MonkeyPatch:
    """Lets an embedder embed so many batches and then stops the build."""
    embed = HashEmbedder._embed

    def stop(self: HashEmbedder, keys: list[str]) -> Any:
        if len(self.batches) == after:
            raise KeyboardInterrupt
        return embed(self, keys)

    patch = pytest.MonkeyPatch()
    patch.setattr(HashEmbedder, "_embed", stop)
    return patch


def content(path: Path) -> tuple[list[Any], list[Any], np.ndarray[Any, Any]]:
    """All that an index holds: records, words, vectors."""
    import faiss

    with closing(sqlite3.connect(path / DATABASE)) as database:
        records = database.execute("SELECT * FROM records ORDER BY row").fetchall()
        words = database.execute("SELECT term, doc FROM passage_words_known ORDER BY term").fetchall()
    index = faiss.read_index(str(next(path.glob("*.faiss"))))
    numbers = faiss.vector_to_array(index.id_map)
    return records, words, np.column_stack([numbers, index.index.reconstruct_n(0, index.ntotal)])


@pytest.mark.parametrize("after", [0, 1, 2, 4])
def test_killed_between_duplicates_the_end_is_the_same(tmp_path: Path, hashes: Embedders, after: int) -> None:
    rows = [(f"d{n}", "T", f"Text {n % 17}.") for n in range(60)]
    source = texts(tmp_path / "t.jsonl", rows)
    whole, killed = (
        index_config(tmp_path / name, source, **hashes.names, batch_size=1) for name in ("whole", "killed")
    )
    build_index(whole, progress=False)
    patch = stopping(after)
    with pytest.raises(KeyboardInterrupt):
        build_index(killed, progress=False)
    patch.undo()
    hashes.created.clear()
    report = build_index(killed, progress=False)
    assert sum(hashes.batches) == report.embedded == 17 - 4 * after
    (records, words, vectors), (records_, words_, vectors_) = content(tmp_path / "whole"), content(tmp_path / "killed")
    assert records == records_
    assert words == words_
    assert np.array_equal(vectors, vectors_)


def test_a_stopped_rebuild_and_a_build_do_not_make_two_vectors_of_one_text(tmp_path: Path, hashes: Embedders) -> None:
    source = texts(tmp_path / "t.jsonl", [(f"d{n}", "T", f"Text {n % 9}.") for n in range(18)])
    config = index_config(tmp_path / "ix", source, **hashes.names, batch_size=1)
    build_index(config, progress=False)
    texts(tmp_path / "t.jsonl", [(f"d{n}", "T", f"Text {n % 10}.") for n in range(30)])
    patch = stopping(1)
    with pytest.raises(KeyboardInterrupt):
        build_index(config, progress=False, rebuild=True)
    patch.undo()
    build_index(config, progress=False)  # goes on without --rebuild: the old vectors are kept
    check(tmp_path / "ix")


def test_a_stopped_build_that_goes_on_as_a_rebuild_has_all_vectors(tmp_path: Path, hashes: Embedders) -> None:
    source = texts(tmp_path / "t.jsonl", [(f"d{n}", "T", f"Text {n}.") for n in range(6)])
    config = index_config(tmp_path / "ix", source, **hashes.names, batch_size=1)
    build_index(config, progress=False)
    rows = [(f"e{n}", "T", f"Text {n}.") for n in range(30)]  # the first six take vectors of the current generation
    texts(tmp_path / "t.jsonl", rows)
    patch = stopping(2)
    with pytest.raises(KeyboardInterrupt):
        build_index(config, progress=False)
    patch.undo()
    hashes.created.clear()
    report = build_index(config, progress=False, rebuild=True)
    assert report.counts == {"passage": 30}
    assert report.embedded == sum(hashes.batches) == 30 - 8  # those that were made for this generation are kept
    check(tmp_path / "ix")


def check(path: Path) -> None:
    """That an index is sound, and that each text in it is found once, with the ids of all that say it."""
    assert verify_index(path).problems == ()
    with closing(connect(path / DATABASE)) as database, open_index(path) as index:
        rows = database.execute(
            "SELECT text, id, vector FROM records WHERE added <= :g AND (retired IS NULL OR retired > :g) ORDER BY row",
            {"g": index.generation},
        ).fetchall()
        said: dict[str, list[str]] = {}
        for text, id_, _ in rows:
            said.setdefault(text, []).append(id_)
        assert len({vector for _, _, vector in rows}) == len(said) == index.count("passages")
        found = index.search([Query("passages", unit_vector("q"), 1000)])[0]
        assert sorted([e.id, *(copy.id for copy in e.copies)] for e in found) == sorted(said.values())
        for evidence in found[:5]:
            (best,) = index.search([Query("passages", unit_vector(f"T\n{evidence.text}"), 1)])[0]
            assert (best.id, best.score) == (evidence.id, pytest.approx(1, abs=1e-5))


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence_of_changes_keeps_every_source_and_one_vector_each(
    tmp_path: Path, hashes: Embedders, seed: int
) -> None:
    rng = random.Random(seed)
    path = tmp_path / "ix"
    for _ in range(7):
        ids = rng.sample(range(40), rng.randint(8, 30))
        rows = [(f"d{n}", "T", f"Text {rng.choice((n % 7, n % 5, n))}.") for n in ids]
        licences = {"license": rng.choice(("CC0", "CC BY 4.0"))}
        config = index_config(path, texts(tmp_path / "t.jsonl", rows, **licences), **hashes.names, batch_size=1)
        patch = stopping(rng.randint(0, 3))
        for _ in range(rng.randint(0, 2)):
            try:
                build_index(config, progress=False, rebuild=rng.random() < 0.3)
            except KeyboardInterrupt:
                rng.shuffle(rows)
                texts(tmp_path / "t.jsonl", rows[: rng.randint(5, len(rows))], **licences)
        patch.undo()
        build_index(config, progress=False, rebuild=rng.random() < 0.2)
        check(path)
        with open_index(path) as index:
            some = [e.id for e in index.search([Query("passages", unit_vector("q"), 2)])[0]]
        remove_from_index(path, ids=some)
        check(path)
        if rng.random() < 0.3:
            compact_index(path)
            check(path)


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
    report = build_index(index_config(tmp_path / "ix", source, **hashes.names, batch_size=1), progress=False)
    assert report.embedded == 5
    with open_index(tmp_path / "ix") as index:
        phashes = [e.phash for e in index.examples([f"one{n}" for n in range(5)])]
        alike = sum(phashes.count(phash) > 1 for phash in phashes)
        assert phashes[1] == phashes[2] != phashes[3]
        assert (index.info().folded, index.info().look_alikes) == (0, alike)
        assert len(index.search([Query("images", unit_vector("q"), 9)])[0]) == 5


def test_failures_beyond_those_reported_are_counted_and_written(
    tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexer.run.MOST_FAILURES", 3)
    monkeypatch.setattr("indexer.notes._ROWS_AT_ONCE", 4)
    source = pictures(tmp_path / "one", 12)
    for number in range(9):
        (tmp_path / "one" / "images" / f"{number}.png").write_bytes(b"no image")
    config = index_config(tmp_path / "ix", source, **hashes.names, batch_size=1)
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
    report = build_index(index_config(tmp_path / "ix", source, **hashes.names, batch_size=1), progress=False)
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
