"""Vectors before a prompt that stand where tokens do (prompt tuning: Lester et al., 2021).

They are tokens below zero: -1 is the first vector, -2 the second. They stand between a row's padding and its prompt,
so that an answer is the same in any batch, and images are found as ever. Imports torch; import it where a model is at
hand, not before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class SoftPrompt(nn.Module):
    """`weight` is `(tokens, width)`, in fp32 whatever the model computes in."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach().float().clone())

    def forward(self, ids: torch.Tensor, embedded: torch.Tensor) -> torch.Tensor:
        """`embedded` `(n, length, width)` of `ids` `(n, length)`, with the vectors where ids are below zero."""
        vectors = self.weight[(-1 - ids).clamp(min=0)].to(embedded.dtype)
        return torch.where((ids < 0)[..., None], vectors, embedded)


def attach_soft_prompt(model: Any, weight: torch.Tensor) -> SoftPrompt:
    """Has `model` read the vectors of `weight` `(tokens, width)` before each prompt. They become `model.soft_prompt`.

    A prompt without room for them gets it (`make_room`). Whoever generates makes room first, because `generate` keeps
    a mask of its own.
    """
    embedding = model.get_input_embeddings()
    plain = embedding.forward
    soft = SoftPrompt(weight.to(embedding.weight.device))
    model.soft_prompt = soft
    embedding.forward = lambda ids: soft(ids, plain(ids.clamp(min=0)))
    model.base_model.register_forward_pre_hook(_Roomy(len(soft.weight)), with_kwargs=True)
    return soft


def make_room(inputs: Mapping[str, Any], tokens: int) -> dict[str, Any]:
    """`inputs` with that many tokens below zero between the padding and the prompt of each row.

    `input_ids` are `(n, length)`, left-padded; so becomes every input with a value a token `(n, length + tokens, ...)`.
    """
    ids = inputs["input_ids"]
    mask = inputs.get("attention_mask")
    rows, length = ids.shape
    padding = torch.zeros_like(ids[:, :1]) if mask is None else (mask == 0).sum(dim=1, keepdim=True)
    places = torch.arange(length + tokens, device=ids.device).expand(rows, -1)
    # From each row with the new tokens behind it: padding, new tokens, all the rest.
    order = torch.where(places < padding, places, places + length - padding)
    order = torch.where(places >= padding + tokens, places - tokens, order)
    row = torch.arange(rows, device=ids.device)[:, None]

    def laid_out(name: str, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.shape[:2] != ids.shape:
            return value
        new = value.new_full((rows, tokens, *value.shape[2:]), int(name == "attention_mask"))
        if name == "input_ids":
            new = (-1 - torch.arange(tokens, device=ids.device, dtype=ids.dtype)).expand(rows, -1)
        return torch.cat([value, new], dim=1)[row, order]

    return {name: laid_out(name, value) for name, value in inputs.items()}


class _Roomy:
    """A forward pre-hook: makes room where a prompt comes without."""

    def __init__(self, tokens: int) -> None:
        self._tokens = tokens

    def __call__(self, _: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]] | None:
        ids, cache = kwargs.get("input_ids"), kwargs.get("past_key_values")
        goes_on = cache is not None and cache.get_seq_length() > 0
        if ids is None or goes_on or bool((ids < 0).any()):
            return None
        return args, {**make_room(kwargs, self._tokens), "position_ids": None}
