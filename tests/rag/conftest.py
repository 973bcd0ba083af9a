"""A real pipeline over the starter index with the embedded model, opened once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pytest

from imaging import LoadedImage
from indexer.types import Embedder, Evidence, Example, Vectors
from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.types import Request
from vlm.types import Engine, Generation, GenerationParams, Prompt


@pytest.fixture(scope="session")
def open_with() -> Callable[..., Pipeline]:
    """Opens a pipeline for captions and questions, with settings overridden by dotted keys."""

    def opener(*assignments: str) -> Pipeline:
        tasks = [Request("a", ("a",)), Request("b", ("b",), "ask", "Why?")]
        return open_pipeline(resolve(assignments=assignments), tasks)

    return opener


@pytest.fixture(scope="session")
def pipeline(open_with: Callable[..., Pipeline]) -> Pipeline:
    return open_with("prompt.template=few_shot_passages")


def numbered(*texts: str) -> list[Evidence]:
    """Captions as evidence in a prompt, the nearest first."""
    return [
        Evidence(Example(f"e{n}", text, "test"), score=0.5, rank=n, number=n) for n, text in enumerate(texts, start=1)
    ]


class CountingEngine:
    """Passes everything on, and keeps the size of each batch it was given."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.batches: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._engine, name)

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:
        self.batches.append(len(prompts))
        return self._engine.generate(prompts, params)


class CountingEmbedder:
    """Passes everything on, and keeps the size of each batch of images and of texts."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self.images: list[int] = []
        self.texts: list[int] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._embedder, name)

    def embed_images(self, images: Sequence[LoadedImage]) -> Vectors:
        self.images.append(len(images))
        return self._embedder.embed_images(images)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        self.texts.append(len(texts))
        return self._embedder.embed_texts(texts)
