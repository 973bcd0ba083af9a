"""A model that answers in the middle of its training, and is then trained on as if it had not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PACKS_FOR_CPU = "support_avx512bf16_for_cpu"
"""Of a 4-bit layer of bitsandbytes: whether it lays its weights out anew for a CPU when it first answers."""


@contextmanager
def answering(model: Any) -> Iterator[None]:
    """No dropout, no gradients; afterwards every module is in the mode that it was in.

    Not `inference_mode`: what modules keep of it (positions, masks) could not be trained with. Layers in NF4 stay in
    training mode, which changes nothing in them but this: on a CPU with bf16, one that answers packs its weights in
    a layout that no gradient passes through, and never unpacks them.
    """
    import torch

    before = [(module, module.training) for module in model.modules()]
    model.eval()
    for module, _ in before:
        if hasattr(module, _PACKS_FOR_CPU):
            module.training = True
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in before:
            module.training = training
