"""The tokens that all prompts of a batch begin with, read once for all of them.

Knows nothing of what they say. Imports torch and transformers; import it where a model is at hand, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import DynamicCache

LEAST = 32
"""Tokens below which reading them once saves too little to be seen (benchmarks/engine_choices.py)."""


def read_once(model: Any, inputs: Mapping[str, Any]) -> tuple[dict[str, Any], DynamicCache | None]:
    """`inputs` and None, or them laid out anew and what the model has read of their common head.

    `inputs` have `input_ids` `(n, length)`, left-padded. With a head the padding stands behind it, `(n, head + padding
    + rest)`, and so in all inputs of that shape. The head ends before the first image. The cache is for `generate`.
    """
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    head = _common(ids, mask, getattr(model.config, "image_token_id", None))
    if head < LEAST:
        return dict(inputs), None
    first = ids[0, mask[0].bool()][None, :head]
    cache = model(input_ids=first, attention_mask=torch.ones_like(first), use_cache=True, logits_to_keep=1)
    seen: DynamicCache = cache.past_key_values
    seen.batch_repeat_interleave(len(ids))
    order = _padding_behind(mask, head)
    laid = {
        name: value.gather(1, order) if isinstance(value, torch.Tensor) and value.shape == ids.shape else value
        for name, value in inputs.items()
    }
    return laid, seen


def _common(ids: torch.Tensor, mask: torch.Tensor, image: int | None) -> int:
    """How many tokens all rows begin with, padding and images not counted; 0 for a batch of one."""
    if len(ids) < 2:
        return 0
    rows = [row[read.bool()] for row, read in zip(ids, mask, strict=True)]
    shortest = min(map(len, rows)) - 1  # something must be left to go on from
    starts = torch.stack([row[:shortest] for row in rows])
    differ = (starts != starts[0]).any(dim=0)
    if image is not None:
        differ |= starts[0] == image
    places = differ.nonzero()
    return int(places[0]) if len(places) else shortest


def _padding_behind(mask: torch.Tensor, head: int) -> torch.Tensor:
    """`(n, length)`: where each place's token is in rows padded on the left, for rows padded behind their head."""
    places = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    padding = (mask == 0).sum(dim=1, keepdim=True)
    moved = torch.where(places < head, places + padding, places - head)
    return torch.where(places >= head + padding, places, moved)
