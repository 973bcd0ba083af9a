"""Look-ups that find what is near an image without its vector: by perceptual hash, by file, by article."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from conftest import Embedders
from index_makers import index_config, pictures, texts
from PIL import Image

import configs
import imaging
from imaging import LoadedImage
from indexer import QueryError, build_index, open_index, remove_from_index
from indexer.hashes import Hashes


def asked(phash: str) -> LoadedImage:
    return LoadedImage("asked", Image.new("RGB", (8, 8)), "", phash)


def test_the_nearest_hashes_come_first_and_none_beyond_the_radius() -> None:
    hashes = Hashes([10, 20, 30, 40], ["0000000000000000", "0000000000000007", "8000000000000000", "ffffffffffffffff"])
    assert hashes.near("0000000000000000", 3, 9) == [10, 30, 20]
    assert hashes.near("0000000000000000", 1, 9) == [10, 30]
    assert hashes.near("0000000000000000", 3, 1) == [10]
    assert hashes.near("ffffffffffffffff", 64, 9)[0] == 40
    assert Hashes([], []).near("0000000000000000", 64, 9) == []


@pytest.fixture
def built(tmp_path: Path, hashes: Embedders) -> Path:
    """Two examples an article at most, passages of an article, and an image that stands in two sources."""
    source = pictures(tmp_path / "one", 6)
    other = pictures(tmp_path / "two", 2)
    articles = texts(tmp_path / "texts.jsonl", [("d1", "T", "Some text."), ("d2", "T", "Other text.")])
    build_index(index_config(tmp_path / "ix", source, other, articles, **hashes.names), progress=False)
    return tmp_path / "ix"


def test_examples_come_by_their_hashes_of_the_generation_that_is_read(built: Path) -> None:
    image = imaging.load(built.parent / "one" / "images" / "3.png")
    with open_index(built) as index:
        ((first, *_), none) = index.near_hashes([image, asked("")], 0, 9)
        assert first.phash == image.phash
        assert none == []
        assert index.near_hashes([], 10, 4) == []
        flipped = asked(f"{int(image.phash, 16) ^ 0b101:016x}")
        assert "one3" not in {e.id for e in index.near_hashes([flipped], 1, 99)[0]}
        assert "one3" in {e.id for e in index.near_hashes([flipped], 2, 99)[0]}
    remove_from_index(built, sources=["one"])
    with open_index(built) as index:
        assert all(e.source == "two" for e in index.near_hashes([image], 64, 99)[0])


def test_a_file_is_found_in_every_source_that_has_it(built: Path) -> None:
    image = imaging.load(built.parent / "one" / "images" / "1.png")
    with open_index(built) as index:
        assert {e.id for e in index.same_files([image.sha256, ""])} == {"one1", "two1"}
        assert len(index.rows_with("image_sha256", [image.sha256])) == 2
        assert len(index.rows_with("article", ["one-case1", "two-case1"])) == 2
        assert len(index.rows_with("source_id", ["d1"])) == 1
        assert len(index.rows_with("id", ["one1", "nothing", ""])) == 1
        assert index.rows_with("article", []) == set()


def test_near_duplicate_is_the_embedders_figure(
    tmp_path: Path, hashes: Embedders, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(hashes.names["image_embedder"])
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "near_duplicate": 0.9}))
    source, words = pictures(tmp_path / "one", 2), texts(tmp_path / "texts.jsonl", [("d1", "T", "Some text.")])
    build_index(index_config(tmp_path / "ix", source, words, **hashes.names), progress=False)
    with open_index(tmp_path / "ix") as index:
        assert index.near_duplicate("images") == 0.9
        assert index.near_duplicate("passages") is None
        with pytest.raises(QueryError, match="no space 'sounds'"):
            index.near_duplicate("sounds")
    # What configs/embedders/ says goes before what the index was built with.
    with open_index(tmp_path / "ix") as index:
        (tmp_path / "embedders").mkdir()
        named = tmp_path / "embedders" / file.name
        named.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "near_duplicate": 0.8}))
        monkeypatch.setattr(configs, "ROOT", tmp_path)
        assert index.near_duplicate("images") == 0.8
