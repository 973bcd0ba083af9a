"""Tiny models of the real classes: random weights, and a tokenizer trained on the spot.

Each `make_*` writes a folder that `AutoProcessor` and `AutoModelForImageTextToText` load, 0.1 to 2 million
parameters, in about a second. The weights say nothing sensible; the shapes, layouts and files are real.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    FastVlmConfig,
    FastVlmForConditionalGeneration,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from tests.vlm.tiny_google import make_gemma3, make_paligemma, make_paligemma2
from tests.vlm.tiny_llama import make_llama, make_llava, make_llava_med, make_mllama
from tests.vlm.tiny_parts import made, save, text
from tests.vlm.tiny_qwen import make_qwen2_5_vl, make_qwen2_vl, make_qwen3, make_qwen3_vl
from vlm.cost.vocabulary import image_ids, make_tokenizer, text_ids


def make_smolvlm(folder: Path, seed: int = 0) -> Path:
    """SmolVLM: 64-pixel tiles of 4 tokens, images split into tiles as the real one does."""
    tokenizer = make_tokenizer("smolvlm")
    config = SmolVLMConfig(**_smolvlm_config(tokenizer))
    return save(folder, made(seed, SmolVLMForConditionalGeneration, config), tokenizer)


def make_idefics3(folder: Path, seed: int = 0) -> Path:
    """SmolVLM as its first checkpoints on the hub are stored: under its forebear's classes."""
    tokenizer = make_tokenizer("idefics3")
    config = Idefics3Config(**_smolvlm_config(tokenizer))
    return save(folder, made(seed, Idefics3ForConditionalGeneration, config), tokenizer)


def _smolvlm_config(tokenizer: Any) -> dict[str, Any]:
    vision = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return {
        "vision_config": {**vision, "image_size": 64, "patch_size": 16},
        "text_config": text(tokenizer, model_type="llama"),
        "scale_factor": 2,
        **image_ids("smolvlm", tokenizer),
    }


def make_blip(folder: Path, seed: int = 0) -> Path:
    """BLIP: a BERT's word pieces, and a first token that its tokenizer does not know."""
    tokenizer = make_tokenizer("blip")
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = BlipConfig(
        text_config={
            **shape, **text_ids("blip", tokenizer), "vocab_size": len(tokenizer) + 2, "encoder_hidden_size": 64,
            "projection_dim": 64, "bos_token_id": len(tokenizer), "initializer_range": 0.2,
        },
        vision_config={**shape, "image_size": 64, "patch_size": 16, "projection_dim": 64, "initializer_range": 0.2},
        projection_dim=64,
    )  # fmt: skip
    return save(folder, made(seed, BlipForConditionalGeneration, config), tokenizer, tokenizer.sep_token_id)


def make_fastvlm(folder: Path, seed: int = 0) -> Path:
    """FastVLM with pocket's trunk: EfficientNet-Lite0 at 224 pixels, 49 image tokens, a small Qwen2."""
    tokenizer = make_tokenizer("fast_vlm")
    trunk = {"model_type": "timm_wrapper", "architecture": "efficientnet_lite0", "num_labels": 0}
    config = FastVlmConfig(
        vision_config={**trunk, "do_pooling": False, "hidden_size": 1280},
        text_config=text(tokenizer, model_type="qwen2"),
        image_seq_length=49,
        **image_ids("fast_vlm", tokenizer),
    )
    model = made(seed, FastVlmForConditionalGeneration, config)
    for module in model.model.modules():  # as it starts, nothing would come through so many layers
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="linear")
    for layer in (model.model.multi_modal_projector.linear_1, model.model.multi_modal_projector.linear_2):
        torch.nn.init.xavier_normal_(layer.weight)
    return save(folder, model, tokenizer)


IMAGE_KINDS = [
    "smolvlm", "idefics3", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "paligemma", "paligemma2", "fastvlm", "llava",
    "llava_med", "gemma3", "mllama", "blip",
]  # fmt: skip
TEXT_KINDS = ["llama", "qwen3"]
ALL_KINDS = [*IMAGE_KINDS, *TEXT_KINDS]
MANY_IMAGES = [kind for kind in IMAGE_KINDS if kind not in ("paligemma", "paligemma2", "blip")]
"""Kinds that take several images in one prompt."""
ADAPTED = {"mllama": 3 * 7, "blip": 2 * 10}
"""Linear layers of the language model that LoRA adapts, where they are not two layers of q, k, v, o, gate, up, down."""
HEAD = {"blip": "text_decoder.cls.predictions.decoder"}
"""What gives the scores of tokens, where it is not lm_head."""
FAMILY_OF = {"idefics3": "smolvlm", "paligemma2": "paligemma", "llava_med": "llava"}
"""The family of a tiny model, where it is not named as its maker."""

MAKERS: dict[str, Callable[..., Path]] = {
    "smolvlm": make_smolvlm,
    "idefics3": make_idefics3,
    "qwen2_vl": make_qwen2_vl,
    "qwen2_5_vl": make_qwen2_5_vl,
    "qwen3_vl": make_qwen3_vl,
    "paligemma": make_paligemma,
    "paligemma2": make_paligemma2,
    "fastvlm": make_fastvlm,
    "llava": make_llava,
    "llava_med": make_llava_med,
    "gemma3": make_gemma3,
    "mllama": make_mllama,
    "blip": make_blip,
    "llama": make_llama,
    "qwen3": make_qwen3,
}
