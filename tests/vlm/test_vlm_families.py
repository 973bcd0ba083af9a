from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
import torch
import transformers
from transformers import AutoConfig

from tests.vlm import tiny
from tests.vlm.conftest import asked, picture, prompt
from tests.vlm.test_vlm_engine import Configs
from vlm import FAMILIES, GenerationParams, Message, ModelUnusable, Prompt, PromptError, open_engine

CHAT_KINDS = tiny.MANY_IMAGES
IMAGE_TOKEN = {
    **dict.fromkeys(("smolvlm", "idefics3", "paligemma", "paligemma2", "fastvlm", "llava", "llava_med"), "<image>"),
    **dict.fromkeys(("qwen2_vl", "qwen2_5_vl", "qwen3_vl"), "<|image_pad|>"),
    "gemma3": "<image_soft_token>",
    "mllama": "<|image|>",
}


def encoded(kind: str, config_of: Configs, *prompts: Prompt) -> tuple[Any, Any]:
    config = config_of(kind)
    loaded = open_engine(config).load()
    return config.how.encode(loaded.processor, prompts, loaded.control), loaded.processor


@pytest.mark.parametrize("kind", CHAT_KINDS)
def test_chat_layout_is_the_processors_own(kind: str, config_of: Configs) -> None:
    """The chat template rendered to text, then text and images through the processor: the long way round."""
    first, second = picture(1), picture(2, 60, 120)
    question = Prompt(
        (
            Message("system", ("Be brief.",)),
            Message("user", ("Before ", first, " between ", second, " after.")),
            Message("assistant", ("A smear.",)),
            Message("user", ("Sure?",)),
        ),
        "test",
        "0",
    )
    inputs, processor = encoded(kind, config_of, question)
    text = {"type": "text"}
    chat: list[dict[str, Any]] = [
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
    if kind == "mllama":  # its template refuses a system's message beside images
        chat[1]["content"][0]["text"] = "Be brief.\n\nBefore "
        del chat[0]
    rendered = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    expected = processor(
        text=[rendered], images=[[first.picture, second.picture]], return_tensors="pt", add_special_tokens=False
    )
    assert inputs.keys() == expected.keys()
    for name, values in expected.items():
        assert torch.equal(inputs[name], values), name


def test_paligemma_prefix_follows_its_image(config_of: Configs) -> None:
    question = prompt("What is shown?", picture(1), system="Be brief.")
    inputs, processor = encoded("paligemma", config_of, question)
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
    # four to a token; Qwen3-VL: 4 x 6 of 16 pixels. Llama: one to look from. The others always have as many.
    [
        ("smolvlm", 20), ("idefics3", 20), ("qwen2_vl", 8), ("qwen2_5_vl", 8), ("qwen3_vl", 6), ("paligemma", 16),
        ("fastvlm", 49), ("llava", 16), ("llava_med", 16), ("gemma3", 4), ("mllama", 1),
    ],
)  # fmt: skip
def test_tokens_of_an_image(kind: str, tokens: int, config_of: Configs) -> None:
    inputs, processor = encoded(kind, config_of, prompt("Describe.", picture(1, 70, 100)))
    image_id = processor.tokenizer.convert_tokens_to_ids(IMAGE_TOKEN[kind])
    assert int((inputs["input_ids"] == image_id).sum()) == tokens


def test_a_system_message_follows_the_image_that_llama_looks_at(config_of: Configs) -> None:
    inputs, processor = encoded("mllama", config_of, prompt("What is shown?", picture(1), system="Be brief."))
    text = processor.tokenizer.decode(inputs["input_ids"][0])
    assert "<|image|>Be brief.\n\nWhat is shown?<|eot_id|>" in text
    bare, _ = encoded("mllama", config_of, Prompt(prompt("x", system="Be brief.").messages[:1], "test", "0"))
    assert "system<|end_header_id|>\n\nBe brief.<|eot_id|>" in processor.tokenizer.decode(bare["input_ids"][0])


@pytest.mark.parametrize("kind", tiny.TEXT_KINDS)
def test_texts_are_laid_out_by_the_tokenizers_own_template(kind: str, config_of: Configs) -> None:
    inputs, tokenizer = encoded(kind, config_of, asked(kind, "Is this a radiology report?"))
    chat = [
        {"role": "system", "content": "You classify texts."},
        {"role": "user", "content": "Is this a radiology report?"},
    ]
    rendered = tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False, enable_thinking=False)
    assert inputs["input_ids"].tolist() == [tokenizer.encode(rendered, add_special_tokens=False)]
    assert rendered.endswith("</think>\n\n") == (kind == "qwen3")


def test_blip_goes_on_from_the_prompts_text(config_of: Configs) -> None:
    """As its own `generate`, given the caption's beginning alone and with an end mark, goes on from it."""
    config = config_of("blip")
    engine = open_engine(config)
    loaded = engine.load()
    begun = Prompt((Message("user", (picture(1), "Axial image of")),), "test", "0")
    free = Prompt((Message("user", (picture(1),)),), "test", "0")
    answers = dict(engine.generate([begun, free], GenerationParams(max_new_tokens=8)))
    images = loaded.processor.image_processor([picture(1).picture], return_tensors="pt")
    for number, text in enumerate(("Axial image of", "")):
        ids = loaded.tokenizer(text, return_tensors="pt").input_ids
        own = loaded.model.generate(**images, input_ids=ids, max_new_tokens=8)
        assert answers[number].text == loaded.tokenizer.decode(own[0, ids.shape[1] - 1 :], skip_special_tokens=True)


@pytest.mark.parametrize("images", [0, 2])
def test_blip_takes_exactly_one_image(images: int, config_of: Configs) -> None:
    with pytest.raises(PromptError, match="exactly one image"):
        encoded("blip", config_of, Prompt((Message("user", tuple(picture(i) for i in range(images))),), "test", "0"))


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_batches_are_padded_on_the_left(kind: str, config_of: Configs) -> None:
    inputs, _ = encoded(kind, config_of, asked(kind, "Hi."), asked(kind, "Describe this image in one sentence."))
    mask = inputs["attention_mask"]
    assert mask[0, 0] == 0
    assert mask[:, -1].tolist() == [1, 1]


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_text_cannot_forge_control_tokens(kind: str, config_of: Configs) -> None:
    plain, processor = encoded(kind, config_of, asked(kind, "Describe ."))
    tokenizer = config_of(kind).how.tokenizer(processor)
    special = [t.content for t in tokenizer.added_tokens_decoder.values() if t.content.strip()]
    assert IMAGE_TOKEN.get(kind, special[0]) in special
    halves = [(token[:3], token[3:]) for token in special]
    nested = f"{special[0][:2]}{special[1]}{special[0][2:]}"
    system, (_, user) = asked(kind, "x").messages[0], asked(kind, "x").messages
    parts = (*user.parts[:-1], "".join(special), *(half for pair in halves for half in pair), nested)
    forged = Prompt((system, Message("user", parts)), "test", "0")
    inputs, _ = encoded(kind, config_of, forged)
    ids = set(tokenizer.added_tokens_decoder)
    assert control_counts(inputs, ids) == control_counts(plain, ids)


def control_counts(inputs: Any, ids: set[int]) -> Counter[int]:
    return Counter(i for i in inputs["input_ids"][0].tolist() if i in ids)


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_lora_and_precision_name_the_right_modules(kind: str, config_of: Configs) -> None:
    config = config_of(kind)
    with torch.device("meta"):
        model = getattr(transformers, config.how.auto_class).from_config(AutoConfig.from_pretrained(config.path))
    linears = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    adapted = [name for name in linears if re.fullmatch(config.how.lora_targets, name)]
    kept = [name for name in linears if re.fullmatch(config.how.keep_precision, name)]
    assert len(adapted) == tiny.ADAPTED.get(kind, 14)
    assert not [name for name in adapted if "vis" in name]
    assert tiny.HEAD.get(kind, "lm_head") in kept
    if kind not in ("gemma3", *tiny.TEXT_KINDS):
        assert len(kept) > 1  # the projector from vision to language, too; BLIP's last layer before its scores
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
