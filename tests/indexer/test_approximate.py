"""Spaces too large to be compared one by one: what their lists miss is measured, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest

from indexer import IndexCorruptError, Query, open_index, verify_index
from indexer.approximate import TARGET_RECALL, ListFile
from indexer.types import Rows, Vectors
from indexer.vectors import VectorFile

COUNT, DIM = 6_000, 24


def clustered(count: int, seed: int) -> Vectors:
    """Unit vectors around 60 centres, float32 `(count, DIM)`."""
    centres = np.random.default_rng(0).normal(size=(60, DIM))
    rng = np.random.default_rng(seed)
    made = centres[rng.integers(0, 60, count)] + 0.5 * rng.normal(size=(count, DIM))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[VectorFile, VectorFile, float]:
    """The same vectors searched exactly and by lists, and the recall that was measured of the lists."""
    folder = tmp_path_factory.mktemp("lists")
    exact = VectorFile.write(folder / "v.faiss", DIM, [(np.arange(COUNT) * 3 + 1, clustered(COUNT, 1))])
    about = exact.write_lists(folder / "v.lists")
    assert about.probes < about.lists
    return exact, VectorFile.read(folder / "v.faiss", ListFile.read(folder / "v.lists", about)), about.recall_at_10


def rows_of(found: list[tuple[Rows, np.ndarray]]) -> list[list[int]]:  # type: ignore[type-arg]
    return [rows[:10].tolist() for rows, _ in found]


def test_the_measured_recall_holds_for_queries_it_has_not_seen(pair: tuple[VectorFile, VectorFile, float]) -> None:
    exact, listed, measured = pair
    queries = clustered(200, 2)
    truth, found = (rows_of(space.nearest(queries, [10] * 200)) for space in (exact, listed))
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(truth, found, strict=True)])
    assert measured >= TARGET_RECALL
    assert recall >= measured - 0.03


def test_scores_are_exact_and_in_order(pair: tuple[VectorFile, VectorFile, float]) -> None:
    exact, listed, _ = pair
    query = clustered(1, 3)
    rows, scores = listed.nearest(query, [10])[0]
    assert np.array_equal(scores, exact.scores(query[0], rows))
    assert np.all(np.diff(scores) <= 0)


def test_a_narrow_filter_is_searched_exactly(pair: tuple[VectorFile, VectorFile, float]) -> None:
    exact, listed, _ = pair
    among = exact.rows()[::7]
    queries = clustered(20, 4)
    assert rows_of(listed.nearest(queries, [10] * 20, among)) == rows_of(exact.nearest(queries, [10] * 20, among))


def test_a_wide_filter_goes_by_lists_and_holds(
    pair: tuple[VectorFile, VectorFile, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, listed, _ = pair
    monkeypatch.setattr("indexer.vectors.EXACT_AMONG", 10)
    among = listed.rows()[::2]
    for rows, _ in listed.nearest(clustered(20, 5), [10] * 20, among):
        assert len(rows) >= 10
        assert set(rows.tolist()) <= set(among.tolist())


def test_an_index_over_the_limit_has_lists_and_says_so(big_index: Path) -> None:
    with open_index(big_index) as index:
        space = index.info().spaces[0]
        assert "lists, recall@10" in space.search
        assert index.manifest.spaces["passages"].approximate is not None
    assert verify_index(big_index, embed=False).ok
    lists = next(big_index.glob("*.lists"))
    lists.write_bytes(lists.read_bytes()[:-9] + b"\x55" + lists.read_bytes()[-8:])
    assert any("SHA-256" in problem for problem in verify_index(big_index, embed=False).problems)
    lists.unlink()
    with open_index(big_index) as index, pytest.raises(IndexCorruptError, match=r"lists: missing or damaged"):
        index.search([Query("passages", np.eye(1, 16, dtype=np.float32)[0], 3)])


@pytest.fixture
def big_index(tmp_path: Path, hashes: object) -> Path:
    """An index of 300 texts whose configuration allows 100 to be searched exactly."""
    from index_makers import index_config, text_config, write_jsonl

    from indexer import build_index

    texts = write_jsonl(tmp_path / "t.jsonl", [{"id": f"t{n}", "text": f"Text number {n}."} for n in range(300)])
    config = index_config(tmp_path / "ix", text_config(texts), exact_up_to=100, **hashes.names)  # type: ignore[attr-defined]
    build_index(config, progress=False)
    return tmp_path / "ix"


def test_lists_are_the_same_for_the_same_vectors(tmp_path: Path) -> None:
    made = []
    for number in range(2):
        exact = VectorFile.write(tmp_path / f"{number}.faiss", DIM, [(np.arange(2_000), clustered(2_000, 1))])
        made.append(exact.write_lists(tmp_path / f"{number}.lists").sha256)
    assert made[0] == made[1]
    index = faiss.read_index(str(tmp_path / "0.lists"))
    assert index.ntotal == 2_000
