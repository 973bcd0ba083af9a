"""The two saved models at work, through the house: embed images and texts, write captions and answers.

For measuring and for tests, where captions of evidence are given and not retrieved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from imaging import LoadedImage, Pixels
from indexer import Embedder, Evidence, Example, load_embedder
from indexer.embedders.config import OpenClipConfig
from rag.prompts import PromptInputs, PromptTemplate
from vlm import Engine, GenerationParams, Prompt, load_model_config, open_engine

GREEDY = GenerationParams(max_new_tokens=48)
_BATCH = 16


@dataclass(frozen=True, eq=False)
class Encoder:
    """The encoder of a folder."""

    embedder: Embedder

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        return cls(load_embedder(OpenClipConfig(kind="open_clip", folder=str(folder.absolute()))))

    def images(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """float32 `(n, dim)`, rows of unit length."""
        return self.embedder.embed_images([_loaded(picture) for picture in pictures])

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 `(n, dim)`, rows of unit length."""
        return self.embedder.embed_texts(texts)


@dataclass(frozen=True, eq=False)
class Speaker:
    """The generator of a folder, used as `configs/models/pocket.yaml` says."""

    engine: Engine

    @classmethod
    def load(cls, folder: Path) -> Speaker:
        return cls(open_engine(load_model_config("pocket", path=folder), batch_size=_BATCH))

    def say(
        self,
        pictures: Sequence[Pixels],
        evidence: Sequence[Sequence[str]] | None = None,
        questions: Sequence[str] | None = None,
    ) -> list[str]:
        """A caption, or the answer to its question, for each picture, by greedy decoding of the house's prompts."""
        prompts = [
            _prompt(picture, evidence[i] if evidence else [], questions[i] if questions else "")
            for i, picture in enumerate(pictures)
        ]
        said = dict(self.engine.generate(prompts, GREEDY))
        return [said[position].text for position in range(len(prompts))]

    def sure_of(self, question: str, pictures: Sequence[Pixels], answers: Sequence[str]) -> list[float]:
        """The probability of the first of the answers to a question, for each picture."""
        prompts = [_prompt(picture, [], question) for picture in pictures]
        scored = dict(self.engine.score(prompts, answers))
        return [scored[position].probabilities[0] for position in range(len(prompts))]

    def chance_of(self, caption: str, pictures: Sequence[Pixels]) -> list[float]:
        """How likely the model is to give this caption of each picture, 0 to 1; and "No.", which is no caption."""
        scored = dict(self.engine.score([_prompt(picture, [], "") for picture in pictures], (caption, "No.")))
        return [scored[position].mass for position in range(len(pictures))]


def _prompt(picture: Pixels, captions: Sequence[str], question: str) -> Prompt:
    name = "question" if question else "few_shot" if captions else "zero_shot"
    shown = tuple(Evidence(Example(str(n), text, "given"), 1.0, n) for n, text in enumerate(captions, start=1))
    return PromptTemplate.load(name).render(PromptInputs((_loaded(picture),), shown, question))[0]


def _loaded(picture: Pixels) -> LoadedImage:
    return LoadedImage("picture", Image.fromarray(picture), sha256="", phash="")
