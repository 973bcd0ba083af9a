"""Tiny models of PaliGemma and Gemma 3."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    PaliGemmaConfig,
    PaliGemmaForConditionalGeneration,
)

from tests.vlm.tiny_parts import made, quieten, save, text
from vlm.cost.vocabulary import image_ids, make_tokenizer


def make_paligemma(folder: Path, seed: int = 0, language: str = "gemma") -> Path:
    """PaliGemma: 16 image tokens, a prefix read in both directions, no chat template.

    Its vision tower's 48 hidden units are no whole number of NF4 blocks, as the real one's 4304 are not.
    """
    tokenizer = make_tokenizer("paligemma")
    vision = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = PaliGemmaConfig(
        vision_config={**vision, "image_size": 56, "patch_size": 14, "projection_dim": 64, "vision_use_head": False},
        text_config=text(tokenizer, model_type=language, head_dim=16),
        projection_dim=64,
        hidden_size=64,
        **image_ids("paligemma", tokenizer),
    )
    model = made(seed, PaliGemmaForConditionalGeneration, config)
    if language == "gemma2":
        quieten(model)
    return save(folder, model, tokenizer)


def make_paligemma2(folder: Path, seed: int = 0) -> Path:
    """PaliGemma 2: the same around a Gemma 2."""
    return make_paligemma(folder, seed, "gemma2")


def make_gemma3(folder: Path, seed: int = 0) -> Path:
    """Gemma 3: 4 image tokens between a start and an end, one layer with a sliding window and one without."""
    tokenizer = make_tokenizer("gemma3")
    vision = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = Gemma3Config(
        vision_config={**vision, "image_size": 56, "patch_size": 14, "vision_use_head": False},
        text_config=text(
            tokenizer, head_dim=16, query_pre_attn_scalar=16, layer_types=["sliding_attention", "full_attention"]
        ),
        mm_tokens_per_image=4,
        **image_ids("gemma3", tokenizer),
    )
    model = made(seed, Gemma3ForConditionalGeneration, config)
    torch.nn.init.normal_(model.model.multi_modal_projector.mm_input_projection_weight)  # starts as zeros
    quieten(model)
    end_of_turn = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    return save(folder, model, tokenizer, [tokenizer.eos_token_id, end_of_turn])
