"""What TRL's own collator for vision data does, and where ours does the same."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
import torch
from trl import SFTConfig
from trl.trainer.sft_trainer import DataCollatorForVisionLanguageModeling

from finetune.encode import IGNORED
from finetune.lesson import Lesson
from tests.finetune.conftest import Learner, Learners
from tests.vlm.conftest import picture, prompt

QUESTION, ANSWER = "What is shown?", "Two red cells."


@pytest.fixture
def learner(learner_of: Learners) -> Learner:
    return learner_of("smolvlm")


def collated(learner: Learner, form: str, **options: Any) -> Any:
    """TRL's batch of one example, its prompt, picture and answer those of `ours`."""
    asked = [{"role": "system", "content": "You describe images."}, {"role": "user", "content": QUESTION}]
    said = [{"role": "assistant", "content": ANSWER}]
    example = {"messages": asked + said} if form == "messages" else {"prompt": asked, "completion": said}
    only = {"completion_only_loss": form != "messages"}
    collator = DataCollatorForVisionLanguageModeling(learner.encoder.processor, **{**only, **options})
    return collator([{"images": [picture(1).picture], **example}])


def ours(learner: Learner) -> dict[str, Any]:
    return learner.encoder([Lesson("r", prompt(QUESTION, picture(1)), ANSWER)])


def learned(batch: Any) -> list[int]:
    labels: torch.Tensor = batch["labels"][0]
    return labels[labels != IGNORED].tolist()  # type: ignore[no-any-return]


def test_its_messages_form_trains_on_prompt_and_image(learner: Learner) -> None:
    batch = collated(learner, "messages")
    assert learned(batch) == batch["input_ids"][0].tolist()
    image = learner.tokenizer.convert_tokens_to_ids("<image>")
    assert learned(batch).count(image) == 20
    assert QUESTION in learner.tokenizer.decode(learned(batch))


def test_its_completion_form_trains_on_what_we_do_and_a_line_break(learner: Learner) -> None:
    """SmolVLM's chat template ends each turn with a line break, behind the token that stops generation: at run time
    nothing is read there."""
    theirs, mine = collated(learner, "prompt"), ours(learner)
    (line_break,) = learner.encoder.cut(["\n"])[0]
    assert learned(theirs) == [*learned(mine), line_break]
    assert theirs["input_ids"][0].tolist() == [*mine["input_ids"][0].tolist(), line_break]
    assert torch.equal(theirs["pixel_values"], mine["pixel_values"])


def test_it_cuts_images_and_answers_at_1024_tokens_unless_told(learner: Learner) -> None:
    assert {field.name: field.default for field in fields(SFTConfig)}["max_length"] == 1024
    whole, cut = collated(learner, "prompt"), collated(learner, "prompt", max_length=24)
    image = learner.tokenizer.convert_tokens_to_ids("<image>")
    assert int((cut["input_ids"] == image).sum()) < int((whole["input_ids"] == image).sum())
    assert learned(cut) == []
