"""How a vision tower computes: norms folded away, its layout in memory, a precision of its own. Imports torch."""

from __future__ import annotations

import logging
from itertools import pairwise
from typing import Any

import torch
from torch import nn
from torch.nn.functional import conv2d
from torch.nn.utils.fusion import fuse_conv_bn_weights

from vlm.config import ModelConfig, VisionDtype

log = logging.getLogger(__name__)


def natively_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is arithmetic that this hardware is quicker at: of CPUs, those with AMX.

    One that has only the vector instructions (AVX512_BF16) took 15 % longer for pocket's captions than in float32:
    Intel's multiply as much in a cycle in either.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_amx_tile_supported())


def vision_dtype(config: ModelConfig, device: torch.device) -> VisionDtype:
    """What the vision tower computes in on this hardware: bf16 where that is asked for and pays, else as the model."""
    return "bf16" if config.vision_dtype == "bf16" and natively_bf16(device) else "model"


def lay_channels_last(tower: nn.Module) -> None:
    """Gives a convolutional tower its weights and pixels in the layout that convolutions are fastest in.

    Leaves a transformer alone: the one convolution by which it cuts its patches gains nothing.
    """
    if sum(isinstance(module, nn.Conv2d) for module in tower.modules()) > 1:
        tower.to(memory_format=torch.channels_last)
        tower.register_forward_pre_hook(_channels_last, with_kwargs=True)


def fold_norms(tower: nn.Module) -> int:
    """Multiplies the batch norms of an EfficientNet of timm's into the convolutions before them; returns how many.

    The same features up to rounding, with a pass less over each map. The state dict keeps its names and says the same
    model: a folded norm is left with its shift, which the convolution adds. Other towers are left as they are. For
    inference alone: a folded norm follows no batch any more.
    """
    if getattr(getattr(tower, "config", None), "model_type", None) != "timm_wrapper":
        return 0
    from timm.layers.norm_act import BatchNormAct2d
    from timm.models._efficientnet_blocks import DepthwiseSeparableConv, InvertedResidual
    from timm.models.efficientnet import EfficientNet

    # In these three, and not in all modules, a norm that stands behind a convolution is applied to what that gives.
    owners = [m for m in tower.modules() if isinstance(m, (EfficientNet, DepthwiseSeparableConv, InvertedResidual))]
    pairs = [
        (conv, norm)
        for owner in owners
        for conv, norm in pairwise(owner.children())
        if type(conv) is nn.Conv2d and type(norm) is BatchNormAct2d
    ]
    for conv, norm in pairs:
        _fold(conv, norm)
    return len(pairs)


def set_vision_dtype(tower: nn.Module, config: ModelConfig, dtype: torch.dtype, device: torch.device) -> None:
    """Makes `tower` compute in what `vision_dtype` says; its weights stay as they are, and what comes out of it is of
    `dtype`. Logs where bf16 is asked for and brings nothing."""
    if vision_dtype(config, device) == "bf16":
        tower.forward = torch.autocast(device.type, torch.bfloat16)(tower.forward)
        tower.register_forward_hook(_Restored(dtype))
    elif config.vision_dtype == "bf16":
        told = "%s: this %s gains nothing by bfloat16; the vision tower computes as the model"
        log.info(told, config.name, device.type)


@torch.no_grad()
def _fold(conv: nn.Conv2d, norm: Any) -> None:
    """`norm` is timm's: a batch norm, then an activation."""
    mean, variance = norm.running_mean, norm.running_var
    weight, shift = fuse_conv_bn_weights(
        conv.weight.float(), conv.bias, mean.float(), variance.float(), norm.eps, norm.weight.float(), norm.bias.float()
    )
    conv.weight.copy_(weight)
    norm.bias.copy_(shift)
    norm.weight.fill_(1.0)
    mean.zero_()
    variance.fill_(1.0 - norm.eps)
    if conv.bias is not None:
        conv.bias.zero_()

    def shifted(input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - the name in the method it stands in for
        return conv2d(input, conv.weight, norm.bias, conv.stride, conv.padding, conv.dilation, conv.groups)

    conv.forward = shifted  # type: ignore[method-assign]
    norm.forward = norm.act.forward


def _channels_last(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], Any]:
    def laid_out(value: Any) -> Any:
        images = isinstance(value, torch.Tensor) and value.ndim == 4
        return value.contiguous(memory_format=torch.channels_last) if images else value

    return tuple(map(laid_out, args)), {key: laid_out(value) for key, value in kwargs.items()}


class _Restored:
    """A forward hook: gives the tensors of a ModelOutput the dtype that the rest of the model computes in."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype

    def __call__(self, _: nn.Module, args: object, output: Any) -> Any:  # noqa: ARG002 - the protocol
        for key, value in output.items():
            if isinstance(value, torch.Tensor) and value.is_floating_point():
                output[key] = value.to(self._dtype)
        return output
