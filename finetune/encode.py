"""Lessons as tensors, labels on nothing but the answers. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from finetune.errors import RecordsError, TooLong
from finetune.lesson import Lesson
from vlm.answers import answer_ids
from vlm.families import Family
from vlm.families.control_tokens import ControlTokens
from vlm.scoring import answered

IGNORED = -100
"""The label of what is not trained on: torch's own `ignore_index`."""


class Encoder:
    """Makes batches of lessons: `[padding][prompt with its images][answer][end]`, so that all answers end together.

    Prompts are made as at run time, by the family's `encode`, and nothing of them is ever cut off. `end_id` is the one
    of `stop_ids` that the model's chats put behind an answer.
    """

    def __init__(
        self,
        family: Family,
        processor: Any,
        tokenizer: Any,
        control: ControlTokens,
        stop_ids: Sequence[int],
        max_tokens: int,
    ) -> None:
        self.family = family
        self.processor = processor
        self.tokenizer = tokenizer
        self.control = control
        self.end_id = family.end_id(processor, stop_ids)
        self.max_tokens = max_tokens

    def __call__(self, lessons: Sequence[Lesson]) -> dict[str, Any]:
        """The model's inputs and `labels` `(n, length)` int64: the answer's tokens and its end, else IGNORED.

        Raises RecordsError for an answer with nothing to learn, TooLong for a lesson of more than `max_tokens`.
        """
        answers = self._answers(lessons)
        batch = answered(self.family, self.prompts(lessons), answers, self.tokenizer.pad_token_id)
        labels = torch.full_like(batch["input_ids"], IGNORED)
        for row, answer in zip(labels, answers, strict=True):
            row[-len(answer) :] = row.new_tensor(answer)
        self.check(lessons, batch)
        return {**batch, "labels": labels}

    def length(self, lesson: Lesson) -> int:
        """Tokens of the lesson: prompt with its images, answer and end. No picture is prepared for it."""
        (answer,) = self._answers([lesson])
        return self.prompt_length(lesson) + len(answer)

    def prompt_length(self, lesson: Lesson) -> int:
        """Tokens of the lesson's prompt, images counted."""
        return self.family.length(self.processor, lesson.prompt, self.control)

    def prompts(self, lessons: Sequence[Lesson]) -> Mapping[str, Any]:
        """The model's inputs for the prompts alone, left-padded."""
        inputs: Mapping[str, Any] = self.family.encode(
            self.processor, [lesson.prompt for lesson in lessons], self.control
        )
        return inputs

    def check(self, lessons: Sequence[Lesson], batch: Mapping[str, Any]) -> None:
        """Raises TooLong where a row of a batch is longer than `max_tokens`, padding not counted."""
        for lesson, tokens in zip(lessons, batch["attention_mask"].sum(dim=1).tolist(), strict=True):
            if tokens > self.max_tokens:
                raise TooLong.of(lesson.id, tokens, self.max_tokens)

    def cut(self, texts: list[str]) -> list[list[int]]:
        """The tokens of each text, special ones not added."""
        ids: list[list[int]] = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        return ids

    def _answers(self, lessons: Sequence[Lesson]) -> list[list[int]]:
        """The tokens of each answer and its end. Answers are learned without white space around them, as given."""
        texts = [lesson.answer.strip() for lesson in lessons]
        ids = answer_ids(self.family, self.control, self.cut, texts)
        for lesson, text, tokens in zip(lessons, texts, ids, strict=True):
            if not tokens or not any(char.isprintable() and char != " " for char in text):
                raise RecordsError(
                    f"record {lesson.id}: its answer {lesson.answer!r} has nothing that is written, so no token of it "
                    f"could be learned. Give it an answer or leave it out"
                )
        return [[*tokens, self.end_id] for tokens in ids]
