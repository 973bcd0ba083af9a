"""Whether two models read pictures by the same trunk: then what one of them has read the other need not read again.

Both look at the whole picture squashed to a square, bicubically, and leave a map of features for it in
`LoadedImage.features`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open


@dataclass(frozen=True)
class Trunk:
    """A timm model of one name and how pixels come to it: `side` x `side`, of each channel `(value - mean) / std`."""

    architecture: str
    side: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def trunk_digest(trunk: Trunk, weights: Path, prefix: str) -> str | None:
    """32 hex digits of a trunk and of its tensors, those of a safetensors file whose names begin with `prefix`.

    None where there are none, or in a number format that numpy does not know, such as bfloat16.
    """
    digest = hashlib.sha256(repr(astuple(trunk)).encode())
    try:
        with safe_open(weights, "numpy") as held:
            names: Sequence[str] = sorted(name for name in held.keys() if name.startswith(prefix))  # noqa: SIM118 - no dict
            for name in names:
                tensor = held.get_tensor(name)
                digest.update(f"{name.removeprefix(prefix)} {tensor.dtype} {tensor.shape} ".encode())
                digest.update(tensor.tobytes())
    except (OSError, SafetensorError, TypeError, ValueError):
        return None
    return digest.hexdigest()[:32] if names else None
