"""The trunk of a generator's vision tower, and how it takes what another model's has read already.

Imports no torch before a tower is at hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imaging.trunk import Trunk, trunk_digest

if TYPE_CHECKING:
    import torch

_BICUBIC = 3
"""Pillow's number for it."""
_COLOURS = 3


def trunk_of(folder: Path, tower: str) -> str | None:
    """The digest of the timm model that `tower`, a module of the model in `folder`, wraps; None where it is none, reads
    no squashed picture, or its weights are in several files. Reads the files."""
    try:
        vision = json.loads((folder / "config.json").read_text(encoding="utf-8"))["vision_config"]
        shown = json.loads((folder / "processor_config.json").read_text(encoding="utf-8"))["image_processor"]
        side = shown["size"]["height"]
        plain = (
            vision["model_type"] == "timm_wrapper"
            and shown["size"]["width"] == side
            and (shown["do_resize"], shown["do_center_crop"], shown["do_normalize"]) == (True, False, True)
            and shown["resample"] == _BICUBIC
            and abs(255 * shown["rescale_factor"] - 1) < 1e-6
        )
        trunk = Trunk(vision["architecture"], side, tuple(shown["image_mean"]), tuple(shown["image_std"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return trunk_digest(trunk, folder / "model.safetensors", f"{tower}.timm_model.") if plain else None


def take_features(tower: Any) -> None:
    """Lets a tower of transformers take features `(n, channels, height, width)`, as it gives them, in place of pixels
    `(n, 3, height, width)`: they go through as they are."""
    from transformers.modeling_outputs import BaseModelOutputWithPooling

    reads = tower.forward

    def forward(pixel_values: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if pixel_values.shape[1] == _COLOURS:
            return reads(pixel_values, *args, **kwargs)
        return BaseModelOutputWithPooling(last_hidden_state=pixel_values)

    tower.forward = forward
