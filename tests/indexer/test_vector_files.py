"""Vectors on the disk: as FAISS writes them, and an error where they do not fit."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from indexer.faiss_files import write_durably, write_exact


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which is always full")
@pytest.mark.parametrize("vectors", [3, 20_000])
def test_a_disk_that_fills_up_under_faiss_is_noticed(vectors: int) -> None:
    import faiss

    index = faiss.IndexFlatIP(16)
    index.add(np.ones((vectors, 16), np.float32))
    with pytest.raises(OSError, match="No space left"):
        write_durably(index, Path("/dev/full"))


def test_a_file_is_as_faiss_writes_it(tmp_path: Path) -> None:
    import faiss

    index = faiss.IndexIDMap2(faiss.IndexFlatIP(16))
    index.add_with_ids(np.random.default_rng(0).normal(size=(5_000, 16)).astype(np.float32), np.arange(5_000))
    write_durably(index, tmp_path / "ours")
    faiss.write_index(index, str(tmp_path / "theirs"))
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.parametrize("parts", [[], [0, 0], [0, 5_000], [0, 1, 1, 4_999, 5_000]])
def test_vectors_written_in_parts_are_as_faiss_writes_them(tmp_path: Path, parts: list[int]) -> None:
    import faiss

    vectors = np.random.default_rng(0).normal(size=(5_000, 16)).astype(np.float32)
    rows = np.arange(5_000) * 7 + 3
    index = faiss.IndexIDMap2(faiss.IndexFlatIP(16))
    cuts = [slice(*ends) for ends in pairwise(parts)]
    for part in cuts:
        index.add_with_ids(vectors[part], rows[part])
    faiss.write_index(index, str(tmp_path / "theirs"))
    write_exact(tmp_path / "ours", 16, [(rows[part], vectors[part]) for part in cuts])
    assert (tmp_path / "ours").read_bytes() == (tmp_path / "theirs").read_bytes()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which is always full")
@pytest.mark.parametrize("count", [3, 20_000])
def test_a_disk_that_fills_up_under_vectors_is_noticed(count: int) -> None:
    with pytest.raises(OSError, match="No space left"):
        write_exact(Path("/dev/full"), 16, [(np.arange(count), np.ones((count, 16), np.float32))])
