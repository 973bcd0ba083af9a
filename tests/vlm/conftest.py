"""Folders with tiny models, made once a run, and prompts for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from imaging import LoadedImage
from tests.vlm import tiny
from tests.vlm.model_server import served
from vlm import Message, ModelConfig, Prompt

__all__ = ["served"]


def picture(seed: int, height: int = 70, width: int = 100) -> LoadedImage:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return LoadedImage(f"image-{seed}", Image.fromarray(pixels), sha256=f"{seed:064x}", phash=f"{seed:016x}")


def prompt(text: str = "Describe this image.", *images: LoadedImage, system: str = "You describe images.") -> Prompt:
    messages = (Message("system", (system,)), Message("user", (*(images or (picture(0),)), text)))
    return Prompt(messages, template="test", template_hash="0" * 12)


def asked(kind: str, text: str = "Describe this image.", *images: LoadedImage) -> Prompt:
    """As `prompt`; for a kind that reads no image, without any."""
    if kind in tiny.TEXT_KINDS:
        messages = (Message("system", ("You classify texts.",)), Message("user", (text,)))
        return Prompt(messages, template="test", template_hash="0" * 12)
    return prompt(text, *images)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model by its maker's name, made at first use."""
    root = tmp_path_factory.mktemp("models")

    def make(kind: str) -> Path:
        folder: Path = root / kind
        return folder if folder.is_dir() else tiny.MAKERS[kind](folder)

    return make


@pytest.fixture(scope="session")
def config_of(folder_of: Callable[[str], Path]) -> Callable[..., ModelConfig]:
    """The configuration of a tiny model, with what is given in place of its own values."""

    def make(kind: str, **changes: object) -> ModelConfig:
        data = {
            "name": f"tiny-{kind}",
            "family": tiny.FAMILY_OF.get(kind, kind),
            "path": folder_of(kind),
            "prompt_tokens": 128,
            "caption_prompt": "zero_shot",
            "license": "Apache-2.0",
            "parameters": 200_000,
            "dtype": "fp32",
        }
        return ModelConfig.model_validate({**data, **changes})

    return make
