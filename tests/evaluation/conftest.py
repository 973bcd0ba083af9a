"""A small archive of made images, an index of half of it, and engines that obey the protocol without a model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from imaging import LoadedImage
from indexer import IndexConfig, Vectors, build_index
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


class Engine:
    """Says of each prompt what `answer` makes of it; `asked` counts prompts."""

    model, adapter, max_images, fingerprint = "made", None, None, "f" * 64

    def __init__(self) -> None:
        self.asked = 0

    def answer(self, prompt: Prompt) -> str:
        raise NotImplementedError

    def load(self) -> object:
        return self

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def generate(self, prompts: Sequence[Prompt], _: GenerationParams) -> Iterator[tuple[int, Generation]]:
        for place, prompt in enumerate(prompts):
            self.asked += 1
            yield place, Generation(self.answer(prompt), 10, 5, "end", 0.0, -0.5)

    def stream(self, prompt: Prompt, params: GenerationParams) -> Iterator[str | Generation]:
        yield from (generation for _, generation in self.generate([prompt], params))

    def score(
        self, prompts: Sequence[Prompt], labels: Sequence[str], one_pass: bool = False
    ) -> Iterator[tuple[int, LabelScores]]:
        raise NotImplementedError

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


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """40 images of 20 articles, the first 24 indexed; red says the kind, green the plane."""
    folder = tmp_path_factory.mktemp("archive")
    lines = []
    for number in range(40):
        kind, plane = number % 2, number // 2 % 2
        rng = np.random.default_rng(number)
        # Blocks of other shades, so that no two images have the same perceptual hash.
        shades = np.kron(rng.integers(-30, 31, (8, 8, 1)), np.ones((8, 8, 1)))
        colour = np.asarray([40 + 160 * (1 - kind), 40 + 160 * (1 - plane), 3 * (number % 8)])
        pixels = np.clip(shades + colour, 0, 255)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
        record = {"id": f"r{number}", "image": f"{number}.png", "case": f"case {number // 2}", "kind": KINDS[kind]}
        caption = f"{PLANES[plane]} {KINDS[kind]} of the chest, patient {number}."
        split = "train" if number < 24 else "dev"
        lines.append(json.dumps({**record, "plane": PLANES[plane], "caption": caption, "split": split}))
    (folder / "records.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    embedder = folder / "colour.yaml"
    embedder.write_text(yaml.safe_dump({"kind": "open_clip", "folder": str(folder)}), encoding="utf-8")
    source = {"kind": "folder", "path": str(folder), "where": {"split": "train"}}
    fields = {"id": "id", "image": "image", "caption": "caption", "article": "case"}
    config = {"out": str(folder / "index"), "image_embedder": str(embedder), "sources": [{**source, "fields": fields}]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexer.publish.create_embedder", lambda *_: ColourEmbedder())
        patch.setattr("indexer.index.create_embedder", lambda *_: ColourEmbedder())
        build_index(IndexConfig.model_validate(config), progress=False)
        yield Archive(folder / "records.jsonl", folder / "index")


def speaking(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Engine:
    """Lets pipelines that are opened speak by this engine."""
    monkeypatch.setattr("rag.opening.open_engine", lambda *_: engine)
    return engine


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Engine:
    return speaking(monkeypatch, Parrot())


@pytest.fixture
def seer(monkeypatch: pytest.MonkeyPatch) -> Engine:
    return speaking(monkeypatch, Seer())
