from __future__ import annotations

import pytest
import torch

from finetune.encode import IGNORED
from finetune.errors import RecordsError, TooLong
from finetune.lesson import Lesson
from tests.finetune.conftest import Learners
from tests.vlm import tiny
from tests.vlm.conftest import asked, picture


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_only_the_answer_and_its_end_are_trained(kind: str, learner_of: Learners) -> None:
    """In a batch of different lengths and numbers of images, and one lesson alone."""
    learner = learner_of(kind)
    lessons = learner.lessons()
    batches = [lessons, *([lesson] for lesson in lessons)]
    for several in batches:
        batch = learner.encoder(several)
        assert batch["labels"].shape == batch["input_ids"].shape == batch["attention_mask"].shape
        assert batch["labels"].dtype == torch.int64
        assert bool((batch["attention_mask"].sum(dim=1) == batch["attention_mask"].shape[1]).any()), "no spare padding"
        for lesson, ids, labels, mask in zip(
            several, batch["input_ids"], batch["labels"], batch["attention_mask"], strict=True
        ):
            learned = labels[labels != IGNORED]
            assert torch.equal(ids[labels != IGNORED], learned)
            assert bool((labels[-len(learned) :] != IGNORED).all())
            assert bool(mask[labels != IGNORED].all())
            assert int(learned[-1]) in learner.stop_ids
            text = lesson.answer.strip()
            assert learner.tokenizer.decode(learned[:-1]).strip() == (text.lower() if kind == "blip" else text)
            assert learner.encoder.length(lesson) == int(mask.sum())


@pytest.mark.parametrize("kind", ["smolvlm", "idefics3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava", "gemma3"])
@pytest.mark.parametrize("size", [(30, 30), (64, 64), (65, 64), (300, 20), (77, 191), (1000, 999)])
def test_lengths_are_known_from_the_sizes_of_images(kind: str, size: tuple[int, int], learner_of: Learners) -> None:
    learner = learner_of(kind)
    texts = ("\n\nCompare", "Compare.")
    for text, several in zip(texts, ([picture(1, *size)], [picture(1), picture(1, *size)]), strict=True):
        lesson = Lesson("r", asked(kind, text, *several), "Yes")
        assert learner.encoder.length(lesson) == learner.encoder([lesson])["input_ids"].shape[1]


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_the_prompt_is_that_of_run_time(kind: str, learner_of: Learners) -> None:
    learner = learner_of(kind)
    for lesson in learner.lessons():
        batch = learner.encoder([lesson])
        prompt = learner.encoder.prompts([lesson])
        length = prompt["input_ids"].shape[1]
        assert batch.keys() - {"labels"} == prompt.keys()
        assert bool((batch["labels"][:, :length] == IGNORED).all())
        for name, value in prompt.items():
            per_token = value.ndim > 1 and value.shape[:2] == prompt["input_ids"].shape
            assert torch.equal(batch[name][:, :length] if per_token else batch[name], value), name


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_an_answer_that_looks_like_a_control_token_is_text(kind: str, learner_of: Learners) -> None:
    learner = learner_of(kind, max_tokens=20_000)
    added = learner.tokenizer.added_tokens_decoder
    answer = "It says " + " ".join(token.content for token in added.values() if token.content.strip())
    lesson = Lesson("r", learner.lessons()[0].prompt, answer)
    labels = learner.encoder([lesson])["labels"][0]
    learned = [i for i in labels.tolist() if i != IGNORED]
    assert [i for i in learned if i in added] == [learner.encoder.end_id]


@pytest.mark.parametrize("kind", ["smolvlm", "blip", "llama"])
@pytest.mark.parametrize("answer", ["", " \n\t", "\x00\x07", "\u200b "])
def test_an_answer_of_nothing_names_its_record(kind: str, answer: str, learner_of: Learners) -> None:
    learner = learner_of(kind)
    lesson = Lesson("r17", learner.lessons()[0].prompt, answer)
    with pytest.raises(RecordsError, match=r"^record r17: its answer .* has nothing .*[^\n]$"):
        learner.encoder([learner.lessons()[1], lesson])


def test_nothing_of_a_long_lesson_is_cut_off(learner_of: Learners) -> None:
    learner = learner_of("smolvlm")
    lesson = learner.lessons()[0]
    length = learner.encoder.length(lesson)
    with pytest.raises(TooLong, match=f"record r0: {length} tokens"):
        learner_of("smolvlm", max_tokens=length - 1).encoder(learner.lessons())
    assert learner_of("smolvlm", max_tokens=length).encoder([lesson])["input_ids"].shape == (1, length)


@pytest.mark.parametrize(
    ("kind", "end"),
    [("gemma3", "<end_of_turn>"), ("smolvlm", "<end_of_utterance>"), ("llama", "<|eot_id|>"), ("llava", "</s>")],
)
def test_the_end_is_the_one_that_the_models_chats_have(kind: str, end: str, learner_of: Learners) -> None:
    learner = learner_of(kind)
    assert learner.tokenizer.convert_ids_to_tokens(learner.encoder.end_id) == end
