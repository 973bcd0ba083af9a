"""Bytes that a loaded model's tensors hold, counted one by one. Knows nothing of what they should be.

Imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn


def held_bytes(model: nn.Module) -> int:
    """Bytes of all parameters and buffers, and of the scales that bitsandbytes keeps beside them; shared ones once."""
    tensors = {tensor.data_ptr(): tensor for tensor in _tensors(model) if tensor.numel()}
    return sum(tensor.nbytes for tensor in tensors.values())


def _tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    yield from model.buffers()
    for parameter in model.parameters():
        yield parameter.data
        rows = getattr(parameter, "SCB", None)
        if rows is not None:
            yield rows
        state = getattr(parameter, "quant_state", None)
        if state is not None:
            yield from (state.absmax, state.code)
            scales = getattr(state, "state2", None)
            if scales is not None:  # on a CPU they are unpacked at the first use
                yield from (state.offset, scales.absmax, scales.code)
