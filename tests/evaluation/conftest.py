"""A small archive of made images, an index of half of it, and who speaks about them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml
from made_archive import KINDS, PLANES, Archive, ColourEmbedder, Engine, Parrot, Seer, speaking
from PIL import Image

from indexer import IndexConfig, build_index


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
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
        build_index(IndexConfig.model_validate(config), progress=False)
    return Archive(folder / "records.jsonl", folder / "index")


@pytest.fixture(autouse=True)
def colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Indexes that these tests open embed by colour."""
    monkeypatch.setattr("indexer.index.create_embedder", lambda *_: ColourEmbedder())


@pytest.fixture
def parrot(monkeypatch: pytest.MonkeyPatch) -> Engine:
    return speaking(monkeypatch, Parrot())


@pytest.fixture
def seer(monkeypatch: pytest.MonkeyPatch) -> Engine:
    return speaking(monkeypatch, Seer())
