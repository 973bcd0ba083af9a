"""Tiny models around a Llama: LLaVA, Llama 3.2 Vision, Llama 3 alone."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    LlavaConfig,
    LlavaForConditionalGeneration,
    MllamaConfig,
    MllamaForConditionalGeneration,
)

from tests.vlm.tiny_parts import made, save, text
from vlm.cost.vocabulary import image_ids, make_tokenizer, text_ids


def make_llava(folder: Path, seed: int = 0, language: str = "llama") -> Path:
    """LLaVA-1.5: CLIP's patches without its class token, images before texts as its template has them."""
    tokenizer = make_tokenizer("llava")
    vision = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config={**vision, "model_type": "clip_vision_model", "image_size": 56, "patch_size": 14},
        text_config=text(tokenizer, model_type=language),
        image_seq_length=16,
        **image_ids("llava", tokenizer),
    )
    return save(folder, made(seed, LlavaForConditionalGeneration, config), tokenizer)


def make_llava_med(folder: Path, seed: int = 0) -> Path:
    """LLaVA-Med as it is converted: the same around a Mistral."""
    return make_llava(folder, seed, "mistral")


def make_mllama(folder: Path, seed: int = 0) -> Path:
    """Llama 3.2 Vision: up to four tiles an image; the second of three layers looks at them."""
    tokenizer = make_tokenizer("mllama")
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_global_layers": 1}
    sizes = text(tokenizer, num_hidden_layers=3, cross_attention_layers=[1])
    config = MllamaConfig(
        vision_config={
            **vision, "attention_heads": 2, "image_size": 56, "patch_size": 14, "max_num_tiles": 4,
            "intermediate_layers_indices": [0], "vision_output_dim": 64,
        },
        text_config={**sizes, **text_ids("mllama", tokenizer)},
        **image_ids("mllama", tokenizer),
    )  # fmt: skip
    model = made(seed, MllamaForConditionalGeneration, config)
    for name, parameter in model.named_parameters():
        if name.endswith("gate"):  # starts closed
            torch.nn.init.ones_(parameter)
    return save(folder, model, tokenizer)


def make_llama(folder: Path, seed: int = 0) -> Path:
    """Llama 3: a language model alone."""
    tokenizer = make_tokenizer("llama")
    return save(folder, made(seed, LlamaForCausalLM, LlamaConfig(**text(tokenizer))), tokenizer)
