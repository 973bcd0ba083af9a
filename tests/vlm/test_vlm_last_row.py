"""The last layer works out a prompt's last row alone, and answers stay what they were."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer

from tests.vlm import tiny
from tests.vlm.conftest import picture
from tests.vlm.test_vlm_engine import Configs, run, words
from vlm import GenerationParams, Message, Prompt, open_engine
from vlm.engine import TransformersEngine
from vlm.last_row import can_read_last_row, last_row_alone

SHORT = GenerationParams(6)
KNOWN = ("fastvlm", "idefics3", "llama", "llava", "smolvlm")
TEXTS = ("Describe.", "What does the chest radiograph show, without focal consolidation?", "A blood smear?")


def prompts(kind: str) -> list[Prompt]:
    """Three of different lengths, so that two of them are padded."""

    def parts(n: int) -> tuple[Any, ...]:
        return (TEXTS[n],) if kind in tiny.TEXT_KINDS else (picture(n), TEXTS[n])

    return [Prompt((Message("user", parts(n)),), "test", "0") for n in range(3)]


def last_layer(model: nn.Module) -> Any:
    return [layer for layer in model.modules() if isinstance(layer, (LlamaDecoderLayer, Qwen2DecoderLayer))][-1]


def rows_of(layer: Any) -> list[tuple[int, ...]]:
    """`(n, length)` of all that comes to the layer's feed-forward part from now on."""
    seen: list[tuple[int, ...]] = []
    layer.mlp.register_forward_pre_hook(lambda _, given: seen.append(tuple(given[0].shape[:2])))
    return seen


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("kind", KNOWN)
def test_answers_are_those_of_the_whole_layer(
    kind: str, size: int, config_of: Configs, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = open_engine(config_of(kind), batch_size=size)
    seen = rows_of(last_layer(shorter.load().model))
    answers = run(shorter, prompts(kind), SHORT)
    monkeypatch.setattr("vlm.loading.can_read_last_row", lambda _: False)
    whole = open_engine(config_of(kind), batch_size=size)
    all_rows = rows_of(last_layer(whole.load().model))
    expected = run(whole, prompts(kind), SHORT)
    assert set(seen) == {(size, 1)}
    assert max(length for _, length in all_rows) > 10
    assert words(answers) == words(expected)
    for a, b in zip(answers, expected, strict=True):
        assert a.mean_logprob == pytest.approx(b.mean_logprob, abs=1e-5)
        assert a.min_logprob == pytest.approx(b.min_logprob, abs=1e-5)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("kind", KNOWN)
def test_scores_and_cache_are_those_of_the_whole_layer(kind: str, attention: str, config_of: Configs) -> None:
    model = open_engine(config_of(kind)).load().model
    model.set_attn_implementation(attention)
    ids = torch.arange(5, 45).view(2, 20)
    mask = torch.ones_like(ids)
    mask[1, :7] = 0
    with torch.inference_mode():
        whole = model(input_ids=ids, attention_mask=mask, use_cache=True)
        with last_row_alone():
            last = model(input_ids=ids, attention_mask=mask, use_cache=True, logits_to_keep=1)
    torch.testing.assert_close(last.logits, whole.logits[:, -1:], atol=1e-5, rtol=0)
    for made, expected in zip(last.past_key_values.layers, whole.past_key_values.layers, strict=True):
        torch.testing.assert_close(made.keys, expected.keys, atol=1e-6, rtol=0)
        torch.testing.assert_close(made.values, expected.values, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", KNOWN)
def test_all_rows_are_there_for_who_did_not_ask_for_one(kind: str, config_of: Configs) -> None:
    engine = TransformersEngine(config_of(kind))
    model = engine.load().model
    run(engine, prompts(kind), SHORT)  # the answer is over, and with it what it asked for
    with torch.inference_mode():
        assert model(input_ids=torch.arange(5, 25)[None]).logits.shape[1] == 20


@pytest.mark.parametrize("kind", sorted({*tiny.ALL_KINDS} - {*KNOWN}))
def test_other_layers_are_left_as_they_are(kind: str, config_of: Configs) -> None:
    model = open_engine(config_of(kind)).load().model
    before = {name: module.forward for name, module in model.named_modules() if "forward" in vars(module)}
    assert not can_read_last_row(model)
    assert {name: m.forward for name, m in model.named_modules() if "forward" in vars(m)} == before


def test_a_model_in_training_reads_all_rows(config_of: Configs) -> None:
    from vlm.loading import load
    from vlm.weights import find_files

    config = config_of("smolvlm")
    model = load(config, find_files(config), None, training=True).model
    with last_row_alone(), torch.no_grad():
        assert model(input_ids=torch.arange(5, 25)[None]).logits.shape[1] == 20
