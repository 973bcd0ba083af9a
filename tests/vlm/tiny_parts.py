"""What the tiny models share: how they are made and saved, and their sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from vlm.cost.processors import Limits, make_processor
from vlm.cost.vocabulary import text_ids

FEW = Limits(tiles=2, most_patches=12)


def made(seed: int, model_class: Any, config: Any) -> Any:
    """The model with random weights."""
    torch.manual_seed(seed)
    return model_class(config)


def save(folder: Path, model: Any, tokenizer: Any, eos: int | list[int] | None = None) -> Path:
    """Writes the model with its processor; an answer ends with `eos`, by default the tokenizer's own."""
    # A vocabulary row never trained keeps its random embedding; the seed keeps a test's text the same every run.
    model.generation_config.eos_token_id = tokenizer.eos_token_id if eos is None else eos
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    model.save_pretrained(folder)
    make_processor(model.config, tokenizer, FEW).save_pretrained(folder)
    return folder


def quieten(model: Any) -> None:
    """Gemmas scale what they read up; at random weights they would only ever repeat the last token."""
    with torch.no_grad():
        model.get_input_embeddings().weight.mul_(0.05)


def text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """Sizes of a language model of 64 units in two layers."""
    return {
        "vocab_size": len(tokenizer),
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 2048,
        **text_ids("llama", tokenizer),
        "initializer_range": 0.2,
        **more,
    }
