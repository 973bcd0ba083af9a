"""Tiny models of PaliGemma and Gemma 3."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
    PaliGemmaProcessor,
    SiglipImageProcessor,
)

from tests.vlm.tiny_parts import make_tokenizer, quieten, save, text


def make_paligemma(folder: Path, seed: int = 0, language: str = "gemma") -> Path:
    """PaliGemma: 16 image tokens, a prefix read in both directions, no chat template.

    Its vision tower's 48 hidden units are no whole number of NF4 blocks, as the real one's 4304 are not.
    """
    tokenizer = make_tokenizer(
        ["<pad>", "<eos>", "<bos>", "<image>"],
        {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"},
        extra_special_tokens={"image_token": "<image>"},
    )
    images = SiglipImageProcessor(size={"height": 56, "width": 56})
    images.image_seq_length = 16
    processor = PaliGemmaProcessor(images, tokenizer)
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = PaliGemmaConfig(
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_config={**vision, "image_size": 56, "patch_size": 14, "projection_dim": 64, "vision_use_head": False},
        text_config=text(tokenizer, model_type=language, head_dim=16),
        projection_dim=64,
        hidden_size=64,
    )
    torch.manual_seed(seed)
    model = PaliGemmaForConditionalGeneration(config)
    if language == "gemma2":
        quieten(model)
    return save(folder, model, processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


def make_paligemma2(folder: Path, seed: int = 0) -> Path:
    """PaliGemma 2: the same around a Gemma 2."""
    return make_paligemma(folder, seed, "gemma2")


def make_gemma3(folder: Path, seed: int = 0) -> Path:
    """Gemma 3: 4 image tokens between a start and an end, one layer with a sliding window and one without."""
    named = {"pad_token": "<pad>", "eos_token": "<eos>", "bos_token": "<bos>"}
    media = {"boi_token": "<start_of_image>", "eoi_token": "<end_of_image>", "image_token": "<image_soft_token>"}
    special = [*named.values(), "<start_of_turn>", "<end_of_turn>", *media.values()]
    tokenizer = make_tokenizer(special, named, extra_special_tokens=media)
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 56, "width": 56}),
        tokenizer,
        chat_template=GEMMA3_TEMPLATE,
        image_seq_length=4,
    )
    vision = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ids = {name: tokenizer.convert_tokens_to_ids(media[name]) for name in ("boi_token", "eoi_token")}
    config = Gemma3Config(
        vision_config={**vision, "image_size": 56, "patch_size": 14, "vision_use_head": False},
        text_config=text(
            tokenizer, head_dim=16, query_pre_attn_scalar=16, layer_types=["sliding_attention", "full_attention"]
        ),
        mm_tokens_per_image=4,
        image_token_index=tokenizer.convert_tokens_to_ids("<image_soft_token>"),
        boi_token_index=ids["boi_token"],
        eoi_token_index=ids["eoi_token"],
    )
    torch.manual_seed(seed)
    model = Gemma3ForConditionalGeneration(config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)  # starts as zeros
    quieten(model)
    end_of_turn = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    return save(folder, model, processor, [tokenizer.eos_token_id, end_of_turn], tokenizer.pad_token_id)


GEMMA3_TEMPLATE = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'][0]['text'] + '\n\n' %}{% set turns = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{{ '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role']) + '\n' }}"
    "{% if loop.first %}{{ first }}{% endif %}"
    "{% for item in message['content'] %}{% if item['type'] == 'image' %}{{ '<start_of_image>' }}"
    "{% elif item['type'] == 'text' %}{{ item['text'] | trim }}{% endif %}{% endfor %}{{ '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)
