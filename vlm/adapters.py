"""LoRA adapters: whether one fits a model, and putting it on. peft is imported only where an adapter is asked for."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from vlm.config import ModelConfig
from vlm.errors import AdapterMismatch, AdapterNotFound, one_line

_WEIGHTS = "adapter_model.safetensors"
_LORA_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<half>[AB])\.weight")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


def check_adapter(adapter: Path, config: ModelConfig) -> None:
    """What can be known before the model is loaded: whether the adapter is there, and made for this hub model.

    Raises AdapterNotFound and AdapterMismatch. Compares hub ids only: folders have other names on other machines, and
    shapes tell of those later.
    """
    base = _base_model(adapter)
    if not (adapter / _WEIGHTS).is_file():
        raise AdapterNotFound(f"adapter {adapter}: no {_WEIGHTS} there. Give the folder that training wrote")
    if base and config.hub_id and _HUB_ID.fullmatch(base) and not Path(base).exists() and base != config.hub_id:
        raise AdapterMismatch(_mismatch(adapter, config, f"this one is {config.hub_id}"))


def attach_adapter(model: Any, adapter: Path, config: ModelConfig) -> Any:
    """`model` with the adapter in folder `adapter` on it, for inference.

    Raises AdapterNotFound where its weights are damaged, and AdapterMismatch where a layer's shape is another model's.
    """
    _check_shapes(model, adapter, config)
    from peft import PeftModel

    try:
        with warnings.catch_warnings():
            # peft asks transformers by a name that transformers will drop.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            return PeftModel.from_pretrained(model, str(adapter), is_trainable=False)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise AdapterMismatch(_mismatch(adapter, config, one_line(error))) from error


def _base_model(adapter: Path) -> str | None:
    """The hub id or folder of the model that the adapter was made for, as the adapter says."""
    file = adapter / "adapter_config.json"
    if not file.is_file():
        raise AdapterNotFound(f"adapter {adapter}: no {file.name} there. Give the folder that training wrote")
    try:
        base = json.loads(file.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise AdapterNotFound(f"adapter {file} cannot be read: {one_line(error)}") from error
    return str(base) if base else None


def _check_shapes(model: Any, adapter: Path, config: ModelConfig) -> None:
    """Every LoRA half must find its layer with the width it was trained at."""
    layers = dict(model.named_modules())
    try:
        with safe_open(adapter / _WEIGHTS, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise AdapterNotFound(f"adapter {adapter}/{_WEIGHTS} is damaged: {one_line(error)}") from error
    for key, shape in shapes.items():
        match = _LORA_KEY.fullmatch(key)
        if match is None:
            continue
        layer = layers.get(match["module"])
        if layer is None:
            raise AdapterMismatch(_mismatch(adapter, config, f"this one has no {match['module']}"))
        have = getattr(layer, "in_features" if match["half"] == "A" else "out_features", None)
        want = shape[1] if match["half"] == "A" else shape[0]
        if have != want:
            raise AdapterMismatch(_mismatch(adapter, config, f"{match['module']} is {want} wide there and {have} here"))


def _mismatch(adapter: Path, config: ModelConfig, why: str) -> str:
    base = _base_model(adapter)
    made_for = f" (it was made for {base})" if base else ""
    return f"adapter {adapter} does not fit model {config.name}{made_for}: {why}. Choose its own model with --model"
