"""What of a model is trained, and how: low-rank matrices, vectors before the prompt, or its own weights.

All that is not named in `Adapted.trained` stays as it is, bit by bit: weights, and what norms remember of batches.
Imports torch and transformers; import it where a model is at hand, not before.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from finetune.config import FinetuneConfig, Method
from finetune.errors import AdaptError
from finetune.targets import idle_modules, lora_targets, projector_modules
from rag.opening import model_config
from vlm.adapters import BASE, SOFT_PROMPT, AdapterBase
from vlm.config import SERVER, Dtype, ModelConfig
from vlm.loading import Loaded
from vlm.quiet import quiet
from vlm.soft_prompt import attach_soft_prompt
from vlm.vision import natively_bf16
from vlm.weights import ADAPTER_WEIGHTS, find_files, fingerprint

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@dataclass(frozen=True)
class Adapted:
    """A model made ready to be trained. `trained` has each tensor that is, by its name in `model`, and the numbers in
    it; `frozen` counts all other weights."""

    model: Any = field(repr=False)
    """Its `train()` keeps a frozen vision tower and all batch norms in the mode that they run in."""
    trained: dict[str, int]
    frozen: int
    loaded: Loaded = field(repr=False)
    """As it was loaded, around `model`."""
    base: AdapterBase | None
    """What an adapter is for; None where the model's own weights are trained."""
    folder: Path
    """With the files of the base."""
    method: Method
    in_full: tuple[str, ...]
    """Full names of the modules that are trained in full beside low-rank matrices: the projector's."""

    @property
    def summary(self) -> str:
        """What is trained, in one line."""
        count = sum(self.trained.values())
        beside = f", and in full {', '.join(self.in_full)}" if self.in_full else ""
        return f"{self.method}: trains {count:,} of {count + self.frozen:,} weights{beside}"


def base_config(config: FinetuneConfig) -> ModelConfig:
    """The model to load for this run: with qlora in NF4, in the precision that it trains in.

    Raises AdaptError for what this family cannot be tuned by, before anything is loaded, and ConfigError.
    """
    model = model_config(config.resolved_settings().model)
    if model.family == SERVER:
        raise AdaptError(f"model {model.name} is a server's, and is trained there. Take one with files")
    family, where = model.how, f"model {model.name} of family {model.family}"
    if config.method == "soft_prompt" and not family.soft_prompts:
        raise AdaptError(f"{where} reads no soft prompt. Take method lora")
    if config.projector and family.projector is None:
        raise AdaptError(f"{where} has no projector. Leave out projector: true")
    if config.vision == "trained" and family.vision_tower is None:
        raise AdaptError(f"{where} reads no image. Leave out vision: trained")
    quantisation = "nf4" if config.method == "qlora" else model.quantisation
    if config.method == "full" and quantisation != "none":
        raise AdaptError(f"weights in {quantisation} cannot be trained: set method qlora, or quantisation none")
    return model.model_copy(
        update={
            "quantisation": quantisation,
            # Weights that are trained themselves move by less than 16 bits can tell.
            "dtype": "fp32" if config.method == "full" else precision(config),
            "vision_dtype": "model" if config.vision == "trained" else model.vision_dtype,
        }
    )


def precision(config: FinetuneConfig) -> Dtype:
    """The precision of a run's arithmetic on this machine: where it is not asked for, bf16 on a GPU that has it, fp16
    on another, fp32 on a CPU."""
    if config.training.precision != "auto":
        return config.training.precision
    if not torch.cuda.is_available():
        return "fp32"
    return "bf16" if natively_bf16(torch.device("cuda")) else "fp16"


def adapt(loaded: Loaded, model: ModelConfig, config: FinetuneConfig) -> Adapted:
    """Makes the model of `load(..., training=True)` ready to be trained as `config` says; `model` is its base_config.

    What starts at random starts from the run's seed. Raises AdaptError.
    """
    own = loaded.model.requires_grad_(False)
    _hold_still(own, model, trained=config.vision == "trained")
    in_full = projector_modules(own, model.how) if config.projector else []
    soft = config.method == "soft_prompt"
    with torch.random.fork_rng():
        torch.manual_seed(config.training.seed)
        if config.method == "full":
            tuned = own
            _train_all(own, model, config)
        elif soft:
            tuned = own
            _put_soft_prompt(own, loaded, config.soft_prompt.tokens)
        else:
            tuned = _put_lora(own, model, config, in_full)
    trained = {name: tensor.numel() for name, tensor in tuned.named_parameters() if tensor.requires_grad}
    folder = find_files(model)
    return Adapted(
        model=tuned,
        trained=trained,
        frozen=sum(_weights(tensor) for tensor in tuned.parameters() if not tensor.requires_grad),
        loaded=replace(loaded, model=tuned, virtual_tokens=len(own.soft_prompt.weight) if soft else 0),
        base=None if config.method == "full" else _base(model, config, folder),
        folder=folder,
        method=config.method,
        in_full=tuple(in_full) if config.method != "full" else (),
    )


def checkpoint_activations(adapted: Adapted) -> bool:
    """Activations of layers that learn are computed again for their gradients, not kept; False where a model cannot.

    transformers then also lets the embeddings of every tower ask for gradients, which only reentrant checkpointing
    needs. A frozen tower, which is never in training mode and so never checkpointed, would keep all that it computed.
    """
    model = adapted.loaded.model
    if not model.supports_gradient_checkpointing:
        return False
    model.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    model.disable_input_require_grads()
    return True


def save(adapted: Adapted, folder: Path) -> None:
    """Writes what was trained: an adapter's folder for `--adapter`; of method full a model's, for --set model.path."""
    folder.mkdir(parents=True, exist_ok=True)
    if adapted.base is None:
        write_model(adapted.model, adapted.folder, folder)
        return
    from peft import PromptTuningConfig, get_peft_model_state_dict

    if adapted.method == "soft_prompt":
        weight = adapted.model.soft_prompt.weight
        said: Any = PromptTuningConfig(
            task_type="CAUSAL_LM", num_virtual_tokens=len(weight), token_dim=weight.shape[1], inference_mode=True,
            num_transformer_submodules=1,
        )  # fmt: skip
        state = {SOFT_PROMPT: weight}
    else:
        said = adapted.model.peft_config["default"]
        state = get_peft_model_state_dict(adapted.model, save_embedding_layers=False)
    # peft would name the folder on this machine.
    said.base_model_name_or_path = adapted.base.hub_id or adapted.base.name
    trains, said.inference_mode = said.inference_mode, True
    said.save_pretrained(folder)
    said.inference_mode = trains
    part = folder / f".{ADAPTER_WEIGHTS}.part"
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, part, {"format": "pt"})
    part.replace(folder / ADAPTER_WEIGHTS)
    said_of_base = adapted.base.model_dump(mode="json", exclude_none=True)
    (folder / BASE).write_text(json.dumps(said_of_base, indent=1) + "\n", encoding="utf-8")


def write_model(model: Any, base: Path, folder: Path) -> None:
    """Writes the weights of `model` and, from the folder of its base, all else that it needs to be loaded."""
    for file in sorted(base.iterdir()):
        if file.suffix in (".json", ".jinja", ".txt", ".model") and not file.name.endswith(".index.json"):
            shutil.copyfile(file, folder / file.name)
    generation = (folder / "generation_config.json").is_file()
    with quiet():
        model.save_pretrained(folder)
    kept = base / "generation_config.json"
    if generation:  # the one of a loaded model is ours, not the checkpoint's
        shutil.copyfile(kept, folder / kept.name)


def _put_lora(model: Any, config: ModelConfig, asked: FinetuneConfig, in_full: list[str]) -> Any:
    from peft import LoraConfig, get_peft_model

    targets = lora_targets(
        model, config.how, asked.lora.targets, vision=asked.vision == "trained", projector=asked.projector
    )
    lora = LoraConfig(
        r=asked.lora.rank,
        lora_alpha=asked.lora.alpha,  # type: ignore[arg-type]  # peft divides it, whole or not
        lora_dropout=asked.lora.dropout,
        target_modules=targets,
        modules_to_save=in_full or None,
        use_dora=asked.method == "dora",
    )
    with warnings.catch_warnings():
        # peft asks transformers by a name that transformers will drop.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        tuned = get_peft_model(model, lora)
    for name in in_full:
        _train_in_fp32(model.get_submodule(name).modules_to_save["default"], model.dtype)
    return tuned


def _train_in_fp32(module: nn.Module, dtype: torch.dtype) -> None:
    """Weights in 16 bits would not move by small steps; what goes in and comes out is as it was."""
    if dtype == torch.float32:
        return
    module.float()
    module.register_forward_pre_hook(lambda _, args: tuple(a.float() if _is_float(a) else a for a in args))
    module.register_forward_hook(lambda _, args, output: output.to(dtype))  # noqa: ARG005 - the protocol


def _is_float(value: object) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _put_soft_prompt(model: Any, loaded: Loaded, tokens: int) -> None:
    """Starts from embeddings of tokens drawn at random, as Lester et al. (2021) found good."""
    embedding = model.get_input_embeddings()
    known = min(
        len(loaded.tokenizer), embedding.num_embeddings
    )  # some tokens have no embedding, as PaliGemma's <image>
    ids = torch.randint(0, known, (tokens,), device=loaded.device)
    attach_soft_prompt(model, embedding(ids))


def _train_all(model: Any, config: ModelConfig, asked: FinetuneConfig) -> None:
    """All weights but those of a frozen tower, of a frozen projector, and those that nothing depends on."""
    family = config.how
    projector, idle = projector_modules(model, family), idle_modules(model, family)
    vision = asked.vision == "trained"
    for name, tensor in model.named_parameters():
        if _within(name, idle):
            continue
        if _within(name, projector):
            tensor.requires_grad_(asked.projector)
        else:
            tensor.requires_grad_(vision or not _within(name, [family.vision_tower or ""]))


def _within(name: str, modules: list[str]) -> bool:
    return any(name.startswith(f"{module}.") for module in modules)


def _hold_still(model: Any, config: ModelConfig, *, trained: bool) -> None:
    """Keeps the vision tower in the mode that it runs in, whoever calls `train`; of one that is trained, its norms.

    A batch of training is too small for a batch norm to learn from, and one record's features must not depend on
    another's.
    """
    if config.how.vision_tower is None:
        return
    tower = model.get_submodule(config.how.vision_tower)
    for module in _norms(tower) if trained else (tower,):
        module.eval()
        module.train = _Still(module)  # type: ignore[method-assign]


def _norms(tower: nn.Module) -> Iterator[nn.Module]:
    return (module for module in tower.modules() if isinstance(module, _NORMS))


class _Still:
    """In place of a module's `train`: leaves it in evaluation."""

    def __init__(self, module: nn.Module) -> None:
        self._module = module

    def __call__(self, mode: bool = True) -> nn.Module:  # noqa: ARG002 - the protocol
        return nn.Module.train(self._module, False)


def _weights(tensor: torch.Tensor) -> int:
    """Numbers in a tensor; in one of 4 bits, two are in each byte."""
    state = getattr(tensor, "quant_state", None)
    return tensor.numel() if state is None else int(torch.Size(state.shape).numel())


def _base(model: ModelConfig, config: FinetuneConfig, folder: Path) -> AdapterBase:
    if config.method == "full":
        raise AdaptError("a model trained in full has no base")
    return AdapterBase(
        model=str(Path(config.model).absolute()) if config.model.endswith((".yaml", ".yml")) else config.model,
        path=config.path and config.path.absolute(),
        name=model.name,
        hub_id=model.hub_id,
        revision=model.revision,
        fingerprint=fingerprint(folder),
        method=config.method,
        quantisation=model.quantisation,
        dtype=model.dtype,
    )
