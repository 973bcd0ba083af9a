"""A few prompts by which two models are compared: what they answer, and how they score each token of one answer.

Imports torch; import it where a model is at hand, not before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from PIL import Image

from imaging import LoadedImage
from vlm.config import ModelConfig
from vlm.loading import Loaded
from vlm.quiet import quiet
from vlm.scoring import answered
from vlm.types import Message, Prompt

_TEXTS = ("Describe this image.", "Is this a photograph or a drawing? Answer with one word.", "What can be seen here?")
_NEW_TOKENS = 12


@dataclass(frozen=True)
class Said:
    """What a model says to each prompt: tokens of its own answer, and its scores `(tokens + 1, vocabulary)` in fp32 of
    those of the answer that it was given."""

    answers: tuple[tuple[int, ...], ...]
    scores: tuple[torch.Tensor, ...]


def ask(config: ModelConfig, loaded: Loaded, given: Said | None = None) -> Said:
    """Answers the prompts, the likeliest token each time, and scores its own answers or those `given`."""
    answers: list[tuple[int, ...]] = []
    scores: list[torch.Tensor] = []
    for number, prompt in enumerate(_prompts(config)):
        with torch.inference_mode(), quiet():
            inputs: Any = config.how.encode(loaded.processor, [prompt], loaded.control)
            inputs = inputs.to(loaded.device, loaded.model.dtype)
            length = inputs["input_ids"].shape[1]
            ids = config.how.generate(loaded.model, inputs, max_new_tokens=_NEW_TOKENS, do_sample=False)
            own = _words(config, loaded, ids[0, length:].tolist())
            answer = own if given is None else given.answers[number]
            seen = config.how.seen(loaded.model, inputs)
            longer = answered(config.how, seen, [answer])
            said = config.how.logits(loaded.model, longer, len(answer) + 1)[0]
        answers.append(own)
        scores.append(said.float().cpu())
    return Said(tuple(answers), tuple(scores))


def difference(one: Said, other: Said) -> float:
    """The largest difference between scores of a token, over the standard deviation of all of them; NaN stays NaN."""
    spread = torch.cat([said.flatten() for said in one.scores]).std()
    pairs = zip(one.scores, other.scores, strict=True)
    return float(torch.stack([(a - b).abs().max() for a, b in pairs]).max() / spread)


def same_answers(one: Said, other: Said) -> int:
    """How many prompts both answer with the same tokens."""
    return sum(a == b for a, b in zip(one.answers, other.answers, strict=True))


def _words(config: ModelConfig, loaded: Loaded, ids: list[int]) -> tuple[int, ...]:
    """An answer up to a token that stands for a piece of an image, which no answer of a trained model has."""
    images = {getattr(loaded.model.config, "image_token_id", None)} if config.how.max_images != 0 else set()
    return tuple(takewhile(lambda token: token not in images, ids))


def _prompts(config: ModelConfig) -> Sequence[Prompt]:
    def prompt(number: int, text: str) -> Prompt:
        images = () if config.how.max_images == 0 else (_picture(number),)
        return Prompt((Message("user", (*images, text)),), template="probe", template_hash="0" * 12)

    return [prompt(number, text) for number, text in enumerate(_TEXTS)]


def _picture(seed: int) -> LoadedImage:
    """Noise over a slope: no two alike."""
    slope = np.linspace(0, 155, 224)[:, None, None]
    noise = np.random.default_rng(seed).integers(0, 100, (224, 224, 3))
    return LoadedImage(
        f"probe-{seed}", Image.fromarray((slope + noise).astype(np.uint8)), f"{seed:064x}", f"{seed:016x}"
    )
