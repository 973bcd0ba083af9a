"""How much a model is given to do: tokens and patches by shape. Knows nothing of bytes or of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from vlm.config import ModelConfig

ADAPTER_RANK = 16
"""Rank of the LoRA adapter that tuning is reckoned with."""


@dataclass(frozen=True)
class Work:
    """`batch` prompts of one square image of `image_side` pixels and `text_tokens`, answered in `new_tokens`."""

    batch: int
    text_tokens: int
    new_tokens: int
    image_side: int = 1024


DESCRIBING = Work(batch=1, text_tokens=1024, new_tokens=192)
"""One image with its evidence."""
TUNING = Work(batch=1, text_tokens=256, new_tokens=128)
"""One image with a question and its answer a step; more are accumulated."""

_TILES = 17
"""SmolVLM: four by four, and the whole image once."""
_TILE_MARKS = 3
"""Tokens around the tokens of a tile."""
_WARPED_SIDE = 28
"""Qwen's smallest side; larger sides are rounded to whole merged patches."""


def image_tokens(config: ModelConfig, shape: Any, side: int) -> int:
    """Places that one image takes in the language model's prompt; 0 where it is looked at by cross-attention."""
    if config.family in ("blip", "mllama") or config.how.max_images == 0:
        return 0
    if config.family == "fastvlm":
        return int(shape.image_seq_length)
    if config.family == "gemma3":
        return int(shape.mm_tokens_per_image)
    merged = patches(config, shape, side)
    if config.family == "smolvlm":
        return merged // int(shape.scale_factor**2) + _TILES * _TILE_MARKS
    if config.family in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl"):
        return int(merged // shape.vision_config.spatial_merge_size**2) + 2
    return merged


def patches(config: ModelConfig, shape: Any, side: int) -> int:
    """Patches that the vision tower cuts one image of `side` pixels into; 0 where it cuts none."""
    if config.how.max_images == 0 or config.family == "fastvlm":
        return 0
    vision = shape.vision_config
    if config.family in ("qwen2_vl", "qwen2_5_vl", "qwen3_vl"):
        unit = vision.patch_size * vision.spatial_merge_size
        return (max(_WARPED_SIDE, round(side / unit) * unit) // vision.patch_size) ** 2  # type: ignore[no-any-return]
    tile = (vision.image_size // vision.patch_size) ** 2
    if config.family == "mllama":
        return vision.max_num_tiles * 8 * math.ceil((tile + 1) / 8)  # type: ignore[no-any-return] # with a class token
    return int(tile * _TILES if config.family == "smolvlm" else tile)


def cache_positions(config: ModelConfig, shape: Any, work: Work) -> int:
    """Numbers in the cache of keys and values at the end of `work`. Windows of attention are not taken off."""
    text = shape.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = 2 * heads * (getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)
    layers: int = text.num_hidden_layers
    length = work.text_tokens + work.new_tokens + image_tokens(config, shape, work.image_side)
    looked_at = patches(config, shape, work.image_side)
    if config.family == "mllama":
        crossing = len(text.cross_attention_layers)
        rows = (layers - crossing) * length + crossing * looked_at
    elif config.family == "blip":  # every layer looks at the image beside reading
        rows = layers * (length + looked_at + 1)
    else:
        rows = layers * length
    return int(work.batch * width * rows)
