"""Prompts to train on: the house's own templates most of the time, loose variants of them otherwise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

import numpy as np

from imaging.types import LoadedImage
from indexer.types import Evidence, Example, Passage
from pocket.tokenizer import ASSISTANT, IMAGE, SYSTEM, USER
from pocket.trunk import TOKENS
from rag.prompts import Length, PromptInputs, PromptTemplate, clean

_SYSTEMS = (
    "You describe biomedical images for scientists. Say only what can be seen.",
    "You describe biomedical images.", "Describe the image. Be brief.", "You answer questions about biomedical images.",
)  # fmt: skip
_HEADS = (
    "Captions of similar images; use what fits this image, ignore what does not:", "Similar images:",
    "Captions of the nearest images:", "Evidence:", "Examples:",
)  # fmt: skip
_ORDERS = ("Describe this image.", "What does this image show? Answer in one or two sentences.", "Caption this image.",
           "Describe this image in one to three sentences.", "Write a caption.", "Describe the image.")  # fmt: skip
_IMAGE = LoadedImage("image", np.zeros((1, 1, 3), np.uint8), "", "")


_CAPTION, _PASSAGE, _QUESTION = "@caption@", "@passage@", "@question@"


def write(
    examples: Sequence[str], passages: Sequence[tuple[str, str]], question: str, rng: random.Random, image: bool = True
) -> str:
    """A prompt up to where the answer starts, the image's tokens in it, from captions, `(title, text)` and question."""
    if rng.random() < 0.75:
        text = _house(examples, passages, question, rng)
    else:
        text = _loose(examples, passages, question, rng)
    return text.replace(IMAGE, IMAGE * TOKENS if image else "")


def _house(examples: Sequence[str], passages: Sequence[tuple[str, str]], question: str, rng: random.Random) -> str:
    if question:
        name = "question"
    elif passages:
        name = "few_shot_passages"
    else:
        name = rng.choice(("few_shot", "few_shot_passages")) if examples else rng.choice(("zero_shot", "few_shot"))
    length: Length = rng.choice(("medium", "medium", "short", "long"))
    skeleton = _skeleton(name, length, bool(question), bool(examples), bool(passages))
    return _fill(skeleton, examples, passages, question)


def _fill(text: str, examples: Sequence[str], passages: Sequence[tuple[str, str]], question: str) -> str:
    lines = [f"[{n}] {clean(caption)}" for n, caption in enumerate(examples, start=1)]
    numbered = enumerate(passages, start=len(examples) + 1)
    texts = [f"[{n}] {clean(title)}: {clean(passage)}" for n, (title, passage) in numbered]
    text = text.replace(f"[1] {_CAPTION}", "\n".join(lines))
    text = text.replace(f"[{2 if examples else 1}] {_PASSAGE}", "\n".join(texts))
    return text.replace(_QUESTION, clean(question))


@cache
def _skeleton(name: str, length: Length, question: bool, examples: bool, passages: bool) -> str:
    """The house's template as `rag` writes it, with one placeholder each for captions, passages and question."""
    evidence = [Evidence(Example("e", _CAPTION, "x"), 0.0, 1)] if examples else []
    evidence += [Evidence(Passage("p", _PASSAGE, "x", "x"), 0.0, 1)] if passages else []
    inputs = PromptInputs((_IMAGE,), tuple(evidence), _QUESTION if question else "", length)
    prompt, _ = PromptTemplate.load(name).render(inputs)
    written = ""
    for message in prompt.messages:
        parts = [part if isinstance(part, str) else IMAGE for part in message.parts]
        written += {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}[message.role] + "".join(parts)
    return written + ASSISTANT


def _loose(examples: Sequence[str], passages: Sequence[tuple[str, str]], question: str, rng: random.Random) -> str:
    break_ = rng.choice(("\n", "\n", " "))
    lines = []
    if examples:
        lines.append(rng.choice(_HEADS))
        lines += [f"[{n}] {text}" for n, text in enumerate(examples, start=1)]
    if passages:
        lines.append(rng.choice(("Background:", "Passages:")))
        lines += [f"[{n}] {title}: {text}" for n, (title, text) in enumerate(passages, start=len(examples) + 1)]
    if question:
        lines.append(rng.choice((question, f"Question: {question}", f"{question} Answer briefly.")))
    else:
        lines.append(rng.choice(_ORDERS))
    body = break_.join(lines)
    user = rng.choice((IMAGE + body, IMAGE + body, IMAGE + break_ + body, body + break_ + IMAGE))
    system = SYSTEM + rng.choice(_SYSTEMS) if rng.random() < 0.7 else ""
    return system + USER + user + ASSISTANT
