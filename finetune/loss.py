"""What is minimised: how unlikely the right answers are. Knows nothing of lessons' texts or of steps. Imports torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

from finetune.encode import IGNORED, Encoder
from finetune.errors import AdaptError, RecordsError
from finetune.lesson import Lesson
from vlm.answers import first_tokens, told_apart
from vlm.cost.memory import SCORED_TOGETHER
from vlm.errors import PromptError
from vlm.families import Family
from vlm.labels import checked_labels
from vlm.scoring import answered

Items = int | torch.Tensor | None
"""What a sum of losses is divided by; None: as many as the batch has."""


def answer_loss(family: Family, model: Any, batch: Mapping[str, Any], items: Items = None) -> torch.Tensor:
    """fp32 scalar, nats: -log p of the answers' tokens and ends, summed, through `items`; None: through their number.

    `batch` is of an `Encoder`. Only what is learned gets scores, a part at a time, and these are worked out anew for
    its gradients: over a vocabulary of 150,000 they would else outweigh all that is trained.
    """
    labels = batch["labels"]  # (n, length)
    learned = labels != IGNORED
    last = labels.shape[1] - int(learned.any(dim=0).int().argmax())
    states = family.states(model, _inputs(model, batch), last + 1)[:, :-1]  # (n, last, width)
    told, right = states[learned[:, -last:]], labels[learned]  # (tokens, width), (tokens,)
    parts = zip(told.split(SCORED_TOGETHER), right.split(SCORED_TOGETHER), strict=True)
    total = torch.stack([checkpoint(_unlikely, family, model, *part, use_reentrant=False) for part in parts]).sum()
    return total / (len(right) if items is None else items)


def _unlikely(family: Family, model: Any, states: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """fp32 scalar: -log p of the tokens `right` `(tokens,)`, summed."""
    return cross_entropy(family.scores(model, states).float(), right, reduction="sum")


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
        family = self._encoder.family
        states = family.states(model, _inputs(model, batch), 1)[:, -1]  # (n, width)
        rows = family.scores(model, states, torch.tensor(self.tokens, device=states.device)).float()  # (n, tokens)
        places = [[self.tokens.index(token) for token in sorted(several)] for several in self._firsts]
        return torch.stack([rows[:, several].logsumexp(dim=1) for several in places], dim=1)

    def loss(self, model: Any, batch: Mapping[str, Any], items: Items = None) -> torch.Tensor:
        """fp32 scalar, nats: -log p of the right label among all, summed, through `items`; None: their number."""
        labels = batch["labels"]
        total = cross_entropy(self.scores(model, batch), labels, reduction="sum")
        return total / (len(labels) if items is None else items)


def _inputs(model: Any, batch: Mapping[str, Any]) -> dict[str, Any]:
    """What of a batch the model takes, pictures in its precision."""
    dtype = model.dtype
    return {
        name: value.to(dtype) if torch.is_tensor(value) and value.is_floating_point() else value
        for name, value in batch.items()
        if name != "labels"
    }
