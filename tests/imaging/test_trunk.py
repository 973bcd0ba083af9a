"""What makes two trunks the same one."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch

from imaging import LoadedImage
from imaging.trunk import Trunk, trunk_digest

TRUNK = Trunk("net", 8, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
WEIGHTS = {"a.w": np.arange(6, dtype=np.float16).reshape(2, 3), "a.b": np.ones(2, np.float32)}


def written(file: Path, prefix: str, **tensors: np.ndarray) -> Path:
    save_file({f"{prefix}{name.replace('__', '.')}": tensor for name, tensor in tensors.items()}, file)
    return file


def test_the_same_tensors_under_other_names_are_the_same_trunk(tmp_path: Path) -> None:
    one = written(tmp_path / "one", "visual.trunk.", **WEIGHTS)
    other = written(tmp_path / "other", "tower.timm.", **WEIGHTS)
    more = {**{f"tower.timm.{name}": tensor for name, tensor in WEIGHTS.items()}, "head.w": np.ones(3)}
    save_file(more, tmp_path / "more")
    digests = {
        trunk_digest(TRUNK, one, "visual.trunk."),
        trunk_digest(TRUNK, other, "tower.timm."),
        trunk_digest(TRUNK, tmp_path / "more", "tower.timm."),
    }
    assert len(digests) == 1
    assert len(digests.pop() or "") == 32


@pytest.mark.parametrize(
    "trunk", [replace(TRUNK, architecture="x"), replace(TRUNK, side=9), replace(TRUNK, mean=(0.4, 0.5, 0.5))]
)
def test_another_shape_or_other_pixels_are_another_trunk(trunk: Trunk, tmp_path: Path) -> None:
    file = written(tmp_path / "one", "", **WEIGHTS)
    assert trunk_digest(trunk, file, "") != trunk_digest(TRUNK, file, "")


@pytest.mark.parametrize(
    "changed",
    [
        {"a.w": WEIGHTS["a.w"] + np.float16(1)},
        {"a.w": WEIGHTS["a.w"].reshape(3, 2)},
        {"a.b": WEIGHTS["a.b"].astype(np.float64)},
        {"a.c": np.ones(1)},
    ],
)
def test_other_tensors_are_another_trunk(changed: dict[str, np.ndarray], tmp_path: Path) -> None:
    one, other = written(tmp_path / "one", "", **WEIGHTS), written(tmp_path / "other", "", **{**WEIGHTS, **changed})
    assert trunk_digest(TRUNK, one, "") != trunk_digest(TRUNK, other, "")


def test_what_cannot_be_compared_is_no_trunk(tmp_path: Path) -> None:
    file = written(tmp_path / "one", "", **WEIGHTS)
    save_torch({"a": torch.ones(2, dtype=torch.bfloat16)}, tmp_path / "bf16")
    (tmp_path / "broken").write_bytes(b"no tensors")
    assert trunk_digest(TRUNK, file, "visual.") is None
    assert [trunk_digest(TRUNK, tmp_path / name, "") for name in ("bf16", "broken", "absent")] == [None] * 3


def test_features_are_of_one_picture_and_stay_where_they_were_read() -> None:
    image = LoadedImage("a", Image.new("RGB", (4, 4)), "0", "0")
    image.features["trunk"] = "a map"
    assert replace(image, picture=Image.new("RGB", (4, 4), "red")).features == {}
    assert copy.copy(image).features == {}  # as pickle makes one
    assert image.features == {"trunk": "a map"}
