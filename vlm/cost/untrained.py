"""Writes a model of the true shape with random weights, so that what it costs can be measured without a download.

Knows nothing of loading or measuring: what it writes is a folder like any other. Imports torch and transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn
from transformers import AutoConfig

from vlm.config import ModelConfig
from vlm.cost.memory import shape_of
from vlm.cost.processors import PUBLISHED, Limits, make_processor
from vlm.cost.vocabulary import image_ids, make_tokenizer, text_ids
from vlm.errors import BenchError

_SHARD_BYTES = 2**30
"""Weights held at once while they are written."""
_SPREAD = 0.02
"""Standard deviation of the weights: that of most models before training."""


def write_untrained(config: ModelConfig, folder: Path, dtype: torch.dtype, limits: Limits = PUBLISHED) -> Path:
    """`folder` with config.json, random weights in `dtype` and a processor, for the shape that `config` names.

    Everything is as large as in the published model, its vocabulary too; the tokenizer knows about 400 tokens of it.
    Raises BenchError where the configuration names no architecture, and ModelUnusable.
    """
    if config.architecture is None:
        raise BenchError(
            f"model {config.name}: its configuration names no architecture to fill with random weights. Measure its "
            f"own files: leave out --random-weights"
        )
    model = shape_of(config)
    shape = json.loads(config.architecture.read_text(encoding="utf-8"))
    kind = shape["model_type"]
    tokenizer = make_tokenizer(kind)
    shape.update(image_ids(kind, tokenizer))
    shape.get("text_config", shape).update(text_ids(kind, tokenizer))
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "config.json", {**shape, "dtype": str(dtype).removeprefix("torch.")})
    ends = text_ids(kind, tokenizer)
    _write(folder / "generation_config.json", {key: ends[key] for key in ("eos_token_id", "pad_token_id")})
    make_processor(AutoConfig.from_pretrained(folder), tokenizer, limits).save_pretrained(folder)
    _write_weights(model, folder, dtype)
    return folder


def _write_weights(model: nn.Module, folder: Path, dtype: torch.dtype) -> None:
    """Tied weights are written once, and never more than a shard of them held."""
    generator = torch.Generator().manual_seed(0)
    where = {}
    for number, shard in enumerate(_shards(model, dtype), start=1):
        file = f"model-{number:05}.safetensors"
        save_file({name: _random(name, shape, dtype, generator) for name, shape in shard.items()}, folder / file)
        where.update(dict.fromkeys(shard, file))
    total = sum(parameter.numel() for parameter in model.parameters()) * dtype.itemsize
    _write(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": where})


def _shards(model: nn.Module, dtype: torch.dtype) -> Iterator[dict[str, torch.Size]]:
    """Names and shapes, as many together as are held at once."""
    shard: dict[str, torch.Size] = {}
    size = 0
    for name, parameter in model.named_parameters():
        if shard and size + parameter.numel() * dtype.itemsize > _SHARD_BYTES:
            yield shard
            shard, size = {}, 0
        shard[name] = parameter.shape
        size += parameter.numel() * dtype.itemsize
    yield shard


def _random(name: str, shape: torch.Size, dtype: torch.dtype, generator: torch.Generator) -> torch.Tensor:
    if len(shape) > 1:
        return torch.empty(shape, dtype=dtype).normal_(std=_SPREAD, generator=generator)
    return torch.ones(shape, dtype=dtype) if name.endswith("weight") else torch.zeros(shape, dtype=dtype)


def _write(path: Path, data: object) -> None:
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")
