"""A look at the dev split while training: the loss of all its answers, and metrics of texts on a sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from finetune.answers import look
from finetune.fitting import FittingLessons
from finetune.trainer import Collate, Learner, LessonTrainer, count_items
from vlm.borrowed import answering
from vlm.types import Engine


@dataclass(frozen=True)
class DevLook:
    """Called at each look: `loss`, nats a token of the answers as training has it, and what `answers.look` gives.

    `engine` is one around the model in training; `texts` how many lessons it answers. All processes share the loss;
    the first answers, and all are told the same figures.
    """

    lessons: FittingLessons
    collate: Collate
    engine: Engine
    texts: int
    batch_size: int

    def __call__(self, learner: Learner, trainer: LessonTrainer) -> dict[str, float]:
        figures = {"loss": self._loss(learner, trainer)}
        if self.texts:
            first = trainer.args.process_index == 0
            answered = look(self.engine, self.lessons, self.texts, self.lessons.lessons.params) if first else {}
            figures |= trainer.of_all(answered)[0]
        return figures

    def _loss(self, learner: Learner, trainer: LessonTrainer) -> float:
        total, items = 0.0, 0
        device, size = trainer.args.device, trainer.args.world_size
        with answering(learner.model):
            for batch in self._batches()[trainer.args.process_index :: size]:
                encoded = self.collate([self.lessons[position] for position in batch])
                count = int(count_items(encoded))
                tensors = {k: v.to(device) if torch.is_tensor(v) else v for k, v in encoded.items() if k != "ids"}
                total += float(learner(items=1, **tensors))
                items += count
        shares = trainer.of_all((total, items))
        return float(sum(share[0] for share in shares) / sum(share[1] for share in shares))

    def _batches(self) -> Sequence[range]:
        starts = range(0, len(self.lessons), self.batch_size)
        return [range(start, min(start + self.batch_size, len(self.lessons))) for start in starts]
