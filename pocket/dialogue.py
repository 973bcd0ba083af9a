"""Prompts to train on: the house's own templates most of the time, loose variants of them otherwise."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from PIL import Image

from imaging.types import LoadedImage
from indexer.types import Evidence, Example, Passage
from pocket.tokenizer import ASSISTANT, IMAGE, SYSTEM, USER
from pocket.trunk import TOKENS
from rag.prompts import Length, PromptInputs, PromptTemplate
from rag.untrusted import clean

HOUSE = 0.75
"""Share of prompts that are the house's own templates."""
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
_IMAGE = LoadedImage("image", Image.new("RGB", (1, 1)), "", "")
_CAPTION, _PASSAGE, _QUESTION = "@caption@", "@passage@", "@question@"


@dataclass(frozen=True)
class Opening:
    """A prompt up to where something is asked: system text, image and evidence. Several things may be asked behind it,
    each as if it were the only one."""

    text: str
    house: bool

    def ask(self, question: str, rng: random.Random) -> str:
        """How the prompt goes on, to where the answer starts: the question, or where it is empty the wish for a
        caption."""
        if self.house:
            length: Length = rng.choice(("medium", "medium", "short", "long"))
            name = "question" if question else "zero_shot"
            return _halves(name, length, bool(question), False, False)[1].replace(_QUESTION, clean(question))
        if question:
            asked = rng.choice((question, f"Question: {question}", f"{question} Answer briefly."))
        else:
            asked = rng.choice(_ORDERS)
        return asked + ASSISTANT


def opening(
    examples: Sequence[str], passages: Sequence[tuple[str, str]], rng: random.Random, image: bool = True
) -> Opening:
    """A prompt's opening, the image's tokens in it, from captions and `(title, text)` of passages."""
    made = _house(examples, passages, rng) if rng.random() < HOUSE else _loose(examples, passages, rng)
    return replace(made, text=made.text.replace(IMAGE, IMAGE * TOKENS if image else ""))


def _house(examples: Sequence[str], passages: Sequence[tuple[str, str]], rng: random.Random) -> Opening:
    question = rng.random() < 0.5
    name = "question" if question else "few_shot_passages"
    text = _halves(name, "medium", question, bool(examples), bool(passages))[0]
    lines = [f"[{n}] {clean(caption)}" for n, caption in enumerate(examples, start=1)]
    numbered = enumerate(passages, start=len(examples) + 1)
    texts = [f"[{n}] {clean(title)}: {clean(passage)}" for n, (title, passage) in numbered]
    text = text.replace(f"[1] {_CAPTION}", "\n".join(lines))
    text = text.replace(f"[{2 if examples else 1}] {_PASSAGE}", "\n".join(texts))
    return Opening(text, house=True)


@cache
def _halves(name: str, length: Length, question: bool, examples: bool, passages: bool) -> tuple[str, str]:
    """The house's template as `rag` writes it, cut where the question or the wish for a caption starts.

    It has one placeholder each for captions, passages and question.
    """
    evidence = [Evidence(Example("e", _CAPTION, "x"), 0.0, 1)] if examples else []
    evidence += [Evidence(Passage("p", _PASSAGE, "x", "x"), 0.0, 1)] if passages else []
    inputs = PromptInputs((_IMAGE,), tuple(evidence), _QUESTION if question else "", length=length)
    prompt, _ = PromptTemplate.load(name).render(inputs)
    written = ""
    for message in prompt.messages:
        parts = [part if isinstance(part, str) else IMAGE for part in message.parts]
        written += {"system": SYSTEM, "user": USER, "assistant": ASSISTANT}[message.role] + "".join(parts)
    last = written.index(_QUESTION) if question else len(written)
    cut = max(written.rfind("\n", 0, last) + 1, written.index(IMAGE) + len(IMAGE))
    return written[:cut], written[cut:] + ASSISTANT


def _loose(examples: Sequence[str], passages: Sequence[tuple[str, str]], rng: random.Random) -> Opening:
    lines = []
    if examples:
        lines.append(rng.choice(_HEADS))
        lines += [f"[{n}] {text}" for n, text in enumerate(examples, start=1)]
    if passages:
        lines.append(rng.choice(("Background:", "Passages:")))
        lines += [f"[{n}] {title}: {text}" for n, (title, text) in enumerate(passages, start=len(examples) + 1)]
    body = "".join(line + "\n" for line in lines)
    system = SYSTEM + rng.choice(_SYSTEMS) if rng.random() < 0.7 else ""
    return Opening(system + USER + IMAGE + rng.choice(("", "\n")) + body, house=False)
