"""A prompt's last decoder layer, worked out for its last token alone.

What an answer begins with is read off the last row of what that layer gives; of the other tokens it takes keys and
values, and nothing else. So most of one layer's work on a prompt is saved: a fifth, where there are four.
Imports torch and transformers; import it where a model is at hand, not before.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import nn
from transformers.models.llama import modeling_llama
from transformers.models.qwen2 import modeling_qwen2

_KNOWN: dict[type[nn.Module], Any] = {
    modeling_llama.LlamaDecoderLayer: modeling_llama,
    modeling_qwen2.Qwen2DecoderLayer: modeling_qwen2,
}
"""Layers whose steps are the ones below, each with the module of transformers that says how it attends."""

_MASKED_BY_ROW = ("sdpa", "eager")
"""Kinds of attention whose mask has a row for each query."""

_alone: ContextVar[bool] = ContextVar("last_row_alone", default=False)


@contextmanager
def last_row_alone() -> Iterator[None]:
    """Around calls, of this thread, of which the last token's scores and the cache are wanted, and nothing else."""
    token = _alone.set(True)
    try:
        yield
    finally:
        _alone.reset(token)


def can_read_last_row(model: nn.Module) -> bool:
    """Makes the last decoder layer of `model` do no more than is wanted inside `last_row_alone`.

    False, and the model is left as it is, where that layer is of no known kind.
    """
    layers = [module for module in model.modules() if type(module) in _KNOWN]
    if not layers:
        return False
    layer: Any = layers[-1]
    whole, how = layer.forward, _KNOWN[type(layer)]

    def forward(hidden_states: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        masked_by_row = layer.self_attn.config._attn_implementation in _MASKED_BY_ROW
        if args or not _alone.get() or hidden_states.shape[1] == 1 or not masked_by_row:
            given: torch.Tensor = whole(hidden_states, *args, **kwargs)
        else:
            last = hidden_states[:, -1:]
            last = last + _attended(layer.self_attn, how, layer.input_layernorm(hidden_states), **kwargs)
            given = last + layer.mlp(layer.post_attention_layernorm(last))
        return given

    layer.forward = forward
    return True


def _attended(
    attention: Any,
    how: Any,
    states: torch.Tensor,
    position_embeddings: tuple[torch.Tensor, torch.Tensor],
    attention_mask: torch.Tensor | None = None,
    past_key_values: Any = None,
    **kwargs: Any,
) -> torch.Tensor:
    """`(n, 1, width)`: the last row of what `attention` makes of `states` `(n, length, width)`."""

    def heads(projected: torch.Tensor) -> torch.Tensor:
        return projected.view(*projected.shape[:2], -1, attention.head_dim).transpose(1, 2)

    query = heads(attention.q_proj(states[:, -1:]))
    keys, values = heads(attention.k_proj(states)), heads(attention.v_proj(states))
    cos, sin = position_embeddings
    query, _ = how.apply_rotary_pos_emb(query, query[:, :0], cos[:, -1:], sin[:, -1:])
    _, keys = how.apply_rotary_pos_emb(keys[:, :0], keys, cos, sin)
    if past_key_values is not None:
        keys, values = past_key_values.update(keys, values, attention.layer_idx)
    attend = how.ALL_ATTENTION_FUNCTIONS.get_interface(
        attention.config._attn_implementation, how.eager_attention_forward
    )
    mask = None if attention_mask is None else attention_mask[..., -1:, :]
    window = {"sliding_window": attention.sliding_window} if hasattr(attention, "sliding_window") else {}
    row, _ = attend(attention, query, keys, values, mask, dropout=0.0, scaling=attention.scaling, **window, **kwargs)
    out: torch.Tensor = attention.o_proj(row.reshape(len(states), 1, -1))
    return out
