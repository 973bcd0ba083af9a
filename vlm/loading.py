"""Loads a model from a folder: precision, quantisation, adapter. Knows nothing of prompts or of where files come from.

Imports torch and transformers; import it where a model is needed, not before.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoProcessor, AutoTokenizer, BitsAndBytesConfig, GenerationConfig

from imaging.memory import keep_freed_memory
from vlm.adapters import adapts, attach_adapter, check_adapter
from vlm.config import ModelConfig
from vlm.errors import ModelUnusable, OutOfMemory, UnsupportedQuantisation, one_line
from vlm.families.control_tokens import ControlTokens
from vlm.last_row import can_read_last_row
from vlm.precision import auto_class, compute_dtype, kept_linears, without_weights
from vlm.quiet import quiet
from vlm.trunk import take_features
from vlm.vision import fold_norms, lay_channels_last, set_vision_dtype
from vlm.weights import adapter_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loaded:
    """A model ready to speak. `stop_ids` end an answer; `context` is the longest prompt with its answer, in tokens;
    `virtual_tokens` are those of a soft prompt (`vlm.soft_prompt`), for which `generate` needs room made."""

    model: Any
    processor: Any
    tokenizer: Any
    control: ControlTokens
    device: torch.device
    stop_ids: tuple[int, ...]
    context: int
    virtual_tokens: int = 0


def load(config: ModelConfig, folder: Path, adapter: Path | None, *, training: bool = False) -> Loaded:
    """The model in `folder`, loaded as `config` says, with the adapter of that folder where one is given.

    `adapter` may be a training run's folder, too. With `training` its weights are those of its files, number by number:
    no norm is folded, and gradients come through it.

    Raises ModelUnusable, UnsupportedQuantisation, OutOfMemory, AdapterNotFound and AdapterMismatch.
    """
    where = f"model {config.name}: {folder}"
    if config.trust_remote_code:
        log.warning("%s: running code that came with the model, because its configuration says so", where)
    _check_kind(config, folder, where)
    if adapter is not None:
        adapter = adapter_folder(adapter)
        check_adapter(adapter, config, folder)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu":
        keep_freed_memory()
    with quiet():
        processor = _load_processor(config, folder, where)
        model = _load_model(config, folder, device, where)
        tokenizer = config.how.tokenizer(processor)
        stop_ids = _stop_ids(model, config.how.end_ids(tokenizer))
        # The checkpoint's own sampling defaults must not leak into a decoding that GenerationParams describe.
        model.generation_config = GenerationConfig(
            eos_token_id=list(stop_ids),
            pad_token_id=tokenizer.pad_token_id,
            bad_words_ids=model.generation_config.bad_words_ids,
        )
        if config.how.vision_tower is not None:
            tower = model.get_submodule(config.how.vision_tower)
            if not training and (adapter is None or not adapts(adapter, config.how.vision_tower)):
                fold_norms(tower)  # an adapter of convolutions was trained beside the norms
            lay_channels_last(tower)
            set_vision_dtype(tower, config, model.dtype, device)
            if config.how.takes_features and not training:
                take_features(tower)
        if training:
            _keep_differentiable(model)
        else:
            can_read_last_row(model)
        if adapter is not None:
            model = attach_adapter(model, adapter, config)
    return _loaded(model, processor, tokenizer, device, stop_ids)


def sketch(config: ModelConfig, folder: Path) -> Loaded:
    """As `load`, but the model is on torch's meta device: its shape without its weights, which are not read.

    Raises ModelUnusable.
    """
    where = f"model {config.name}: {folder}"
    _check_kind(config, folder, where)
    with quiet():
        processor = _load_processor(config, folder, where)
        try:
            model = without_weights(config, folder)
            if (folder / "generation_config.json").is_file():
                model.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelUnusable(f"{where} is no model of its family: {one_line(error)}") from error
        tokenizer = config.how.tokenizer(processor)
        stop_ids = _stop_ids(model, config.how.end_ids(tokenizer))
    return _loaded(model, processor, tokenizer, torch.device("meta"), stop_ids)


def _loaded(model: Any, processor: Any, tokenizer: Any, device: torch.device, stop_ids: tuple[int, ...]) -> Loaded:
    return Loaded(
        model=model.eval(),
        processor=processor,
        tokenizer=tokenizer,
        control=ControlTokens(tokenizer.added_tokens_decoder.values()),
        device=device,
        stop_ids=stop_ids,
        context=model.config.get_text_config().max_position_embeddings,
        virtual_tokens=len(model.soft_prompt.weight) if hasattr(model, "soft_prompt") else 0,
    )


def _check_kind(config: ModelConfig, folder: Path, where: str) -> None:
    try:
        stored = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{where}/config.json cannot be read: {one_line(error)}") from error
    kind = stored.get("model_type")
    if kind not in config.how.model_types:
        expected = " or ".join(config.how.model_types)
        raise ModelUnusable(
            f"{where} holds a {kind} model, but family {config.family} is {expected}. Correct family or path"
        )
    if "quantization_config" in stored:
        _check_stored_quantisation(config, str(stored["quantization_config"].get("quant_method")), where)


def _check_stored_quantisation(config: ModelConfig, method: str, where: str) -> None:
    if method != "bitsandbytes":
        raise UnsupportedQuantisation(
            f"{where} is stored in {method}, which is not loaded here (docs/models.md says why). Take the 16-bit files "
            f"with --set model.quantisation=nf4, or have a server run it: --model server"
        )
    if config.quantisation != "none":
        raise UnsupportedQuantisation(
            f"{where} is stored quantised already. Load it with --set model.quantisation=none, or take the 16-bit files"
        )


def _load_processor(config: ModelConfig, folder: Path, where: str) -> Any:
    try:
        kind = AutoTokenizer if config.how.max_images == 0 else AutoProcessor
        processor = kind.from_pretrained(
            folder, local_files_only=True, trust_remote_code=config.trust_remote_code, **config.how.processor_options
        )
    except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
        raise ModelUnusable(f"{where}: its processor cannot be loaded: {one_line(error)}") from error
    tokenizer = config.how.tokenizer(processor)
    if tokenizer is None:
        raise ModelUnusable(f"{where}: no processor_config.json or preprocessor_config.json beside its config.json")
    tokenizer.padding_side = "left"  # answers must follow their prompts
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    config.how.prepare(processor, where)
    return processor


def _load_model(config: ModelConfig, folder: Path, device: torch.device, where: str) -> Any:
    dtype = compute_dtype(config, device)
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": config.trust_remote_code}
    if config.quantisation != "none":
        options["quantization_config"] = _quantisation(config, folder, dtype, device)
        options["device_map"] = {"": device}
    try:
        loaded: Any = auto_class(config).from_pretrained(
            folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **options
        )
        if config.quantisation == "none":  # quantised weights are placed as they are read
            loaded[0].to(device)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(
            f"{where} does not fit in this GPU's memory. Quantise it with --set model.quantisation=nf4, or take a "
            f"smaller model"
        ) from error
    except ImportError as error:
        raise UnsupportedQuantisation(f"{where} in {config.quantisation}: {one_line(error)}") from error
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise ModelUnusable(f"{where} cannot be loaded: {one_line(error)}") from error
    model, report = loaded
    lacking = sorted(report["missing_keys"])
    if lacking:  # transformers would fill these with random numbers
        raise ModelUnusable(f"{where}: its files lack {len(lacking)} of the model's tensors, the first {lacking[0]}")
    return model


def _quantisation(config: ModelConfig, folder: Path, dtype: torch.dtype, device: torch.device) -> BitsAndBytesConfig:
    kept = kept_linears(config, without_weights(config, folder), device, str(folder))
    if config.quantisation == "int8":
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=kept,
    )


def _keep_differentiable(model: Any) -> None:
    """On a CPU with bf16, bitsandbytes packs NF4 weights anew when they are first asked for inference, a look at the
    dev split is enough, and from then on no gradient comes through them: it must not, whoever looks."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _stop_ids(model: Any, ends: list[int]) -> tuple[int, ...]:
    """Tokens that end an answer: those of the checkpoint, and `ends`, the tokenizer's own."""
    own = model.generation_config.eos_token_id
    ids = list(own) if isinstance(own, list) else [own]
    return tuple(dict.fromkeys(i for i in [*ids, *ends] if i is not None))
