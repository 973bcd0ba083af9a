"""Embedders for the index's tests: real tiny models where a model matters, hashes where it does not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from index_makers import HashEmbedder, write_embedder, write_tiny_clip, write_tiny_sentences


@dataclass
class Embedders:
    """Names of embedders that are hashes, and those that were created, in order."""

    names: dict[str, str]
    created: list[HashEmbedder]

    @property
    def batches(self) -> list[int]:
        return [size for embedder in self.created for size in embedder.batches]


@pytest.fixture
def hashes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Embedders:
    created: list[HashEmbedder] = []

    def create(name: str, config: object) -> HashEmbedder:
        created.append(HashEmbedder(name, config))  # type: ignore[arg-type]
        return created[-1]

    monkeypatch.setattr("indexer.publish.create_embedder", create)
    monkeypatch.setattr("indexer.index.create_embedder", create)
    names = {
        "image_embedder": write_embedder(tmp_path / "hash-images.yaml", "open_clip", tmp_path),
        "text_embedder": write_embedder(tmp_path / "hash-texts.yaml", "sentence_transformers", tmp_path),
    }
    return Embedders(names, created)


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_clip(tmp_path_factory.mktemp("clip") / "tiny-clip")


@pytest.fixture(scope="session")
def tiny_sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_sentences(tmp_path_factory.mktemp("sentences") / "tiny-sentences")
