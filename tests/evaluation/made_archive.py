"""What tests of measuring are made with: an embedder of colours, and engines that obey the protocol without a model."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from imaging import LoadedImage
from indexer import Vectors
from vlm.types import Generation, GenerationParams, LabelScores, Prompt

KINDS, PLANES = ("CT", "MR"), ("Axial", "Coronal")


class ColourEmbedder:
    """Obeys the Embedder protocol without a model: images of like colours are near each other."""

    id, revision, fingerprint, dim, max_tokens = "colour", "1", "c" * 64, 3, 256

    def load(self) -> object:
        return self

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_images(self, images: Sequence[LoadedImage]) -> Vectors:
        rows = np.stack([image.pixels.mean(axis=(0, 1)) - (120, 120, 0) for image in images])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.tile(np.float32([1, 0, 0]), (len(texts), 1))


class Engine(ABC):
    """Says of each prompt what `answer` makes of it; `asked` counts prompts, `loads` how often it was loaded anew."""

    model, adapter, max_images, fingerprint = "made", None, None, "f" * 64

    def __init__(self) -> None:
        self.asked = self.loads = 0
        self.loaded = False

    @abstractmethod
    def answer(self, prompt: Prompt) -> str: ...

    def load(self) -> object:
        self.loads += not self.loaded
        self.loaded = True
        return self

    def unload(self) -> None:
        self.loaded = False

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def generate(self, prompts: Sequence[Prompt], _: GenerationParams) -> Iterator[tuple[int, Generation]]:
        for place, prompt in enumerate(prompts):
            self.asked += 1
            yield place, Generation(self.answer(prompt), 10, 5, "end", 0.0, -0.5)

    def stream(self, prompt: Prompt, params: GenerationParams) -> Generator[str | Generation, None, None]:
        yield from (generation for _, generation in self.generate([prompt], params))

    def score(
        self, prompts: Sequence[Prompt], labels: Sequence[str], one_pass: bool = False
    ) -> Iterator[tuple[int, LabelScores]]:
        raise AssertionError(f"no test asks these engines {len(prompts)} questions of {labels}, {one_pass=}")

    def logprob(self, prompts: Sequence[Prompt], text: str, begun: str = "") -> Iterator[tuple[int, float]]:
        raise AssertionError(f"no test asks these engines how likely {begun + text!r} is after {len(prompts)} prompts")

    def told_apart_at_once(self, _: Sequence[str]) -> bool:
        return False


class Parrot(Engine):
    """Repeats the first caption of its evidence, and says nothing of use without one."""

    def answer(self, prompt: Prompt) -> str:
        text = " ".join(part for message in prompt.messages for part in message.parts if isinstance(part, str))
        found = re.search(r"\[1\] ([^\n]*)", text)
        return found[1] if found else "An image."


class Seer(Engine):
    """Says what the image shows, whatever the evidence."""

    def answer(self, prompt: Prompt) -> str:
        red, green, _ = prompt.images[0].pixels.mean(axis=(0, 1))
        return f"{PLANES[int(green < 128)]} {KINDS[int(red < 128)]} image."


@dataclass(frozen=True)
class Archive:
    """Where the records and the index are."""

    records: Path
    index: Path


def speaking(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Engine:
    """Lets pipelines that are opened speak by this engine."""
    monkeypatch.setattr("rag.opening.open_engine", lambda *_: engine)
    return engine
