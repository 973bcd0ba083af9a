from __future__ import annotations

import re

import pytest
import torch
from peft import LoraConfig, get_peft_model

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


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")  # peft asks by that name
@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_gradients_reach_what_is_trained_and_nothing_else(kind: str, learner_of: Learners) -> None:
    """Low-rank matrices on the language model, the projector and the vision tower, where there are these."""
    learner = learner_of(kind)
    family = learner.family
    model = get_peft_model(learner.model, LoraConfig(r=2, target_modules=family.lora_targets, lora_dropout=0.0))
    beside = [name for name in (family.projector, family.vision_tower) if name is not None]
    parts = re.compile(rf"base_model\.model\.({'|'.join(beside)})(\.|$)") if beside else None
    for name, parameter in model.named_parameters():
        if parts and parts.match(name):
            parameter.requires_grad_(True)
    answer_loss(family, model, learner.encoder(learner.lessons())).backward()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    moved = {name for name, p in model.named_parameters() if p.grad is not None and bool(p.grad.any())}
    assert {name for name, p in model.named_parameters() if p.grad is not None} <= trained
    adapted = {name for name in trained if "lora_B" in name}
    assert len(adapted) == tiny.ADAPTED.get(kind, 14)
    assert adapted <= moved
    for part in beside:
        found = re.compile(rf"base_model\.model\.{part}\.")
        assert any(found.match(name) for name in moved), part
    if parts:
        first = next(n for n, p in model.named_parameters() if p.ndim > 2 and parts.match(n))  # of the pixels
        assert first in moved
