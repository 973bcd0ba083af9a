"""Passages in the images' space: made where the configuration asks for it, kept as they are, told apart in counts."""

from pathlib import Path

import pytest
from conftest import Embedders
from index_makers import index_config, pictures, text_config, texts, write_jsonl

from indexer import Query, add_to_index, build_index, open_index, remove_from_index, verify_index
from indexer.types import Passage

ROWS = [(f"t{n}", f"title {n}", f"text {n}") for n in range(5)]


@pytest.fixture
def built(tmp_path: Path, hashes: Embedders) -> Path:
    out = tmp_path / "index"
    sources = [pictures(tmp_path / "p", 3), texts(tmp_path / "t.jsonl", ROWS)]
    build_index(index_config(out, *sources, passages_by_image=True, **hashes.names))
    return out


def test_an_image_finds_passages_in_its_own_space(built: Path, hashes: Embedders) -> None:
    embedder = next(each for each in hashes.created if "images" in each.id)
    with open_index(built) as index:
        assert index.spaces == {"images", "passages", "passages_by_image"}
        vector = embedder.embed_texts(["title 3\ntext 3"])[0]
        (found,) = index.search([Query("passages_by_image", vector, 2)])
        assert isinstance(found[0].record, Passage)
        assert (found[0].id, round(found[0].score, 4)) == ("t3#0", 1.0)
        assert len(index) == 8
        assert index.info().folded == 0
        assert (index.vectors("passages_by_image", ["t3#0"]) == vector).all()
    assert verify_index(built).ok


def test_only_new_passages_are_embedded_again(built: Path, tmp_path: Path, hashes: Embedders) -> None:
    added = write_jsonl(tmp_path / "more.jsonl", [{"id": "new", "text": "new text"}])
    before = len(hashes.batches)
    add_to_index(built, index_config(tmp_path / "other", text_config(added), **hashes.names))
    assert hashes.batches[before:] == [1, 1]  # once for each of the spaces of passages
    with open_index(built) as index:
        assert index.count("passages_by_image") == 6
    remove_from_index(built, ids=["t1"])
    with open_index(built) as index:
        assert index.count("passages_by_image") == 5
    assert verify_index(built).ok


def test_an_index_that_has_none_gets_them_by_its_configuration(tmp_path: Path, hashes: Embedders) -> None:
    out = tmp_path / "index"
    source = texts(tmp_path / "t.jsonl", ROWS)
    build_index(index_config(out, source, **hashes.names))
    with open_index(out) as index:
        assert index.spaces == {"passages"}
    build_index(index_config(out, source, passages_by_image=True, **hashes.names))
    with open_index(out) as index:
        assert index.count("passages_by_image") == 5
    generation = index.generation
    build_index(index_config(out, source, passages_by_image=True, **hashes.names))
    with open_index(out) as index:
        assert index.generation == generation
