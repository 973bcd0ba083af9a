"""How likely a given answer is: the sum of its tokens' log-probabilities, as `generate` would have had them."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest
import torch
from transformers import LogitsProcessorList

from tests.vlm import tiny
from tests.vlm.conftest import asked, picture, prompt
from tests.vlm.test_vlm_engine import Configs
from tests.vlm.test_vlm_score import PROMPTS, TEXTS, Forced, answer_tokens
from vlm import ModelConfig, OutOfMemory, Prompt, PromptError, TransformersEngine, open_engine

TEXT = "A blood smear with five platelets."


def by_hand(engine: TransformersEngine, config: ModelConfig, question: Prompt, text: str) -> list[float]:
    """Log-probability of each token of an answer, the prompt alone in its batch, through `generate`."""
    loaded = engine.load()
    inputs = config.how.encode(loaded.processor, [question], loaded.control)
    ids = answer_tokens(config, loaded.tokenizer, text)
    out = config.how.generate(
        loaded.model, inputs, max_new_tokens=len(ids), do_sample=False, output_logits=True,
        return_dict_in_generate=True, logits_processor=LogitsProcessorList([Forced(ids, inputs["input_ids"].shape[1])]),
    )  # fmt: skip
    return [float(logits[0].double().log_softmax(-1)[token]) for logits, token in zip(out.logits, ids, strict=True)]


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_it_is_what_generating_it_token_by_token_gives(kind: str, config_of: Configs) -> None:
    config = config_of(kind)
    engine = TransformersEngine(config, batch_size=2)
    prompts = [asked(kind, text) for text in TEXTS] if kind in tiny.TEXT_KINDS else PROMPTS
    found = dict(engine.logprob(prompts, f" {TEXT}\n"))
    assert sorted(found) == list(range(len(prompts)))
    for position, question in enumerate(prompts):
        assert found[position] == pytest.approx(sum(by_hand(engine, config, question, TEXT)), rel=1e-3)
    assert len({round(value, 3) for value in found.values()}) > 1, "it must depend on the prompt for this to show much"


@pytest.mark.parametrize("kind", ["smolvlm", "qwen2_vl", "paligemma", "blip"])
def test_what_an_answer_begins_with_is_given_and_not_counted(kind: str, config_of: Configs) -> None:
    engine = TransformersEngine(config_of(kind))
    first, second = "A blood smear.", "Five platelets."
    (whole,), (begun,), (rest,) = (
        dict(engine.logprob(PROMPTS[:1], *said)).values()
        for said in ((f"{first} {second}",), (first,), (second, f"{first} "))
    )
    assert rest == pytest.approx(whole - begun, rel=1e-4)
    (alone,) = dict(engine.logprob(PROMPTS[:1], second)).values()
    assert rest != pytest.approx(alone, rel=1e-3), "what stands before it must matter for this to show anything"


@pytest.mark.parametrize(("text", "begun"), [("", ""), (" \n", ""), ("", "A blood smear.")])
def test_a_text_without_a_token_is_refused_before_anything_is_loaded(text: str, begun: str, config_of: Configs) -> None:
    engine = TransformersEngine(config_of("smolvlm"))
    with pytest.raises(PromptError, match=r"has no token of tiny-smolvlm to be scored\. Give it a text"):
        next(iter(engine.logprob(PROMPTS, text, begun)))
    assert engine._loaded is None


def test_what_does_not_fit_is_refused(config_of: Configs) -> None:
    engine = open_engine(config_of("paligemma"))
    with pytest.raises(PromptError, match=r"2 images, but tiny-.* reads 1"):
        next(iter(engine.logprob([prompt("?", picture(1), picture(2))], TEXT)))
    with pytest.raises(PromptError, match=r"more than the 2048 that tiny-smolvlm reads"):
        next(iter(open_engine(config_of("smolvlm")).logprob(PROMPTS, "cell " * 3000)))


def calls(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, most: int = 99) -> list[int]:
    """How many prompts each pass through the model has from now on; more than `most` do not fit."""
    model, sizes = engine.load().model.base_model, []
    forward = model.forward

    def counted(*args: Any, **inputs: Any) -> Any:
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(*args, **inputs)

    monkeypatch.setattr(model, "forward", counted)
    return sizes


def test_closing_it_leaves_the_other_batches_undone(config_of: Configs, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TransformersEngine(config_of("fastvlm"), batch_size=2)
    sizes = calls(engine, monkeypatch)
    found: Iterator[tuple[int, float]] = engine.logprob(PROMPTS * 3, TEXT)
    next(found)
    assert isinstance(found, Generator)
    found.close()
    assert sizes == [2]
    assert len(list(engine.logprob(PROMPTS, TEXT))) == 3


def test_out_of_memory_halves_the_batch(config_of: Configs, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TransformersEngine(config_of("smolvlm"), batch_size=3)
    expected = dict(engine.logprob(PROMPTS, TEXT))
    calls(engine, monkeypatch, most=2)
    assert dict(engine.logprob(PROMPTS, TEXT)) == pytest.approx(expected, rel=1e-4)
    calls(engine, monkeypatch, most=0)
    with pytest.raises(OutOfMemory, match="even with one prompt"):
        list(engine.logprob(PROMPTS, TEXT))
