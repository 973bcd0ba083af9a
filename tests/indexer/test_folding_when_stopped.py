"""However a build is stopped and goes on, records that say the same end with one vector, the same one."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Embedders
from index_makers import (
    HashEmbedder,
    index_config,
    texts,
    unit_vector,
)

from indexer import (
    Query,
    build_index,
    compact_index,
    open_index,
    remove_from_index,
    verify_index,
)
from indexer.database import connect
from indexer.manifest import DATABASE


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
        index_config(tmp_path / name, source, batch_size=1, **hashes.names) for name in ("whole", "killed")
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
    config = index_config(tmp_path / "ix", source, batch_size=1, **hashes.names)
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
    config = index_config(tmp_path / "ix", source, batch_size=1, **hashes.names)
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
        config = index_config(path, texts(tmp_path / "t.jsonl", rows, **licences), batch_size=1, **hashes.names)
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
