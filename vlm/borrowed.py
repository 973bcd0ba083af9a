"""A model that answers in the middle of its training, and is then trained on as if it had not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def answering(model: Any) -> Iterator[None]:
    """No dropout, no gradients; afterwards every module is in the mode that it was in.

    Not `inference_mode`: what modules keep of it (positions, masks) could not be trained with.
    """
    import torch

    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in before:
            module.training = training
