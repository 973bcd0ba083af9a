"""Made vectors, texts and queries that every store of `scale_peers.py` is built from and asked with."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scale_made import NOISE, K, Speech

from indexer.types import Vectors

QUERIES, WORDS = 200, 8


def made(folder: Path, centres: Vectors, count: int, speech: Speech | None) -> Path:
    """The inputs of a round (`peers/step.py` says what they are) and `nearest.npy`, the exact answers; made once.

    Passages are of 30 to 90 words, or of the one word "none" where there is no speech.
    """
    if (folder / "nearest.npy").exists():
        return folder
    (folder / "vectors").mkdir(parents=True, exist_ok=True)
    vectors = np.concatenate(list(mixtures(centres, count, seed=1)))
    queries = np.concatenate(list(mixtures(centres, QUERIES, seed=2)))
    np.save(folder / "vectors" / "vectors.npy", vectors)
    np.save(folder / "queries.npy", queries)
    rng = random.Random(0)
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        for number in range(count):
            text = speech.text(rng.randint(30, 90), rng) if speech is not None else "none"
            file.write(json.dumps({"id": f"p{number}", "title": f"Passage {number}", "text": text}) + "\n")
    with (folder / "queries.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(speech.text(WORDS, rng) if speech else "none") + "\n" for _ in queries)
    scores = queries @ vectors.T
    np.save(folder / "nearest.npy", np.argpartition(-scores, K, axis=1)[:, :K])
    return folder


def mixtures(centres: Vectors, count: int, seed: int) -> Iterator[Vectors]:
    """As `scale_made.Mixtures`, drawn in blocks `(n, dim)`."""
    rng = np.random.default_rng(seed)
    for start in range(0, count, 8192):
        n = min(8192, count - start)
        share = rng.uniform(0.3, 1, (n, 1))
        first, second = centres[rng.integers(len(centres), size=(2, n))]
        noise = NOISE / np.sqrt(centres.shape[1]) * rng.normal(size=(n, centres.shape[1]))
        yield unit(share * first + (1 - share) * second + noise)


def unit(vectors: Any) -> Vectors:
    """float32, rows of unit length."""
    rows: Vectors = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)
    return rows


def recall(found: list[list[str]], inputs: Path) -> float:
    """The share of the exact ten nearest of all queries that is among the ids found."""
    nearest = np.load(inputs / "nearest.npy").tolist()
    rows = [{int(id_[1:]) for id_ in ids} for ids in found]
    hits = sum(len(ids.intersection(true)) for ids, true in zip(rows, nearest, strict=True))
    return round(hits / (K * len(nearest)), 4)
