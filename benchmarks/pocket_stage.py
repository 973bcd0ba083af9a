"""A vision stage of the recipe, read by its own heads before any language: its folder has `trunk.pt` and `heads.pt`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from imaging.types import Pixels
from pocket import vision
from pocket.trunk import FIELD_SIZE, lower, normalise, squash, upper

FILES = ("trunk.pt", "heads.pt")
_BATCH = 16
Below = NDArray[np.float16]


def named(given: Sequence[str]) -> dict[str, Path]:
    """The folders, or files, of NAME=PATH."""
    return {name: Path(path) for name, _, path in (each.rpartition("=") for each in given)}


def missing(stages: Mapping[str, Path]) -> list[Path]:
    """The files that these folders lack."""
    return [folder / name for folder in stages.values() for name in FILES if not (folder / name).is_file()]


@torch.inference_mode()
def below(trunk: nn.Module, pixels: Sequence[Pixels]) -> Below:
    """What the frozen blocks, which all stages share, make of images of any size."""
    starts = range(0, len(pixels), _BATCH)
    fields = ([squash(np.ascontiguousarray(each), FIELD_SIZE) for each in pixels[n : n + _BATCH]] for n in starts)
    return np.concatenate([lower(trunk, normalise(several)).half().numpy() for several in fields])


@torch.inference_mode()
def read(trunk: nn.Module, folder: Path, hidden: Below) -> Iterator[tuple[torch.Tensor, list[torch.Tensor]]]:
    """What a stage's heads say of batches of `below`, one after the other; the trunk becomes that stage's."""
    trunk.load_state_dict(torch.load(folder / "trunk.pt", weights_only=True))
    heads = vision.Heads()
    heads.load_state_dict(torch.load(folder / "heads.pt", weights_only=True))
    for start in range(0, len(hidden), _BATCH):
        batch = torch.from_numpy(hidden[start : start + _BATCH]).float().contiguous(memory_format=torch.channels_last)
        yield heads(upper(trunk, batch))
