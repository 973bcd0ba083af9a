"""Batch norms folded into the convolutions before them: a third off a convolutional tower's time on a CPU.

Imports torch and timm; import it where a model is at hand, not before.
"""

from __future__ import annotations

from typing import Any

import torch
from timm.layers import BatchNormAct2d  # type: ignore[attr-defined]
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fold_batch_norms(tower: nn.Module, pixels: torch.Tensor) -> int:
    """Folds what can be folded in a tower in eval mode, and returns how many batch norms that were.

    Vectors move by rounding alone, less than 1e-5. Which convolution feeds which norm is seen in a forward pass over
    `pixels`, not guessed from names.
    """
    pairs = _fed(tower, pixels)
    for conv, norm in pairs:
        _replace(tower, conv, fuse_conv_bn_eval(conv, norm))
        # timm's class is a norm with its activation.
        _replace(tower, norm, nn.Sequential(norm.drop, norm.act) if isinstance(norm, BatchNormAct2d) else nn.Identity())
    return len(pairs)


def _fed(tower: nn.Module, pixels: torch.Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Each convolution that ran once, with the batch norm that takes its output."""
    ran: list[tuple[nn.Conv2d, torch.Tensor]] = []
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []

    def after(conv: Any, _: Any, output: torch.Tensor) -> None:
        ran.append((conv, output))

    def before(norm: Any, args: tuple[Any, ...]) -> None:
        pairs.extend((conv, norm) for conv, output in ran if output is args[0])

    hooks = [m.register_forward_hook(after) for m in tower.modules() if isinstance(m, nn.Conv2d)]
    norms = [m for m in tower.modules() if type(m) in (nn.BatchNorm2d, BatchNormAct2d)]
    hooks += [m.register_forward_pre_hook(before) for m in norms]
    with torch.inference_mode():
        tower(pixels)
    for hook in hooks:
        hook.remove()
    once = [conv for conv, _ in ran]
    return [(conv, norm) for conv, norm in pairs if once.count(conv) == 1]


def _replace(tower: nn.Module, old: nn.Module, new: nn.Module) -> None:
    name = next(name for name, module in tower.named_modules() if module is old)
    tower.set_submodule(name, new)
