"""Tiny models of Qwen: three that see, one that reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen2VLProcessor,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)
from transformers.models.qwen2_vl.image_processing_qwen2_vl import Qwen2VLImageProcessor
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor

from tests.vlm.tiny_parts import CHATML_TEMPLATE, make_tokenizer, save, text

QWEN_SPECIAL = [
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
    "<|video_pad|>",
]  # fmt: skip
QWEN_TEMPLATE = CHATML_TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")


def _qwen_tokenizer() -> PreTrainedTokenizerFast:
    return make_tokenizer(QWEN_SPECIAL, {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"})


def _qwen_ids(tokenizer: PreTrainedTokenizerFast) -> dict[str, int]:
    return {f"{name}_token_id": tokenizer.convert_tokens_to_ids(token) for name, token in QWEN_TOKENS.items()}


def _written(folder: Path, seed: int, model_class: Any, config: Any, processor: Any) -> Path:
    torch.manual_seed(seed)
    tokenizer = processor.tokenizer
    return save(folder, model_class(config), processor, tokenizer.eos_token_id, tokenizer.pad_token_id)


def make_qwen2_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen2-VL: 14-pixel patches merged two by two, any aspect ratio, rotary positions in three axes."""
    tokenizer = _qwen_tokenizer()
    processor = Qwen2VLProcessor(
        Qwen2VLImageProcessor(**PIXELS),
        tokenizer,
        Qwen2VLVideoProcessor(**PIXELS),
        chat_template=QWEN_TEMPLATE,
    )
    config = Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 2},
        text_config=text(tokenizer, rope_parameters=QWEN_ROPE),
        **_qwen_ids(tokenizer),
    )
    return _written(folder, seed, Qwen2VLForConditionalGeneration, config, processor)


def make_qwen2_5_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen2.5-VL: as Qwen2-VL, its vision blocks with windows, the second one without."""
    tokenizer = _qwen_tokenizer()
    processor = Qwen2_5_VLProcessor(
        Qwen2VLImageProcessor(**PIXELS),
        tokenizer,
        Qwen2VLVideoProcessor(**PIXELS),
        chat_template=QWEN_TEMPLATE,
    )
    vision = {"depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 2, "out_hidden_size": 64}
    config = Qwen2_5_VLConfig(
        vision_config={**vision, "window_size": 56, "fullatt_block_indexes": [1]},
        text_config=text(tokenizer, rope_parameters=QWEN_ROPE),
        **_qwen_ids(tokenizer),
    )
    return _written(folder, seed, Qwen2_5_VLForConditionalGeneration, config, processor)


def make_qwen3_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen3-VL: 16-pixel patches, and what its first vision block sees joins the language model's first layer."""
    tokenizer = _qwen_tokenizer()
    images = Qwen2VLImageProcessor(patch_size=16, min_pixels=32 * 32 * 4, max_pixels=32 * 32 * 12)
    processor = Qwen3VLProcessor(images, tokenizer, Qwen3VLVideoProcessor(), chat_template=QWEN_TEMPLATE)
    vision = {"depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 2, "out_hidden_size": 64}
    config = Qwen3VLConfig(
        vision_config={**vision, "num_position_embeddings": 64, "deepstack_visual_indexes": [0]},
        text_config=text(tokenizer, head_dim=16, rope_parameters={**QWEN_ROPE, "mrope_interleaved": True}),
        **_qwen_ids(tokenizer),
    )
    return _written(folder, seed, Qwen3VLForConditionalGeneration, config, processor)


PIXELS = {"min_pixels": 28 * 28 * 4, "max_pixels": 28 * 28 * 12}
QWEN_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
QWEN_TOKENS = {
    "image": "<|image_pad|>",
    "video": "<|video_pad|>",
    "vision_start": "<|vision_start|>",
    "vision_end": "<|vision_end|>",
}


def make_qwen3(folder: Path, seed: int = 0) -> Path:
    """Qwen3: a language model that would think first, were it not told otherwise."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>"]
    tokenizer = make_tokenizer(special, {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"})
    tokenizer.chat_template = (
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
        "{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"
        "{% endif %}"
    )
    torch.manual_seed(seed)
    model = Qwen3ForCausalLM(Qwen3Config(**text(tokenizer, head_dim=16)))
    return save(folder, model, tokenizer, tokenizer.eos_token_id, tokenizer.pad_token_id)
