"""Tiny models to be trained, and lessons for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from finetune.config import FinetuneConfig
from finetune.encode import Encoder
from finetune.lesson import Lesson
from tests.vlm import tiny
from tests.vlm.conftest import asked, config_of, folder_of, picture
from vlm import ModelConfig, Prompt
from vlm.families import Family
from vlm.loading import load

__all__ = ["config_of", "folder_of"]


@dataclass(frozen=True)
class Learner:
    """A tiny model, and what makes batches for it."""

    kind: str
    family: Family
    model: Any
    encoder: Encoder
    tokenizer: Any
    stop_ids: tuple[int, ...]

    def lessons(self) -> list[Lesson]:
        """Prompts and answers of different lengths; where the family reads several images, 0, 1 and 2 of them."""
        numbers = (2, 0, 1) if self.kind in tiny.MANY_IMAGES else (1, 1, 1)
        texts = ("Compare.", "Is this a chest radiograph of the right lobe?", "Describe.")
        answers = ("Two red cells.", "No", " A large mass in the right frontal lobe of the brain.\n")
        return [
            Lesson(f"r{i}", self.prompt(text, number, i), answer)
            for i, (text, number, answer) in enumerate(zip(texts, numbers, answers, strict=True))
        ]

    def prompt(self, text: str, images: int = 1, seed: int = 0) -> Prompt:
        pictures = [picture(10 * seed + n, 70 + 30 * n, 100 - 20 * seed) for n in range(images)]
        whole = asked(self.kind, text, *pictures)
        if images or self.kind in tiny.TEXT_KINDS:
            return whole
        return asked("llama", text)


Learners = Callable[..., Learner]
Configs = Callable[..., ModelConfig]


@pytest.fixture(scope="session")
def learner_of(config_of: Callable[..., ModelConfig], folder_of: Callable[[str], Any]) -> Learners:
    """A tiny model freshly loaded, by its maker's name."""

    def make(kind: str, max_tokens: int = 2048) -> Learner:
        config = config_of(kind)
        loaded = load(config, folder_of(kind), None, training=True)
        parts = (loaded.processor, loaded.tokenizer, loaded.control, loaded.stop_ids)
        encoder = Encoder(config.how, *parts, max_tokens)
        return Learner(kind, config.how, loaded.model, encoder, loaded.tokenizer, loaded.stop_ids)

    return make


@pytest.fixture(scope="session")
def run_of(folder_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[..., FinetuneConfig]:
    """A run over a tiny model, in fp32, with what is given in place of its own values."""
    root = tmp_path_factory.mktemp("configs")

    def make(kind: str, method: str, **changes: Any) -> FinetuneConfig:
        file = root / f"tiny-{kind}.yaml"
        model = {
            "family": tiny.FAMILY_OF.get(kind, kind),
            "path": str(folder_of(kind)),
            "prompt_tokens": 128,
            "caption_prompt": "zero_shot",
            "license": "Apache-2.0",
            "parameters": 200_000,
            "generation": {"max_new_tokens": 12},
            "dtype": "fp32",
        }
        file.write_text(yaml.safe_dump(model))
        data = {"name": "tiny", "model": str(file), "data": {"folder": root}, "method": method}
        return FinetuneConfig.model_validate({**data, **changes})

    return make
