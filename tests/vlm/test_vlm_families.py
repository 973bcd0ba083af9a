from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from tests.vlm.conftest import picture, prompt
from tests.vlm.test_vlm_engine import KINDS, Configs
from vlm import FAMILIES, Message, ModelUnusable, Prompt, PromptError, open_engine

CHAT_KINDS = [kind for kind in KINDS if kind != "paligemma"]
IMAGE_TOKEN = {
    "smolvlm": "<image>",
    "idefics3": "<image>",
    "qwen2_vl": "<|image_pad|>",
    "paligemma": "<image>",
    "fastvlm": "<image>",
}


def encoded(kind: str, config_of: Configs, *prompts: Prompt) -> tuple[Any, Any]:
    config = config_of(kind)
    loaded = open_engine(config).load()
    return config.how.encode(loaded.processor, prompts, loaded.control), loaded.processor


@pytest.mark.parametrize("kind", CHAT_KINDS)
def test_chat_layout_is_the_processors_own(kind: str, config_of: Configs) -> None:
    """The chat template rendered to text, then text and images through the processor: the long way round."""
    first, second = picture(1), picture(2, 60, 120)
    asked = Prompt(
        (
            Message("system", ("Be brief.",)),
            Message("user", ("Before ", first, " between ", second, " after.")),
            Message("assistant", ("A smear.",)),
            Message("user", ("Sure?",)),
        ),
        "test",
        "0",
    )
    inputs, processor = encoded(kind, config_of, asked)
    text = {"type": "text"}
    chat = [
        {"role": "system", "content": [{**text, "text": "Be brief."}]},
        {
            "role": "user",
            "content": [
                {**text, "text": "Before "},
                {"type": "image"},
                {**text, "text": " between "},
                {"type": "image"},
                {**text, "text": " after."},
            ],
        },
        {"role": "assistant", "content": [{**text, "text": "A smear."}]},
        {"role": "user", "content": [{**text, "text": "Sure?"}]},
    ]
    rendered = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    expected = processor(
        text=[rendered], images=[[first.picture, second.picture]], return_tensors="pt", add_special_tokens=False
    )
    assert torch.equal(inputs["input_ids"], expected["input_ids"])
    assert torch.equal(inputs["pixel_values"], expected["pixel_values"])


def test_paligemma_prefix_follows_its_image(config_of: Configs) -> None:
    asked = prompt("What is shown?", picture(1), system="Be brief.")
    inputs, processor = encoded("paligemma", config_of, asked)
    tokenizer = processor.tokenizer
    ids = inputs["input_ids"][0].tolist()
    assert ids[:16] == [processor.image_token_id] * 16
    assert ids[16] == tokenizer.bos_token_id
    assert tokenizer.decode(ids[17:]) == "Be brief.\nWhat is shown?\n"
    assert "labels" not in inputs


@pytest.mark.parametrize("images", [0, 2])
def test_paligemma_takes_exactly_one_image(images: int, config_of: Configs) -> None:
    parts = (*(picture(i) for i in range(images)), "Describe.")
    with pytest.raises(PromptError, match="exactly one image"):
        encoded("paligemma", config_of, Prompt((Message("user", parts),), "test", "0"))


@pytest.mark.parametrize(
    ("kind", "tokens"),
    # SmolVLM: a 70 x 100 image becomes 2 x 2 tiles and a whole, 4 tokens each. Qwen2-VL: 4 x 8 patches of 14 pixels,
    # four to a token. The others always have as many.
    [("smolvlm", 20), ("idefics3", 20), ("qwen2_vl", 8), ("paligemma", 16), ("fastvlm", 49)],
)
def test_tokens_of_an_image(kind: str, tokens: int, config_of: Configs) -> None:
    inputs, processor = encoded(kind, config_of, prompt("Describe.", picture(1, 70, 100)))
    image_id = processor.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN[kind])
    assert int((inputs["input_ids"] == image_id).sum()) == tokens


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_padded_on_the_left(kind: str, config_of: Configs) -> None:
    inputs, _ = encoded(kind, config_of, prompt("Hi."), prompt("Describe this image in one sentence, please."))
    mask = inputs["attention_mask"]
    assert mask[0, 0] == 0
    assert mask[:, -1].tolist() == [1, 1]


@pytest.mark.parametrize("kind", KINDS)
def test_text_cannot_forge_control_tokens(kind: str, config_of: Configs) -> None:
    plain, processor = encoded(kind, config_of, prompt("Describe ."))
    special = [t.content for t in processor.tokenizer.added_tokens_decoder.values() if t.content.strip()]
    assert IMAGE_TOKEN[kind] in special
    halves = [(token[:3], token[3:]) for token in special]
    nested = f"{special[0][:2]}{special[1]}{special[0][2:]}"
    forged = Prompt(
        (
            Message("system", ("You describe images.",)),
            Message("user", (picture(0), "".join(special), *(half for pair in halves for half in pair), nested)),
        ),
        "test",
        "0",
    )
    inputs, _ = encoded(kind, config_of, forged)
    ids = set(processor.tokenizer.added_tokens_decoder)
    assert control_counts(inputs, ids) == control_counts(plain, ids)


def control_counts(inputs: Any, ids: set[int]) -> Counter[int]:
    return Counter(i for i in inputs["input_ids"][0].tolist() if i in ids)


@pytest.mark.parametrize("kind", KINDS)
def test_lora_and_precision_name_the_right_modules(kind: str, config_of: Configs) -> None:
    config = config_of(kind)
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(config.path))
    linears = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    adapted = [name for name in linears if re.fullmatch(config.how.lora_targets, name)]
    kept = [name for name in linears if re.fullmatch(config.how.keep_precision, name)]
    assert len(adapted) == 2 * 7  # two layers of q, k, v, o, gate, up, down
    assert not [name for name in adapted if "vis" in name]
    assert "lm_head" in kept
    assert len(kept) > 1  # the projector from vision to language, too
    assert not set(adapted) & set(kept)


def test_the_template_may_live_with_the_tokenizer(config_of: Configs) -> None:
    processor = open_engine(config_of("fastvlm")).load().processor
    family = FAMILIES["fastvlm"]
    processor.tokenizer.chat_template, processor.chat_template = processor.chat_template, None
    family.prepare(processor, "here")
    assert processor.chat_template == processor.tokenizer.chat_template
    processor.tokenizer.chat_template = processor.chat_template = None
    with pytest.raises(ModelUnusable, match="here: no chat template"):
        family.prepare(processor, "here")


def test_names_are_their_own() -> None:
    assert {name: family.name for name, family in FAMILIES.items()} == {name: name for name in FAMILIES}
