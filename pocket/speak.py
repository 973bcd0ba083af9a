"""The two saved models at work, without the rest of the house: embed images, find neighbours, write captions.

For measuring and for tests; the house itself goes through `indexer` and `vlm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import open_clip  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor

from imaging.types import Pixels
from pocket.dialogue import house_prompt
from pocket.tokenizer import IMAGE
from pocket.trunk import TOKENS


@dataclass(frozen=True, eq=False)
class Encoder:
    """The encoder as open_clip loads it."""

    model: Any
    preprocess: Any
    tokenizer: Any

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
        return cls(model.eval(), preprocess, open_clip.get_tokenizer(f"local-dir:{folder}"))

    @torch.inference_mode()
    def images(self, pictures: Sequence[Pixels], batch: int = 32) -> NDArray[np.float32]:
        """float32 `(n, dim)`, rows of unit length."""
        parts = []
        for start in range(0, len(pictures), batch):
            shown = [self.preprocess(Image.fromarray(p)) for p in pictures[start : start + batch]]
            parts.append(self.model.encode_image(torch.stack(shown), normalize=True).float().numpy())
        return np.concatenate(parts)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """float32 `(n, dim)`, rows of unit length."""
        made: NDArray[np.float32] = self.model.encode_text(self.tokenizer(list(texts)), normalize=True).float().numpy()
        return made


@dataclass(frozen=True, eq=False)
class Speaker:
    """The generator as the Auto classes load it, in fp32."""

    model: Any
    processor: Any

    @classmethod
    def load(cls, folder: Path) -> Speaker:
        model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32)
        return cls(model.eval(), AutoProcessor.from_pretrained(folder))

    @torch.inference_mode()
    def say(
        self,
        pictures: Sequence[Pixels],
        evidence: Sequence[Sequence[str]] | None = None,
        questions: Sequence[str] | None = None,
        batch: int = 16,
    ) -> list[str]:
        """A caption, or the answer to its question, for each picture, by greedy decoding of the house's prompts."""
        said: list[str] = []
        for start in range(0, len(pictures), batch):
            part = range(start, min(start + batch, len(pictures)))
            prompts = [
                house_prompt(list(evidence[i]) if evidence else [], questions[i] if questions else "") for i in part
            ]
            texts = [prompt.replace(IMAGE * TOKENS, IMAGE) for prompt in prompts]
            shown = [Image.fromarray(pictures[i]) for i in part]
            inputs = self.processor(text=texts, images=shown, padding=True, return_tensors="pt")
            made = self.model.generate(**inputs, max_new_tokens=48, do_sample=False)
            new = made[:, inputs["input_ids"].shape[1] :]
            said += [text.strip() for text in self.processor.batch_decode(new, skip_special_tokens=True)]
        return said


def neighbours(
    queries: NDArray[np.float32], index: NDArray[np.float32], captions: Sequence[str], k: int = 3
) -> list[list[str]]:
    """The captions of the `k` nearest rows of the index, for each query."""
    scores = queries @ index.T
    return [[captions[i] for i in np.argsort(-row)[:k]] for row in scores]
