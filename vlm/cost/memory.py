"""Bytes that a model takes to describe and to tune, by arithmetic over its shape. Measures nothing, loads no weights.

Imports torch and transformers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vlm.config import ModelConfig, Quantisation
from vlm.cost.work import ADAPTER_RANK, DESCRIBING, TUNING, Work, cache_positions, image_tokens, patches
from vlm.errors import ModelNotFound, ModelUnusable, one_line
from vlm.precision import NF4_BLOCK, compute_dtype, kept_linears, without_weights
from vlm.weights import on_disk

GIB = 2**30
RESERVE = int(0.6 * GIB)
"""What CUDA, cuBLAS and bitsandbytes take of a GPU before the first tensor, and what the allocator cannot use: an
allowance, not measured here."""
_HIDDEN, _WIDEST = 8, 3
"""As measured with SmolVLM-256M on a CPU: 1,031 MiB in hand in the vision tower for 17,408 patches in fp32."""
_NESTED_BLOCK = 256
"""Scales of NF4 that share one scale of their own: double quantisation (Dettmers et al., QLoRA, 2023, section 3)."""
_NF4_TABLES = 4 * (16 + 256 + 1)
"""The fp32 values of NF4, those of the 8-bit scales, and their mean: bitsandbytes keeps them with every layer."""
_LORA_BYTES = 4
"""peft holds adapters in fp32, whatever the model is in."""
SCORED_TOGETHER = 128
"""Tokens whose scores `finetune run` holds at once."""
_DEPTHS = ("num_hidden_layers", "depth")
"""How configurations of vision towers call their number of blocks."""
_ADAM_BLOCK = 256
"""Values of an 8-bit optimiser's moment that share an fp32 scale (bitsandbytes)."""
_ADAM_STATES = 2
"""First and second moment, fp32 (Kingma and Ba, 2015)."""


@dataclass(frozen=True)
class Memory:
    """Bytes by what they are for."""

    terms: Mapping[str, int]

    @property
    def gib(self) -> float:
        return sum(self.terms.values()) / GIB


def architecture_of(config: ModelConfig) -> Path:
    """Where the model's shape is read: its own files where they are here, else configs/architectures.

    Raises ModelNotFound where there is neither.
    """
    source = config.architecture or on_disk(config)
    if source is None:
        raise ModelNotFound(
            f"model {config.name}: its files are not on this machine and its configuration names no architecture, so "
            f"what it costs cannot be reckoned. Fetch it: python cli.py models pull {config.name}"
        )
    return source


def shape_of(config: ModelConfig) -> Any:
    """The model on torch's meta device; models of one shape share it. Raises ModelNotFound and ModelUnusable."""
    source = architecture_of(config)
    try:
        return _shape(config.family, source)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnusable(f"model {config.name}: {source} is no shape of it: {one_line(error)}") from error


@lru_cache(maxsize=32)
def _shape(family: str, source: Path) -> Any:
    bare = {"name": "shape", "family": family, "path": source, "prompt_tokens": 16, "caption_prompt": "zero_shot"}
    return without_weights(ModelConfig.model_validate({**bare, "license": "", "parameters": 1}), source)


def count_parameters(model: nn.Module) -> int:
    """Weights of a model, tied ones once."""
    return sum(parameter.numel() for parameter in model.parameters())


def weight_bytes(model: nn.Module, kept: Collection[str], quantisation: Quantisation, dtype: torch.dtype) -> int:
    """Bytes of a model's parameters, buffers and scales once loaded; the linear layers `kept` are not quantised."""
    packed = set() if quantisation == "none" else {id(layer.weight) for _, layer in _linears(model, kept)}
    plain = sum(p.numel() for p in model.parameters() if id(p) not in packed) * dtype.itemsize
    saved = model.state_dict().keys()  # buffers that are not saved stay as they are made: fp32 rotary frequencies
    buffers = sum(
        buffer.numel() * (dtype.itemsize if buffer.is_floating_point() and name in saved else buffer.itemsize)
        for name, buffer in model.named_buffers()
    )
    if quantisation == "none":
        return plain + buffers
    layer_bytes = _nf4_bytes if quantisation == "nf4" else _int8_bytes
    return plain + buffers + sum(layer_bytes(layer) for _, layer in _linears(model, kept))


def describing(config: ModelConfig, device: torch.device, work: Work = DESCRIBING) -> Memory:
    """What describing `work` takes at its peak on `device`: the model, its cache, what passes through it.

    Weights once loaded; the largest quantised layer in full, as it is multiplied; keys and values of every token; the
    larger of what the vision tower and the language model have in hand (`_passing`), and one row of scores a prompt.
    Raises ModelNotFound and UnsupportedQuantisation.
    """
    model = shape_of(config)
    dtype = compute_dtype(config, device)
    weights, workspace = _weights(config, model, device, dtype)
    return Memory(
        {
            "weights": weights,
            "workspace": workspace,
            "cache": cache_positions(config, model.config, work) * dtype.itemsize,
            "activations": _passing(config, model, work, dtype)
            + work.batch * _vocabulary(model) * (4 + dtype.itemsize),
            "reserve": RESERVE if device.type == "cuda" else 0,
        }
    )


@dataclass(frozen=True)
class Tuned:
    """What is trained of a model and how, as far as memory is concerned."""

    numbers: int
    """How many are trained."""
    in_place: bool = False
    """Whether they are weights of the model itself, which need no room of their own."""
    eight_bit: bool = False
    """Whether the optimiser's moments are held in 8 bits."""
    checkpointed: bool = True
    """Whether a layer's inner values are worked out anew for its gradients, in place of being held."""
    vision: bool = False
    """Whether gradients pass through the vision tower."""
    scored: int | None = None
    """Tokens that have a score at a position that is learned; none: the vocabulary."""


def tuning(config: ModelConfig, device: torch.device, work: Work = TUNING, rank: int = ADAPTER_RANK) -> Memory:
    """What `finetune run` takes for a LoRA adapter of `rank` at its peak on `device`, layers checkpointed.

    Raises ModelNotFound and UnsupportedQuantisation.
    """
    return tuned(config, device, work, Tuned(adapter_parameters(config, shape_of(config), rank)))


def tuned(config: ModelConfig, device: torch.device, work: Work, what: Tuned) -> Memory:
    """What `finetune run` takes at its peak on `device` for a batch of `work`.

    The model as for describing; what is trained in fp32, its gradients and Adam's two moments, in fp32 or 8 bits with a
    scale a block; the input of every layer that gradients pass through (Chen et al., 2016) and one layer worked out
    anew, twice for its gradients (once where none pass), or, without checkpoints, what is in hand in all of them;
    scores of the answers' tokens, so many at a time (SCORED_TOGETHER), in the compute precision, in fp32 and their
    gradients. Raises ModelNotFound and UnsupportedQuantisation.
    """
    model = shape_of(config)
    dtype = compute_dtype(config, device)
    weights, workspace = _weights(config, model, device, dtype)
    moments = what.numbers * (1 + 4 / _ADAM_BLOCK if what.eight_bit else 4)
    return Memory(
        {
            "weights": weights,
            "workspace": workspace,
            "adapter": 0 if what.in_place else what.numbers * _LORA_BYTES,
            "gradients": what.numbers * _LORA_BYTES,
            "optimiser": int(_ADAM_STATES * moments),
            "activations": _held_for_gradients(config, model, work, what, dtype),
            "reserve": RESERVE if device.type == "cuda" else 0,
        }
    )


def _held_for_gradients(config: ModelConfig, model: Any, work: Work, what: Tuned, dtype: torch.dtype) -> int:
    text = model.config.get_text_config()
    tokens = work.batch * (work.text_tokens + work.new_tokens + image_tokens(config, model.config, work.image_side))
    inside = _HIDDEN * text.hidden_size + _WIDEST * text.intermediate_size
    held = tokens * text.num_hidden_layers * (text.hidden_size if what.checkpointed else inside)
    seen = work.batch * _seen(config, model, work)
    if what.vision:  # a checkpoint holds one hidden state of those in hand
        held += _seen_blocks(model) * (seen // _HIDDEN if what.checkpointed else seen)
    # Values and their gradients; no gradients reach a frozen tower.
    passing = max(2 * work.batch * _read(config, model, work), seen * (2 if what.vision else 1))
    positions = min(work.batch * (work.new_tokens + 1), SCORED_TOGETHER)
    scores = positions * (what.scored or _vocabulary(model)) * (2 * dtype.itemsize + 4)
    return int((held + passing) * dtype.itemsize + scores)


def adapter_parameters(config: ModelConfig, model: nn.Module, rank: int) -> int:
    """Weights of a LoRA adapter: `rank` times in and out of every layer that the family adapts (Hu et al., 2021)."""
    adapted = (layer for name, layer in _linears(model, ()) if re.fullmatch(config.how.lora_targets, name))
    return rank * sum(layer.in_features + layer.out_features for layer in adapted)


def _weights(config: ModelConfig, model: nn.Module, device: torch.device, dtype: torch.dtype) -> tuple[int, int]:
    """Bytes of the weights, and of the largest layer that is unpacked to be multiplied."""
    if config.quantisation == "none":
        return weight_bytes(model, (), "none", dtype), 0
    kept = kept_linears(config, model, device, config.source)
    largest = max(layer.weight.numel() for _, layer in _linears(model, kept))
    return weight_bytes(model, kept, config.quantisation, dtype), largest * dtype.itemsize


def _passing(config: ModelConfig, model: Any, work: Work, dtype: torch.dtype) -> int:
    """Bytes in hand inside the widest layer, by token: `_HIDDEN` hidden states and `_WIDEST` of its MLP, an allowance.

    Attention is assumed never to hold its whole matrix (PyTorch's scaled_dot_product_attention does not). What a
    convolutional trunk has in hand is left out.
    """
    return int(work.batch * max(_read(config, model, work), _seen(config, model, work)) * dtype.itemsize)


def _read(config: ModelConfig, model: Any, work: Work) -> int:
    """Numbers in hand inside a block of the language model, for one prompt."""
    text = model.config.get_text_config()
    tokens = work.text_tokens + image_tokens(config, model.config, work.image_side)
    return int(tokens * (_HIDDEN * text.hidden_size + _WIDEST * text.intermediate_size))


def _seen(config: ModelConfig, model: Any, work: Work) -> int:
    """Numbers in hand inside a block of the vision tower, for one prompt; 0 where it reads no image."""
    if config.how.vision_tower is None:
        return 0
    tower = model.get_submodule(config.how.vision_tower)
    layers = [layer for _, layer in _linears(tower, ())]
    if not layers:  # a convolutional trunk
        return 0
    hidden = min(layer.in_features for layer in layers)
    widest = max(layer.out_features for layer in layers)
    return patches(config, model.config, work.image_side) * (_HIDDEN * hidden + _WIDEST * widest)


def _seen_blocks(model: Any) -> int:
    """Blocks of the vision tower, by its configuration; 1 of a trunk that says nothing of them."""
    vision = getattr(model.config, "vision_config", None)
    return next((n for name in _DEPTHS if (n := getattr(vision, name, None)) is not None), 1)


def _linears(model: nn.Module, kept: Collection[str]) -> list[tuple[str, nn.Linear]]:
    kept = set(kept)
    return [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Linear) and n not in kept]


def _nf4_bytes(layer: nn.Linear) -> int:
    """4 bits a weight, 8 a block of 64 of them, 32 a block of 256 blocks; and the tables."""
    numbers = layer.weight.numel()
    blocks = math.ceil(numbers / NF4_BLOCK)
    return math.ceil(numbers / 2) + blocks + 4 * math.ceil(blocks / _NESTED_BLOCK) + _NF4_TABLES


def _int8_bytes(layer: nn.Linear) -> int:
    """8 bits a weight and an fp32 scale a row."""
    return layer.weight.numel() + 4 * layer.out_features


def _vocabulary(model: Any) -> int:
    return int(model.config.get_text_config().vocab_size)
