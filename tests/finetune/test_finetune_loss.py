from __future__ import annotations

import pytest
import torch

from finetune.loss import answer_loss
from tests.finetune.conftest import Learners
from tests.vlm import tiny
from vlm.answers import answer_ids
from vlm.scoring import answer_logprobs


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_the_loss_is_how_unlikely_the_answers_are(kind: str, learner_of: Learners) -> None:
    """As `vlm.scoring` finds it another way: one prompt at a time, its images encoded beside, all scores at once."""
    learner = learner_of(kind)
    lessons, encoder = learner.lessons(), learner.encoder
    alone = []
    for lesson in lessons:
        inputs = encoder.prompts([lesson])
        (ids,) = answer_ids(learner.family, encoder.control, encoder.cut, [lesson.answer.strip()])
        with torch.inference_mode():
            alone.append(-answer_logprobs(learner.family, learner.model, inputs, [ids], [encoder.end_id]).item())
    batch = encoder(lessons)
    with torch.inference_mode():
        together = answer_loss(learner.family, learner.model, batch, items=len(lessons))
        each = [answer_loss(learner.family, learner.model, encoder([lesson]), items=1).item() for lesson in lessons]
        by_token = answer_loss(learner.family, learner.model, batch)
        learner.model.train()
        training = answer_loss(learner.family, learner.model, batch)
    assert together.dtype == torch.float32
    assert together.item() == pytest.approx(sum(alone) / len(alone), rel=1e-4)
    assert each == pytest.approx(alone, rel=1e-4)
    tokens = int((batch["labels"] != -100).sum())
    assert by_token.item() == pytest.approx(sum(alone) / tokens, rel=1e-4)
    if kind not in ("fastvlm", "blip"):  # batch norms and dropout are otherwise in training
        assert training.item() == pytest.approx(by_token.item(), rel=1e-4)
