"""What this machine computes with, told without loading a model."""

from __future__ import annotations

from pathlib import Path

_DRIVER = Path("/proc/driver/nvidia")


def has_gpu() -> bool:
    """Whether torch has one to use; torch, which takes seconds to import, is only asked where there is a driver."""
    if not _DRIVER.exists():
        return False
    import torch

    return torch.cuda.is_available()
