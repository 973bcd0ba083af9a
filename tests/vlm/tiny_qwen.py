"""Tiny models of Qwen: three that see, one that reads."""

from __future__ import annotations

from pathlib import Path

from transformers import (
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLConfig,
    Qwen2VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from tests.vlm.tiny_parts import made, save, text
from vlm.cost.vocabulary import image_ids, make_tokenizer

QWEN_ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}


def make_qwen2_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen2-VL: 14-pixel patches merged two by two, any aspect ratio, rotary positions in three axes."""
    tokenizer = make_tokenizer("qwen2_vl")
    config = Qwen2VLConfig(
        vision_config={"depth": 2, "embed_dim": 64, "hidden_size": 64, "num_heads": 2},
        text_config=text(tokenizer, rope_parameters=QWEN_ROPE),
        **image_ids("qwen2_vl", tokenizer),
    )
    return save(folder, made(seed, Qwen2VLForConditionalGeneration, config), tokenizer)


def make_qwen2_5_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen2.5-VL: as Qwen2-VL, its vision blocks with windows, the second one without."""
    tokenizer = make_tokenizer("qwen2_5_vl")
    vision = {"depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 2, "out_hidden_size": 64}
    config = Qwen2_5_VLConfig(
        vision_config={**vision, "window_size": 56, "fullatt_block_indexes": [1]},
        text_config=text(tokenizer, rope_parameters=QWEN_ROPE),
        **image_ids("qwen2_5_vl", tokenizer),
    )
    return save(folder, made(seed, Qwen2_5_VLForConditionalGeneration, config), tokenizer)


def make_qwen3_vl(folder: Path, seed: int = 0) -> Path:
    """Qwen3-VL: 16-pixel patches, and what its first vision block sees joins the language model's first layer."""
    tokenizer = make_tokenizer("qwen3_vl")
    vision = {"depth": 2, "hidden_size": 64, "intermediate_size": 96, "num_heads": 2, "out_hidden_size": 64}
    config = Qwen3VLConfig(
        vision_config={**vision, "num_position_embeddings": 64, "deepstack_visual_indexes": [0]},
        text_config=text(tokenizer, head_dim=16, rope_parameters={**QWEN_ROPE, "mrope_interleaved": True}),
        **image_ids("qwen3_vl", tokenizer),
    )
    return save(folder, made(seed, Qwen3VLForConditionalGeneration, config), tokenizer)


def make_qwen3(folder: Path, seed: int = 0) -> Path:
    """Qwen3: a language model that would think first, were it not told otherwise."""
    tokenizer = make_tokenizer("qwen3")
    return save(folder, made(seed, Qwen3ForCausalLM, Qwen3Config(**text(tokenizer, head_dim=16))), tokenizer)
