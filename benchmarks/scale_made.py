"""What the large indexes of `index_scale` are made of: vectors by number, texts by the frequency of their words.

A vector is a mixture of two real MiniLM vectors of the texts in `../shared/data/text`, with noise; a text is drawn from
their words as often as they stand there. Embedders of the project are stood in for by ones that look such vectors up,
so that what is timed is the index and not a model.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any
from unittest import mock

import machine  # noqa: F401 - puts the root on the path
import numpy as np

from imaging import LoadedImage
from indexer import Vectors, load_embedder
from indexer.embedders.config import EmbedderConfig

REAL, NOISE = 1_500, 0.6
K = 10


@dataclass(frozen=True)
class Mixtures:
    """Unit vectors by number: two of the real vectors, weighed at random, and Gaussian noise of length `NOISE`."""

    real: Vectors

    @property
    def dim(self) -> int:
        return int(self.real.shape[1])

    def vector(self, number: int) -> Vectors:
        """float32 `(dim,)`."""
        rng = np.random.default_rng(number)
        first, second = self.real[rng.integers(len(self.real), size=2)]
        share = rng.uniform(0.3, 1)
        made = share * first + (1 - share) * second + NOISE / np.sqrt(self.dim) * rng.normal(size=self.dim)
        unit: Vectors = (made / np.linalg.norm(made)).astype(np.float32)
        return unit

    def vectors(self, numbers: Sequence[int]) -> Vectors:
        """float32 `(n, dim)`."""
        return np.stack([self.vector(number) for number in numbers])


def mixtures(data: Path, work: Path) -> Mixtures:
    """Of `REAL` texts spread over all there are, embedded once by MiniLM, 384-d."""
    file = work / "real.npy"
    if not file.exists():
        texts = list(real_texts(data / "text"))
        chosen = texts[:: max(1, len(texts) // REAL)][:REAL]
        np.save(file, load_embedder("minilm").embed_texts([text[:600] for text in chosen]))
    return Mixtures(np.load(file))


def wider(narrow: Mixtures, dim: int) -> Mixtures:
    """The same in more dimensions: the real vectors turned at random, their angles as they were."""
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(dim, narrow.dim)))
    return Mixtures((narrow.real @ turned.T).astype(np.float32))


def real_texts(folder: Path) -> Iterator[str]:
    """The abstracts, answers and captions of the shared data."""
    for name, key in (("pubmed_abstracts", "abstract"), ("medquad", "text"), ("roco_captions", "caption")):
        with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
            yield from filter(None, (json.loads(line).get(key) for line in lines))


@dataclass(frozen=True)
class Speech:
    """Words, and how often those up to each of them stand in the real texts."""

    words: list[str]
    up_to: list[int]

    @classmethod
    def of(cls, texts: Iterator[str]) -> Speech:
        found = Counter(word for text in texts for word in text.split())
        return cls(list(found), list(accumulate(found.values())))

    def text(self, length: int, rng: random.Random) -> str:
        return " ".join(rng.choices(self.words, cum_weights=self.up_to, k=length))


class LookedUp:
    """Obeys the Embedder protocol: vectors by the number at the end of a passage's title or in an image's pixels."""

    max_tokens = 256

    def __init__(self, made: Mixtures) -> None:
        self._made = made
        self.id, self.revision, self.dim = "mixtures", "1", made.dim
        self.fingerprint = hashlib.sha256(made.real.tobytes()).hexdigest()

    def load(self) -> object:
        return self

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_images(self, images: Sequence[LoadedImage]) -> Vectors:
        return self._made.vectors([number_of(image.pixels) for image in images])

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return self._made.vectors([int(text.partition("\n")[0].split()[-1]) for text in texts])


def pixels_of(number: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """An image `(8, 8, 3)` that a number can be read from."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[0, 0] = [number >> 16 & 255, number >> 8 & 255, number & 255]
    return pixels


def number_of(pixels: np.ndarray[Any, np.dtype[np.uint8]]) -> int:
    """The number in an image of `pixels_of`."""
    high, middle, low = (int(value) for value in pixels[0, 0])
    return high << 16 | middle << 8 | low


def looked_up(made: Mixtures) -> Any:
    """Puts the look-up in the place of the embedders while an index is built."""

    def create(_name: str, _config: EmbedderConfig) -> LookedUp:
        return LookedUp(made)

    return mock.patch.multiple("indexer.publish", create_embedder=create)


def timed(search: Callable[[Any], object], asked: Sequence[Any]) -> dict[str, float]:
    """Milliseconds that one search takes."""
    seconds = []
    for query in asked:
        start = perf_counter()
        search(query)
        seconds.append((perf_counter() - start) * 1e3)
    return {"p50": round(median(seconds), 3), "p95": round(float(np.percentile(seconds, 95)), 3)}
