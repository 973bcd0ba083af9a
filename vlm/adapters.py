"""Adapters: whether one fits a model, and putting it on. peft is imported only where an adapter is asked for.

An adapter's folder is as peft writes it: LoRA and DoRA, with the modules that were trained in full, or a soft prompt.
`base.json` beside them says what model it was trained on.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from safetensors import SafetensorError, safe_open

from configs import ConfigError, StrictModel, parse
from vlm.config import Dtype, ModelConfig, Quantisation
from vlm.errors import AdapterMismatch, AdapterNotFound, one_line
from vlm.weights import ADAPTER_CONFIG, ADAPTER_WEIGHTS, fingerprint

BASE = "base.json"
SOFT_PROMPT = "prompt_embeddings"
"""Under this name peft keeps the vectors of a soft prompt."""
_KINDS = ("LORA", "PROMPT_TUNING")
_PREFIX = "base_model.model."
_LORA_KEY = re.compile(
    r"base_model\.model\.(?P<module>.+)\.lora_((embedding_)?(?P<half>[AB])|(?P<magnitude>magnitude_vector))(\.weight)?"
)

Shapes = Mapping[str, tuple[int, ...]]


class AdapterBase(StrictModel):
    """The model that an adapter was trained on, as `base.json` has it."""

    model: str
    """A name of configs/models/, or a YAML file."""
    path: Path | None = None
    """Folder with its files, where that is not the one that its configuration names."""
    name: str
    hub_id: str | None = None
    revision: str | None = None
    fingerprint: str = Field(pattern=r"^[0-9a-f]{12}$")
    """See `vlm.weights.fingerprint`."""
    method: Literal["lora", "qlora", "dora", "soft_prompt"]
    quantisation: Quantisation
    dtype: Dtype


def read_base(adapter: Path) -> AdapterBase | None:
    """What `base.json` in an adapter's folder says; None where there is none. Raises AdapterNotFound."""
    file = adapter / BASE
    if not file.is_file():
        return None
    try:
        return parse(AdapterBase, json.loads(file.read_text(encoding="utf-8")), BASE)
    except (OSError, ValueError, ConfigError) as error:
        raise AdapterNotFound(f"adapter {file} cannot be read: {one_line(error)}") from error


def check_adapter(adapter: Path, config: ModelConfig, folder: Path) -> None:
    """What can be known before the model in `folder` is loaded: whether the adapter is there, and made for this model.

    Raises AdapterNotFound and AdapterMismatch. Hub ids are compared where both have one; else fingerprints, since
    folders have other names on other machines; shapes tell of the rest later.
    """
    said = adapter_config(adapter)
    if not (adapter / ADAPTER_WEIGHTS).is_file():
        raise AdapterNotFound(f"adapter {adapter}: no {ADAPTER_WEIGHTS} there. Give the folder that training wrote")
    if said.get("peft_type") not in _KINDS:
        raise AdapterMismatch(
            f"adapter {adapter} is of kind {said.get('peft_type')}, which is not used here; known are LoRA, DoRA and "
            f"prompt tuning"
        )
    base = read_base(adapter)
    hub_id = _hub_id(said, base)
    if hub_id and config.hub_id:
        if hub_id != config.hub_id:
            raise AdapterMismatch(_mismatch(adapter, config, f"this one is {config.hub_id}"))
    elif base is not None and (here := fingerprint(folder)) != base.fingerprint:
        raise AdapterMismatch(
            f"adapter {adapter} was trained on {base.name} with fingerprint {base.fingerprint}, and this {config.name} "
            f"has {here}: other weights. Give the model it was trained on, with --model or --set model.path=FOLDER"
        )


def attach_adapter(model: Any, adapter: Path, config: ModelConfig) -> Any:
    """`model` with the adapter in folder `adapter` on it, for inference.

    Raises AdapterNotFound where its weights are damaged, and AdapterMismatch where a layer's shape is another model's.
    """
    shapes = tensor_shapes(adapter)
    if adapter_config(adapter).get("peft_type") == "PROMPT_TUNING":
        return _with_soft_prompt(model, adapter, shapes, config)
    _check_shapes(model, shapes, adapter, config)
    from peft import PeftModel, get_peft_model_state_dict

    try:
        with warnings.catch_warnings():
            # peft asks transformers by a name that transformers will drop.
            warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
            warnings.filterwarnings("ignore", "Found missing adapter keys", UserWarning)  # told below
            tuned = PeftModel.from_pretrained(model, str(adapter), is_trainable=False)
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise AdapterMismatch(_mismatch(adapter, config, one_line(error))) from error
    lacking = sorted(get_peft_model_state_dict(tuned, save_embedding_layers=False).keys() - shapes.keys())
    if lacking:  # peft would leave these as they start
        raise AdapterNotFound(
            f"adapter {adapter}/{ADAPTER_WEIGHTS} is damaged: it lacks {len(lacking)} of its tensors, the first "
            f"{lacking[0].removeprefix(_PREFIX)}"
        )
    return tuned


def tensor_shapes(adapter: Path) -> Shapes:
    """The shapes of an adapter's tensors by name. Raises AdapterNotFound where its file is damaged."""
    try:
        with safe_open(adapter / ADAPTER_WEIGHTS, framework="pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118 - no mapping
    except SafetensorError as error:
        raise AdapterNotFound(f"adapter {adapter}/{ADAPTER_WEIGHTS} is damaged: {one_line(error)}") from error


def adapts(adapter: Path, module: str) -> bool:
    """Whether the adapter changes layers of that module. Raises AdapterNotFound where its file is damaged."""
    return any(key.startswith(f"{_PREFIX}{module}.") and ".lora_" in key for key in tensor_shapes(adapter))


def _with_soft_prompt(model: Any, adapter: Path, shapes: Shapes, config: ModelConfig) -> Any:
    from vlm.soft_prompt import attach_soft_prompt

    if SOFT_PROMPT not in shapes:
        raise AdapterNotFound(f"adapter {adapter}/{ADAPTER_WEIGHTS} is damaged: it has no {SOFT_PROMPT}")
    if not config.how.soft_prompts:
        raise AdapterMismatch(_mismatch(adapter, config, f"family {config.family} reads no soft prompt"))
    want, have = shapes[SOFT_PROMPT][-1], model.get_input_embeddings().embedding_dim
    if want != have:
        raise AdapterMismatch(_mismatch(adapter, config, f"its vectors are {want} wide and tokens {have} here"))
    with safe_open(adapter / ADAPTER_WEIGHTS, framework="pt") as file:
        attach_soft_prompt(model, file.get_tensor(SOFT_PROMPT))
    return model


def adapter_config(adapter: Path) -> dict[str, Any]:
    """An adapter's adapter_config.json. Raises AdapterNotFound."""
    file = adapter / ADAPTER_CONFIG
    if not file.is_file() and (adapter / "config.json").is_file():
        raise AdapterNotFound(f"adapter {adapter} is a whole model: use it with --set model.path={adapter}")
    if not file.is_file():
        raise AdapterNotFound(f"adapter {adapter}: no {file.name} there. Give the folder that training wrote")
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AdapterNotFound(f"adapter {file} cannot be read: {one_line(error)}") from error
    if not isinstance(said, dict):
        raise AdapterNotFound(f"adapter {file} cannot be read: it is no JSON object")
    return said


def _hub_id(said: Mapping[str, Any], base: AdapterBase | None) -> str | None:
    """The hub id of the model that the adapter was made for; of one that peft alone wrote, where it is no folder."""
    if base is not None:
        return base.hub_id
    name = str(said.get("base_model_name_or_path") or "")
    return name if re.fullmatch(r"[\w.-]+/[\w.-]+", name) and not Path(name).exists() else None


def _check_shapes(model: Any, shapes: Shapes, adapter: Path, config: ModelConfig) -> None:
    """Every tensor must find its layer with the width that it was trained at."""
    layers = dict(model.named_modules())
    own = {name: tuple(tensor.shape) for name, tensor in chain(model.named_parameters(), model.named_buffers())}
    for key, shape in shapes.items():
        match = _LORA_KEY.fullmatch(key)
        if match is None:
            name = key.removeprefix(_PREFIX)
            if own.get(name) != shape:
                said = f"this one has no {name}" if name not in own else f"{name} is {shape} there and {own[name]} here"
                raise AdapterMismatch(_mismatch(adapter, config, said))
            continue
        layer = layers.get(match["module"])
        if layer is None:
            raise AdapterMismatch(_mismatch(adapter, config, f"this one has no {match['module']}"))
        inner = match["half"] == "A"
        have = _width(layer, inner)
        want = max(shape) if match["magnitude"] else shape[1] if inner else shape[0]
        if have != want:
            raise AdapterMismatch(_mismatch(adapter, config, f"{match['module']} is {want} wide there and {have} here"))


def _width(layer: Any, inner: bool) -> int | None:
    """How much goes into a layer, or comes out of it; None where it is no layer that can be adapted."""
    names = (("in_features", "out_features"), ("in_channels", "out_channels"), ("num_embeddings", "embedding_dim"))
    return next((getattr(layer, pair[not inner]) for pair in names if hasattr(layer, pair[0])), None)


def _mismatch(adapter: Path, config: ModelConfig, why: str) -> str:
    base = adapter_config(adapter).get("base_model_name_or_path")
    made_for = f" (it was made for {base})" if base else ""
    return f"adapter {adapter} does not fit model {config.name}{made_for}: {why}. Choose its own model with --model"
