"""One thing to learn, as a model reads it: the prompt that it would be given, and the answer that it should give."""

from __future__ import annotations

from dataclasses import dataclass

from vlm.types import Prompt


@dataclass(frozen=True)
class Lesson:
    """A prompt and the right answer to it; of a choice, the labels that the answer is one of."""

    id: str
    prompt: Prompt
    answer: str
    labels: tuple[str, ...] = ()
