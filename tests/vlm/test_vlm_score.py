from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList

from tests.vlm import tiny
from tests.vlm.conftest import asked, picture, prompt
from tests.vlm.test_vlm_engine import Configs
from vlm import (
    GenerationParams,
    Message,
    ModelConfig,
    OutOfMemory,
    Prompt,
    PromptError,
    TransformersEngine,
    open_engine,
)

LABELS = ("Yes.", "No.", "A blood smear with five platelets.")
TEXTS = (
    "Describe.",
    "A blood smear with twelve red cells, two white cells. Is this a radiograph? Yes or no.",
    "What does the chest radiograph show?",
)
PICTURES = (picture(1), picture(2), picture(3, 90, 60))
PROMPTS = [prompt(text, image) for text, image in zip(TEXTS, PICTURES, strict=True)]


def scored(engine: TransformersEngine, prompts: Sequence[Prompt], labels: Sequence[str]) -> list[tuple[float, ...]]:
    by_position = dict(engine.score(prompts, labels))
    assert sorted(by_position) == list(range(len(prompts)))
    return [by_position[i].probabilities for i in range(len(prompts))]


def answer_tokens(config: ModelConfig, tokenizer: Any, label: str) -> list[int]:
    ids: list[int] = tokenizer.encode(config.how.answer_start + label, add_special_tokens=False)
    return ids


def by_hand(engine: TransformersEngine, config: ModelConfig, question: Prompt, label: str) -> float:
    """Log-probability of the label, one token after another through `generate`, the prompt alone in its batch."""
    loaded = engine.load()
    inputs = config.how.encode(loaded.processor, [question], loaded.control)
    ids = answer_tokens(config, loaded.tokenizer, label)
    out = config.how.generate(
        loaded.model, inputs, max_new_tokens=len(ids) + 1, do_sample=False, output_logits=True,
        return_dict_in_generate=True, logits_processor=LogitsProcessorList([Forced(ids, inputs["input_ids"].shape[1])]),
    )  # fmt: skip
    steps = [torch.softmax(logits[0].double(), -1) for logits in out.logits]
    said = sum(math.log(step[token]) for step, token in zip(steps, ids, strict=False))
    return said + math.log(steps[len(ids)][list(loaded.stop_ids)].sum())


class Forced(LogitsProcessor):
    """Lets `generate` say these tokens and no others, then what it likes."""

    def __init__(self, ids: list[int], start: int) -> None:
        self._ids, self._start = ids, start

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        step = input_ids.shape[1] - self._start
        if step == len(self._ids):
            return scores
        only = torch.full_like(scores, -torch.inf)
        only[:, self._ids[step]] = 0
        return only


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_it_agrees_with_one_token_after_another(kind: str, config_of: Configs) -> None:
    config = config_of(kind)
    engine = open_engine(config, batch_size=3)
    prompts = [asked(kind, text, image) for text, image in zip(TEXTS, PICTURES, strict=True)]
    logprobs = torch.tensor([[by_hand(engine, config, question, label) for label in LABELS] for question in prompts])
    rows = scored(engine, prompts, LABELS)
    for row, expected in zip(rows, logprobs.softmax(dim=1).tolist(), strict=True):
        assert sum(row) == pytest.approx(1.0)
        assert row == pytest.approx(expected, rel=1e-2)
    first, second = (row[0] / row[1] for row in rows[:2])
    assert first != pytest.approx(second, rel=1e-3), "scores must depend on the prompt for this to show anything"


@pytest.mark.parametrize("kind", tiny.IMAGE_KINDS)
def test_a_prompt_is_scored_alike_alone_and_in_a_batch(kind: str, config_of: Configs) -> None:
    together = scored(open_engine(config_of(kind), batch_size=3), PROMPTS, LABELS[:2])
    alone = scored(open_engine(config_of(kind), batch_size=1), PROMPTS, LABELS[:2])
    for a, b in zip(together, alone, strict=True):
        assert a == pytest.approx(b, rel=1e-3)


@pytest.mark.parametrize("kind", tiny.MANY_IMAGES)
def test_several_images_and_none_in_one_run(kind: str, config_of: Configs) -> None:
    config = config_of(kind)
    bare = Prompt((Message("user", ("Is this a radiograph?",)),), "test", "0")
    prompts = [prompt("Compare.", picture(1), picture(2)), prompt("Describe.", picture(1)), bare]
    engine = open_engine(config)
    for question, row in zip(prompts, scored(engine, prompts, LABELS[:2]), strict=True):
        yes, no = (by_hand(engine, config, question, label) for label in LABELS[:2])
        assert row[0] == pytest.approx(1 / (1 + math.exp(no - yes)), rel=1e-2)


def test_the_order_of_labels_is_the_order_of_probabilities(config_of: Configs) -> None:
    engine = open_engine(config_of("fastvlm"))
    (row,) = scored(engine, PROMPTS[:1], LABELS)
    (turned,) = scored(engine, PROMPTS[:1], LABELS[::-1])
    assert row == pytest.approx(turned[::-1])
    assert len(set(row)) == len(LABELS)


def teach(engine: TransformersEngine, config: ModelConfig, answers: dict[Prompt, str]) -> None:
    """A few steps by which the model learns to give each prompt its answer."""
    loaded = engine.load()
    optimiser = torch.optim.AdamW(loaded.model.parameters(), lr=3e-3)
    for _ in range(25):
        for question, label in answers.items():
            inputs = config.how.encode(loaded.processor, [question], loaded.control)
            answer = torch.tensor([*answer_tokens(config, loaded.tokenizer, label), loaded.stop_ids[0]])
            start = inputs["input_ids"].shape[1]
            inputs["input_ids"] = torch.cat([inputs["input_ids"], answer[None]], dim=1)
            for name in inputs.keys() & {"attention_mask", "token_type_ids"}:
                inputs[name] = torch.nn.functional.pad(inputs[name], (0, len(answer)), value=1)
            logits = loaded.model(**inputs, use_cache=False).logits[0, start - 1 : -1]
            torch.nn.functional.cross_entropy(logits, answer).backward()
        optimiser.step()
        optimiser.zero_grad()


@pytest.mark.parametrize("kind", ["smolvlm", "paligemma"])
def test_an_answer_that_was_learnt_is_likely(kind: str, config_of: Configs) -> None:
    config = config_of(kind)
    engine = open_engine(config)
    asked = (PROMPTS[0], PROMPTS[2])
    before = scored(engine, asked, LABELS[:2])
    assert min(before[0][0], before[1][1]) < 0.9, "one or the other must be unlikely before it is learnt"
    teach(engine, config, dict(zip(asked, LABELS, strict=False)))
    (yes, _), (_, no) = scored(engine, asked, LABELS[:2])
    assert min(yes, no) > 0.95
    said = dict(engine.generate(asked, GenerationParams(max_new_tokens=12)))
    assert [said[i].text for i in range(2)] == list(LABELS[:2]), "what is scored is what would be said"


def test_the_end_counts(config_of: Configs) -> None:
    """Of a label and one that goes on from it, the first would always be the likelier if the end did not count."""
    config = config_of("smolvlm")
    engine = open_engine(config)
    labels = ("A blood smear", "A blood smear with two white cells")
    assert scored(engine, PROMPTS[:1], labels)[0][0] > 0.95
    teach(engine, config, {PROMPTS[0]: labels[1]})
    assert scored(engine, PROMPTS[:1], labels)[0][1] > 0.95


@pytest.mark.parametrize("kind", [*tiny.MANY_IMAGES, *tiny.TEXT_KINDS])
def test_labels_stand_where_the_chat_template_puts_answers(kind: str, config_of: Configs) -> None:
    """Behind an answer stands a token that ends it; LLaVA's own template has none there."""
    config = config_of(kind)
    loaded = open_engine(config).load()

    def turn(role: str, text: str) -> dict[str, Any]:
        return {"role": role, "content": text if kind in tiny.TEXT_KINDS else [{"type": "text", "text": text}]}

    stem, whole = (
        loaded.processor.apply_chat_template(chat, add_generation_prompt=len(chat) == 1, tokenize=False)
        for chat in ([turn("user", "Well?")], [turn("user", "Well?"), turn("assistant", "Yes.")])
    )
    answer = stem + config.how.answer_start + "Yes."
    ends = tuple(loaded.tokenizer.convert_ids_to_tokens(loaded.stop_ids))
    assert whole.startswith(answer)
    assert whole.removeprefix(answer).startswith(ends) or (config.family == "llava" and whole == answer + " ")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ((), "0 labels to choose from"),
        (("Yes.",), "1 labels to choose from"),
        (("Yes.", " "), r"label 2 of 2 is empty"),
        (("Yes.", "No.", " Yes."), r"label 'Yes\.' is there twice"),
    ],
)
def test_labels_that_are_no_choice(labels: tuple[str, ...], message: str, config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    with pytest.raises(PromptError, match=message):
        list(engine.score(PROMPTS, labels))
    assert engine._loaded is None


def test_prompts_that_cannot_be_scored(config_of: Configs) -> None:
    with pytest.raises(PromptError, match=r"2 images, but tiny-.* reads 1"):
        list(open_engine(config_of("paligemma")).score([prompt("?", picture(1), picture(2))], LABELS))
    with pytest.raises(PromptError, match=r"more than the 2048 that tiny-smolvlm reads"):
        list(open_engine(config_of("smolvlm")).score(PROMPTS, ("No.", "cell " * 3000)))


def test_a_label_cannot_forge_control_tokens(config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    (row,) = scored(engine, PROMPTS[:1], ("Yes.", "<image>"))
    assert sum(row) == pytest.approx(1.0)


def test_out_of_memory_halves_the_batch(config_of: Configs, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_engine(config_of("smolvlm"), batch_size=4)
    expected = scored(engine, PROMPTS, LABELS[:2])
    model, limit = engine.load().model.base_model, 2
    forward = model.forward

    def full(*args: Any, **inputs: Any) -> Any:
        if inputs["input_ids"].shape[0] > limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, **inputs)

    monkeypatch.setattr(model, "forward", full)
    for row, same in zip(scored(engine, PROMPTS, LABELS[:2]), expected, strict=True):
        assert row == pytest.approx(same, rel=1e-3)
    limit = 0
    with pytest.raises(OutOfMemory, match="even with one prompt"):
        scored(engine, PROMPTS, LABELS[:2])


def test_images_are_read_once_for_all_labels(config_of: Configs) -> None:
    engine = open_engine(config_of("fastvlm"), batch_size=3)
    runs: list[int] = []
    tower = engine.load().model.get_submodule("model.vision_tower")
    tower.register_forward_hook(lambda *_: runs.append(1))
    scored(engine, PROMPTS, LABELS)
    assert len(runs) == 1


def test_no_prompts_no_work(config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    assert list(engine.score([], LABELS)) == []
    assert engine._loaded is None


CHOICES = ("yes", "no")


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_one_pass_is_the_first_tokens_probability(kind: str, config_of: Configs) -> None:
    engine = open_engine(config_of(kind), batch_size=3)
    how, loaded = config_of(kind).how, engine.load()
    prompts = [asked(kind, text) for text in TEXTS] if kind in tiny.TEXT_KINDS else PROMPTS
    assert engine.told_apart_at_once(CHOICES)
    passes: list[int] = []
    head = loaded.model.get_submodule(tiny.HEAD.get(kind, "lm_head")).register_forward_hook(lambda *_: passes.append(1))
    found = dict(engine.score(prompts, CHOICES, one_pass=True))
    head.remove()
    assert len(passes) == 1
    forms = [("yes", "Yes", "yes.", "Yes."), ("no", "No", "no.", "No.")]
    several = [{tuple(engine._answer_ids([form])[0]) for form in each} for each in forms]
    shared = next(n for n in range(9) if len({ids[n] for each in several for ids in each}) > 1)
    begun = list(next(iter(several[0])))[:shared]
    for position, question in enumerate(prompts):
        inputs = how.encode(loaded.processor, [question], loaded.control)
        out = how.generate(
            loaded.model, inputs, max_new_tokens=shared + 1, do_sample=False, output_logits=True,
            return_dict_in_generate=True,
            logits_processor=LogitsProcessorList([Forced(begun, inputs["input_ids"].shape[1])]),
        )  # fmt: skip
        step = torch.softmax(out.logits[shared][0].double(), -1)
        yes, no = (float(sum(step[token] for token in {ids[shared] for ids in each})) for each in several)
        assert found[position].probabilities == pytest.approx((yes / (yes + no), no / (yes + no)), abs=1e-4)
        assert found[position].mass == pytest.approx(yes + no, rel=1e-3)


def test_labels_that_begin_alike_are_not_told_apart_at_once(config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    assert not engine.told_apart_at_once(("a smear", "a section", "none"))
    assert not engine.told_apart_at_once(("yes", "Yes"))
    assert not engine.told_apart_at_once(("y", "yes"))
    assert engine._loaded is None
    with pytest.raises(PromptError, match="begin with the same token"):
        list(engine.score(PROMPTS, ("a smear", "a section", "none"), one_pass=True))


def test_the_mass_is_what_the_model_gives_all_labels_together(config_of: Configs) -> None:
    config = config_of("smolvlm")
    engine = open_engine(config)
    (found,) = dict(engine.score(PROMPTS[:1], LABELS)).values()
    assert found.mass == pytest.approx(sum(math.exp(by_hand(engine, config, PROMPTS[0], x)) for x in LABELS), rel=1e-3)


@pytest.mark.parametrize("one_pass", [False, True])
def test_a_temperature_makes_a_model_less_sure_and_leaves_what_it_says_at_all(
    one_pass: bool, config_of: Configs
) -> None:
    labels = ("Yes.", "No.")
    plain = config_of("smolvlm")
    own, cooler = (
        dict(TransformersEngine(config).score(PROMPTS, labels, one_pass))
        for config in (plain, plain.model_copy(update={"label_temperature": 2.5}))
    )
    for position, scores in own.items():
        odds, less = (math.log(p[0] / p[1]) for p in (scores.probabilities, cooler[position].probabilities))
        assert abs(odds) > 1e-3
        assert less == pytest.approx(odds / 2.5)
        assert cooler[position].mass == pytest.approx(scores.mass)


def test_an_adapted_model_has_no_temperature_of_the_one_it_was_made_from(config_of: Configs) -> None:
    config = config_of("smolvlm").model_copy(update={"label_temperature": 2.5})
    plain = TransformersEngine(config_of("smolvlm"))
    training = TransformersEngine.of(plain.load(), config)
    assert scored(training, PROMPTS, LABELS) == scored(plain, PROMPTS, LABELS)
