"""Small data and small embedders for the index's tests."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from imaging import LoadedImage
from indexer import Evidence, IndexConfig, Query, Vectors, open_index
from indexer.embedders.config import EmbedderConfig

DIM = 16

_TOKEN = re.compile(r"[^\W_]{1,5}|[^\w\s]|_")


class WordCounter:
    """Obeys the TokenCounter protocol without a model: a token for each five letters begun and for each sign."""

    def __init__(self, max_tokens: int = 254) -> None:
        self.max_tokens = max_tokens
        self.calls = 0

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        self.calls += 1
        return [len(_TOKEN.findall(text)) for text in texts]


class HashEmbedder(WordCounter):
    """Obeys the Embedder protocol without a model: a vector from the hash of what it is given."""

    def __init__(self, name: str, config: EmbedderConfig) -> None:
        super().__init__()
        self.id = f"hash:{name}"
        self.fingerprint = hashlib.sha256(f"{name}{config.folder}".encode()).hexdigest()
        self.revision = self.fingerprint
        self.dim = DIM
        self.batches: list[int] = []

    def load(self) -> object:
        return self

    def embed_images(self, images: Sequence[LoadedImage]) -> Vectors:
        return self._embed([image.sha256 for image in images])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._embed(list(texts))

    def _embed(self, keys: list[str]) -> Vectors:
        self.batches.append(len(keys))
        return np.stack([unit_vector(key) for key in keys])


def unit_vector(key: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).normal(size=DIM)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def write_images(folder: Path, count: int, *, start: int = 0) -> list[dict[str, Any]]:
    """Images of one colour and a record of each; three images an article."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    records = []
    for number in range(start, start + count):
        pixels = np.full((24, 32, 3), (number * 37 % 256, number * 91 % 256, number * 53 % 256), np.uint8)
        pixels[: 1 + number % 20, : 1 + number // 20] = 255
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        record = {"id": f"r{number}", "image": f"images/{number}.png", "caption": f"caption {number}"}
        records.append({**record, "case": f"c{number // 3}", "split": "train", "cells": number})
    return records


def write_jsonl(path: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def folder_config(root: Path, **more: Any) -> dict[str, Any]:
    fields = {"id": "id", "image": "image", "caption": "caption", "article": "case"}
    return {"kind": "folder", "path": str(root), "fields": fields, **more}


def text_config(path: Path, **more: Any) -> dict[str, Any]:
    return {"kind": "jsonl", "path": str(path), **more}


def index_config(out: Path, *sources: Mapping[str, Any], **more: Any) -> IndexConfig:
    return IndexConfig.model_validate({"out": str(out), "sources": list(sources), "batch_size": 4, **more})


def write_config(path: Path, config: IndexConfig) -> Path:
    path.write_text(yaml.safe_dump(config.model_dump(mode="json", exclude_none=True)), encoding="utf-8")
    return path


def write_tiny_clip(folder: Path, seed: int = 0) -> Path:
    """A real open_clip model with random weights: timm's test ResNet and one text layer."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    vision = {"timm_model_name": "test_resnet", "timm_model_pretrained": False, "timm_pool": "avg"}
    config = {
        "embed_dim": 32,
        "vision_cfg": {**vision, "timm_proj": "linear", "image_size": 64},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    torch.manual_seed(seed)
    model = open_clip.CustomTextCLIP(**config)
    folder.mkdir(parents=True)
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3}
    saved = {"model_cfg": {**config, "custom_text": True}, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(saved))
    return folder


def write_tiny_sentences(folder: Path) -> Path:
    """A real sentence-transformers model with random weights and a tokenizer trained on the spot."""
    import torch
    from tokenizers import BertWordPieceTokenizer
    from transformers import BertConfig, BertModel, BertTokenizerFast

    folder.mkdir(parents=True)
    words = BertWordPieceTokenizer()
    words.train_from_iterator(["red cell white cell platelet smear lung liver brain"] * 4, vocab_size=200)
    words.save(str(folder / "tokenizer.json"))
    tokenizer = BertTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), model_max_length=64)
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    shape = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=200, max_position_embeddings=64, **shape)).save_pretrained(folder)
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    listed = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (path, kind) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 24, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return folder


def write_embedder(path: Path, kind: str, folder: Path) -> str:
    path.write_text(yaml.safe_dump({"kind": kind, "folder": str(folder)}), encoding="utf-8")
    return str(path)


def pictures(root: Path, count: int, **more: Any) -> dict[str, Any]:
    """A source of images whose files and captions are the same in every folder; ids and articles are its own."""
    records = write_images(root, count)
    own = [{**r, "id": f"{root.name}{n}", "case": f"{root.name}-case{n}", **more} for n, r in enumerate(records)]
    write_jsonl(root / "records.jsonl", own)
    fields = {"id": "id", "image": "image", "caption": "caption", "article": "case", "license": "license"}
    return folder_config(root, fields=fields if more else {k: v for k, v in fields.items() if k != "license"})


def texts(file: Path, rows: Sequence[tuple[str, str, str]], **more: Any) -> dict[str, Any]:
    """A source of passages from ids, titles and texts."""
    write_jsonl(file, [{"id": i, "title": title, "text": text, **more} for i, title, text in rows])
    fields = {"title": "title", **({"license": "license"} if "license" in more else {})}
    return text_config(file, fields=fields)


def search(path: Path, space: str = "images", k: int = 100, **query: Any) -> list[Evidence]:
    with open_index(path) as index:
        return index.search([Query(space, unit_vector("q"), k, **query)])[0]


def families(found: Sequence[Evidence]) -> dict[str, tuple[str, ...]]:
    """The id of each record that is shown, and the ids of its copies."""
    return {e.id: tuple(copy.id for copy in e.copies) for e in found}
