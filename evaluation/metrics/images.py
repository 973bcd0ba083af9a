"""How well a text fits its image, by an encoder of both: needs no reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked, Mean, Texts
from evaluation.metrics.scored import Recipe
from evaluation.statistics.intervals import Numbers
from imaging import ImageError, LoadedImage, load
from indexer import Embedder, Vectors, load_embedder, open_index

WEIGHT = 2.5
_CHUNK = 64


class ImageText(Mean):
    """2.5 * max(cos(image, text), 0), as CLIPScore has it (Hessel et al. 2021), with the encoder of the index.

    The figure belongs to its encoder, and is no CLIPScore of another one. A text that is empty has 0; an image that
    cannot be read, NaN.
    """

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:
        name = config.clipscore.embedder or asked.embedder
        if name is None:
            raise MissingMetricError("name the encoder: --with clipscore.embedder=pocket-clip, or an index: --index")
        if not any(asked.images):
            raise MissingMetricError("there are no images: references with a field `image` have them")
        self._embedder = _embedder(name)
        self._images = asked.images
        self.recipes = {
            "clipscore": Recipe(
                title="image-text",
                text=f"2.5 * max(cos, 0) with {self._embedder.id}@{self._embedder.fingerprint[:8]}, text as it stands",
                version=f"{self._embedder.id}@{self._embedder.fingerprint[:8]}",
                source="Hessel et al. 2021, arXiv:2104.08718",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        images = self._vectors()
        return [{"clipscore": self._score(images, texts)} for texts in variants]

    def _score(self, images: Numbers, texts: Texts) -> Numbers:
        distinct = {text: place for place, text in enumerate(dict.fromkeys(texts))}
        vectors = np.asarray(self._embedder.embed_texts(list(distinct)), dtype=np.float64)
        cosines = (images * vectors[[distinct[text] for text in texts]]).sum(axis=1)
        said = np.asarray([bool(text.strip()) for text in texts])
        return np.where(said | np.isnan(cosines), WEIGHT * np.maximum(cosines, 0), 0.0)

    def _vectors(self) -> Numbers:
        """Unit vectors of the images `(n, dim)`, NaN where one cannot be read."""
        rows = np.full((len(self._images), self._embedder.dim), np.nan)
        for start in range(0, len(self._images), _CHUNK):
            loaded: dict[int, LoadedImage] = {}
            for place, image in enumerate(self._images[start : start + _CHUNK], start):
                if image is not None:
                    try:
                        loaded[place] = load(image)
                    except ImageError:
                        continue  # it stays NaN: there is nothing to judge
            if loaded:
                vectors: Vectors = self._embedder.embed_images(list(loaded.values()))
                rows[list(loaded)] = vectors
        return rows


def _embedder(name: str) -> Embedder:
    """That of an index's images, where `name` is a folder; else one of configs/embedders."""
    if Path(name).is_dir():
        return open_index(name).embedder_for("images")
    return load_embedder(name)
