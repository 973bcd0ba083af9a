"""What is minimised: how unlikely the right answers are. Knows nothing of lessons' texts or of steps. Imports torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import cross_entropy, linear

from finetune.encode import IGNORED, Encoder
from finetune.errors import AdaptError, RecordsError
from finetune.lesson import Lesson
from vlm.answers import first_tokens, told_apart
from vlm.errors import PromptError
from vlm.families import Family
from vlm.families.base import bare
from vlm.labels import checked_labels
from vlm.scoring import answered

Items = int | torch.Tensor | None
"""What a sum of losses is divided by; None: as many as the batch has."""


def answer_loss(family: Family, model: Any, batch: Mapping[str, Any], items: Items = None) -> torch.Tensor:
    """fp32 scalar, nats: -log p of the answers' tokens and ends, summed, through `items`; None: through their number.

    `batch` is of an `Encoder`. Scores are worked out from where the longest answer begins, so none of image tokens;
    in one call of `model`, which may be wrapped.
    """
    labels = batch["labels"]  # (n, length)
    learned = labels != IGNORED
    last = labels.shape[1] - int(learned.any(dim=0).int().argmax())
    scores = family.logits(model, _inputs(model, batch), last + 1)[:, :-1]  # (n, last, vocabulary)
    total = cross_entropy(
        scores.flatten(0, 1).float(), labels[:, -last:].flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / (learned.sum() if items is None else items)


class LabelHead:
    """A choice among `labels`, learned as `engine.score(one_pass=True)` makes it: by the first token that tells them
    apart, however they are written, and by no other token of the vocabulary.

    A collator as `Encoder` is; `loss` is that of its batches. Raises RecordsError for labels that cannot be told apart
    so, AdaptError for a family that is asked nothing.
    """

    def __init__(self, encoder: Encoder, labels: Sequence[str]) -> None:
        family = encoder.family
        if not family.follows_instructions:
            raise AdaptError(
                f"{family.name} writes captions and answers no question, so it learns no labels. Take a model that "
                f"follows instructions: smolvlm-500m"
            )
        try:
            self.labels = tuple(checked_labels(labels))
        except PromptError as error:
            raise RecordsError(f"labels {', '.join(map(repr, labels))}: {error}") from error
        self._encoder = encoder
        self._begun, self._firsts = first_tokens(family, encoder.control, encoder.cut, self.labels)
        if not told_apart(self._firsts):
            raise RecordsError(
                f"labels {', '.join(self.labels)} begin with the same token of this model, and a head of first tokens "
                f"could not tell them apart. Word them differently, or make records of task ask of them"
            )
        self.tokens = sorted(set().union(*self._firsts))
        """The rows of the head that are worked out."""

    def __call__(self, lessons: Sequence[Lesson]) -> dict[str, Any]:
        """The model's inputs, up to where labels differ, and `labels` `(n,)`: the place of the right one.

        Raises RecordsError for an answer that is none of the labels, TooLong as the encoder does.
        """
        for lesson in lessons:
            if lesson.answer.strip() not in self.labels:
                raise RecordsError(
                    f"record {lesson.id}: its answer {lesson.answer!r} is none of the labels {', '.join(self.labels)}"
                )
        begun = [self._begun] * len(lessons)
        batch = answered(self._encoder.family, self._encoder.prompts(lessons), begun)
        self._encoder.check(lessons, batch)
        right = [self.labels.index(lesson.answer.strip()) for lesson in lessons]
        return {**batch, "labels": torch.tensor(right)}

    def length(self, lesson: Lesson) -> int:
        """Tokens of a lesson as this head reads it."""
        return self._encoder.prompt_length(lesson) + len(self._begun)

    def scores(self, model: Any, batch: Mapping[str, Any]) -> torch.Tensor:
        """fp32 `(n, labels)`: logarithms of what the labels' tokens weigh together, up to a constant a row."""
        with _trimmed(model, torch.tensor(self.tokens)):
            rows = self._encoder.family.logits(model, _inputs(model, batch), 1)[:, -1].float()  # (n, tokens)
        places = [[self.tokens.index(token) for token in sorted(several)] for several in self._firsts]
        return torch.stack([rows[:, several].logsumexp(dim=1) for several in places], dim=1)

    def loss(self, model: Any, batch: Mapping[str, Any], items: Items = None) -> torch.Tensor:
        """fp32 scalar, nats: -log p of the right label among all, summed, through `items`; None: their number."""
        labels = batch["labels"]
        total = cross_entropy(self.scores(model, batch), labels, reduction="sum")
        return total / (len(labels) if items is None else items)


def _inputs(model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
    """What of a batch the model takes, pictures in its precision."""
    dtype = bare(model).dtype
    return {
        name: value.to(dtype) if torch.is_tensor(value) and value.is_floating_point() else value
        for name, value in batch.items()
        if name != "labels"
    }


@contextmanager
def _trimmed(model: Any, tokens: torch.Tensor) -> Iterator[None]:
    """While it is entered, the model's head gives the scores of these tokens alone, in their order."""
    head = bare(model).get_output_embeddings()
    whole, own = head.forward, vars(head).get("forward")
    rows = tokens.to(head.weight.device)

    def forward(states: torch.Tensor) -> torch.Tensor:
        if type(head) is not torch.nn.Linear:  # one with an adapter on it
            return whole(states)[..., rows]  # type: ignore[no-any-return]
        return linear(states, head.weight[rows], None if head.bias is None else head.bias[rows])

    head.forward = forward
    try:
        yield
    finally:
        del head.forward
        if own is not None:
            head.forward = own
