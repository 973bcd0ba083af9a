"""What of a model is quantised and what keeps its precision, read off its shape. Knows nothing of weights or files.

Imports torch and transformers.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import nn
from transformers import AutoConfig

from vlm.config import ModelConfig
from vlm.errors import UnsupportedQuantisation

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
NF4_BLOCK = 64
"""Weights that share one scale in NF4. On a CPU a row must be a whole number of blocks."""
_CPU_ROWS = 32
"""Rows that bitsandbytes packs together in NF4 on a CPU with bfloat16; a layer must be a whole number of them."""


def compute_dtype(config: ModelConfig, device: torch.device) -> torch.dtype:
    """The precision of what is not quantised, and of all arithmetic."""
    return _DTYPES[config.dtype_with(gpu=device.type == "cuda")]


def auto_class(config: ModelConfig) -> Any:
    """The class of transformers that loads models of this family."""
    return getattr(transformers, config.how.auto_class)


def without_weights(config: ModelConfig, source: Path) -> Any:
    """The model on torch's meta device. `source` is a config.json, or a folder with one."""
    with torch.device("meta"):
        shape = AutoConfig.from_pretrained(source, local_files_only=True, trust_remote_code=config.trust_remote_code)
        return auto_class(config).from_config(shape, trust_remote_code=config.trust_remote_code)


def kept_linears(config: ModelConfig, model: nn.Module, device: torch.device, where: str) -> list[str]:
    """Full names of the linear layers of `model` that keep their precision in the config's quantisation.

    Raises UnsupportedQuantisation where that is all of them; `where` names the model's files.
    """
    uneven = config.quantisation == "nf4" and device.type == "cpu"
    linears = {name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    kept = [
        name
        for name, module in linears.items()
        if re.fullmatch(config.how.keep_precision, name)
        or (uneven and (module.in_features % NF4_BLOCK or module.out_features % _CPU_ROWS))
    ]
    if len(kept) == len(linears):
        raise UnsupportedQuantisation(
            f"model {config.name}: no layer of {where} can be held in {config.quantisation} on this {device.type}. "
            f"Load it with --set model.quantisation=none"
        )
    return kept
