from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from finetune.errors import AdaptError, RecordsError, TooLong
from finetune.lesson import Lesson
from finetune.loss import LabelHead
from tests.finetune.conftest import Configs, Learner, Learners
from tests.vlm import tiny
from vlm import TransformersEngine

LABELS = ("yes", "no")
CHOOSING = [kind for kind in tiny.ALL_KINDS if kind != "blip"]


def lessons_of(learner: Learner) -> list[Lesson]:
    images = 0 if learner.kind in tiny.TEXT_KINDS else 1
    texts = ("Is this a radiograph?", "Are there twelve red cells in this blood smear?", "Focal?")
    return [
        Lesson(f"r{i}", learner.prompt(text, images, i), answer, LABELS)
        for i, (text, answer) in enumerate(zip(texts, ("yes", "no", "no"), strict=True))
    ]


@pytest.mark.parametrize("kind", CHOOSING)
def test_the_trimmed_head_scores_as_the_whole_one(kind: str, learner_of: Learners) -> None:
    learner = learner_of(kind)
    head, lessons = LabelHead(learner.encoder, LABELS), lessons_of(learner)
    batch = head(lessons)
    assert batch["labels"].tolist() == [0, 1, 1]
    inputs = {name: value for name, value in batch.items() if name != "labels"}
    whole_heads = []
    learner.model.get_output_embeddings().register_forward_hook(lambda *_: whole_heads.append(1))
    with torch.inference_mode():
        trimmed = head.loss(learner.model, batch)
        each = [head.loss(learner.model, head([lesson])).item() for lesson in lessons]
        assert not whole_heads
        whole = learner.family.logits(learner.model, inputs, 1)[:, -1].softmax(dim=-1)
    place = batch["input_ids"].shape[1] - learner.encoder.prompts(lessons)["input_ids"].shape[1]
    tokens = {label: {learner.encoder.cut([way])[0][place] for way in ways_behind(learner, label)} for label in LABELS}
    assert sorted(set().union(*tokens.values())) == head.tokens
    shares = torch.stack([whole[:, sorted(tokens[label])].sum(dim=1) for label in LABELS], dim=1)
    right = (shares / shares.sum(dim=1, keepdim=True))[torch.arange(3), batch["labels"]]
    assert trimmed.item() == pytest.approx(-right.log().mean().item(), rel=1e-4)
    assert sum(each) / 3 == pytest.approx(trimmed.item(), rel=1e-4)
    assert head.length(lessons[1]) == int(batch["attention_mask"][1].sum())


def ways_behind(learner: Learner, label: str) -> list[str]:
    start = learner.family.answer_start  # SmolVLM's and LLaVA's is a token of its own, and read before
    return [start + way for way in (label, label.capitalize(), f"{label}.", f"{label.capitalize()}.")]


@pytest.mark.parametrize("kind", ["smolvlm", "paligemma", "mllama", "llama", "qwen3"])
def test_what_is_learned_is_what_run_time_asks(kind: str, learner_of: Learners, config_of: Configs) -> None:
    """Whatever the untrained model prefers, it learns one thing and then the contrary."""
    learner = learner_of(kind)
    head, lessons = LabelHead(learner.encoder, LABELS), lessons_of(learner)
    engine = TransformersEngine(config_of(kind))
    loaded = engine.load()
    optimiser = torch.optim.AdamW(loaded.model.parameters(), lr=2e-3)
    for right in (("yes", "no", "no"), ("no", "yes", "yes")):
        batch = head([replace(lesson, answer=answer) for lesson, answer in zip(lessons, right, strict=True)])
        for _ in range(15):
            loss = head.loss(loaded.model, batch)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        scores = dict(engine.score([lesson.prompt for lesson in lessons], LABELS, one_pass=True))
        for place, answer in enumerate(right):
            assert scores[place].probabilities[LABELS.index(answer)] > 0.8


def test_labels_that_begin_alike_are_told_by_what_follows(learner_of: Learners) -> None:
    """Where all share a beginning it is read first; run time does the same."""
    learner = learner_of("fastvlm")
    head = LabelHead(learner.encoder, ("1 cell", "1 mass"))
    lesson = Lesson("r", learner.prompt("What?"), "1 mass", ("1 cell", "1 mass"))
    batch = head([lesson])
    prompt = learner.encoder.prompts([lesson])["input_ids"].shape[1]
    assert learner.tokenizer.decode(batch["input_ids"][0, prompt:]).startswith("1")
    assert batch["labels"].tolist() == [1]
    assert head.length(lesson) == batch["input_ids"].shape[1] > prompt


@pytest.mark.parametrize("labels", [("yes", "yes, both"), ("a", "a b", "c")])
def test_labels_that_one_token_cannot_tell_apart_are_refused(labels: tuple[str, ...], learner_of: Learners) -> None:
    with pytest.raises(RecordsError, match=r"^labels .* begin with the same token of this model.*[^\n]$"):
        LabelHead(learner_of("llama").encoder, labels)


def test_what_is_no_choice_is_refused(learner_of: Learners) -> None:
    learner = learner_of("llama")
    with pytest.raises(RecordsError, match="1 labels to choose from"):
        LabelHead(learner.encoder, ("yes",))
    lesson = Lesson("r9", learner.prompt("Is it?"), "maybe", LABELS)
    with pytest.raises(RecordsError, match="record r9: its answer 'maybe' is none of the labels yes, no"):
        LabelHead(learner.encoder, LABELS)([lesson])


def test_a_model_that_is_asked_nothing_learns_no_labels(learner_of: Learners) -> None:
    with pytest.raises(AdaptError, match="blip writes captions and answers no question"):
        LabelHead(learner_of("blip").encoder, LABELS)


def test_nothing_of_a_long_question_is_cut_off(learner_of: Learners) -> None:
    learner = learner_of("llama", max_tokens=10)
    with pytest.raises(TooLong, match="record r0"):
        LabelHead(learner.encoder, LABELS)(lessons_of(learner))
