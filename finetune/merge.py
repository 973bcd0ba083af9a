"""An adapter worked into the weights of its base: a model's folder of its own, which answers as the adapter does.

Merged in fp32 from the base's own weights, never from 4-bit ones, and stored in the precision of the base. It gets its
name only once it was loaded again and gave the adapter's scores. Imports torch and transformers.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from safetensors import SafetensorError, safe_open

from batch.export.placing import placed_folder
from finetune.adapt import write_model
from finetune.errors import MergeError
from finetune.probes import Said, ask, difference, same_answers
from vlm.adapters import AdapterBase, adapter_config, read_base
from vlm.config import ModelConfig, load_model_config
from vlm.errors import one_line
from vlm.loading import load
from vlm.weights import adapter_fingerprint, adapter_folder, find_files, fingerprint, weight_files

Stored = Literal["fp32", "bf16", "fp16"]
MODEL, CARD, DATA = "model.yaml", "README.md", "data.json"
_DTYPES: dict[Stored, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
_NAMES: dict[str, Stored] = {"F32": "fp32", "BF16": "bf16", "F16": "fp16"}
"""Of safetensors."""
TOLERANCE: dict[Stored, float] = {"fp32": 1e-3, "fp16": 0.05, "bf16": 0.3}
"""How far scores may be from the adapter's, in standard deviations: what rounding each weight once comes to. The merged
model in fp32, before it is rounded, is held to the first."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Merged:
    """A merged model and how far it is from its adapter. Differences are of scores, in their standard deviations."""

    folder: Path
    dtype: Stored
    exact: float
    """Of the merged weights in fp32."""
    stored: float
    """Of the weights as they are in the folder."""
    answers: int
    same: int
    """Answers of the folder's model that are the adapter's, token by token."""
    quantised: float | None
    """Of the adapter on its 4-bit base, where it was trained on one: what merging into more bits changes."""

    @property
    def text(self) -> str:
        """In one line."""
        bits = "" if self.quantised is None else f"; the adapter on its own 4-bit base is {self.quantised:.2g} away"
        return (
            f"{self.same} of {self.answers} probe answers are the adapter's; scores differ by {self.stored:.2g} of "
            f"their standard deviation as stored in {self.dtype}, {self.exact:.2g} in fp32{bits}"
        )


def merge(
    adapter: Path,
    out: Path,
    *,
    model: str | None = None,
    path: Path | None = None,
    dtype: Stored | None = None,
    tell: Tell = lambda _: None,
) -> Merged:
    """Writes the folder `out`: weights, processor, model.yaml for --model, a card.

    `adapter` is an adapter's folder or a run's; `model` and `path` say what its base is where base.json does not;
    `dtype` is the base's own where none is given. Raises MergeError, where nothing is left, BatchError where `out`
    cannot be written, and what loading raises: AdapterNotFound, AdapterMismatch, ModelNotFound.
    """
    folder = adapter_folder(adapter)
    base = _base_of(folder)
    own = _own_config(folder, base, model, path)
    files = find_files(own)
    _check_stored(own, files)
    kept = dtype or _stored_dtype(files)
    exact_config = own.model_copy(update={"quantisation": "none", "dtype": "fp32", "vision_dtype": "model"})
    tell(f"merging {folder} into {own.name} ({files}), to be stored in {kept}")
    with placed_folder(out) as part:
        said, exact = _merged(exact_config, files, folder, part, kept)
        _write_config(part, own, out.name)
        again = _ask_again(part, said)
        stored = difference(said, again)
        _check(stored, kept, folder, "as it is stored")
        quantised = _from_quantised(own, base, files, folder, said)
        merged = Merged(out, kept, exact, stored, len(said.answers), same_answers(said, again), quantised)
        _write_data(folder, part)
        (part / CARD).write_text(_card(own, files, folder, merged, base), encoding="utf-8")
    return merged


def _base_of(folder: Path) -> AdapterBase | None:
    """Raises AdapterNotFound for what is no adapter, MergeError for one that changes no weights."""
    if adapter_config(folder).get("peft_type") == "PROMPT_TUNING":
        raise MergeError(f"adapter {folder} is a soft prompt, which changes no weights: use it with --adapter")
    return read_base(folder)


def _own_config(folder: Path, base: AdapterBase | None, model: str | None, path: Path | None) -> ModelConfig:
    name = model or (base.model if base else None)
    if name is None:
        raise MergeError(f"adapter {folder} has no base.json: say with --model what it was trained on")
    taken = path or (base.path if base and model is None else None)
    config = load_model_config(name, path=taken)
    if config.server is not None:
        raise MergeError(f"model {config.name} is a server's: there are no weights to merge into")
    return config


def _check_stored(config: ModelConfig, files: Path) -> None:
    try:
        stored = json.loads((files / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return  # loading says what is wrong
    if "quantization_config" in stored:
        raise MergeError(
            f"model {config.name}: {files} is stored quantised, and nothing is merged into rounded weights. Give the "
            f"16-bit files with --set model.path=FOLDER"
        )


def _stored_dtype(files: Path) -> Stored:
    """The precision that most of a model's weights are stored in; fp32 where that is none of the three."""
    count: Counter[str] = Counter()
    for file in weight_files(files):
        try:
            with safe_open(file, framework="pt") as tensors:
                count.update(tensors.get_slice(name).get_dtype() for name in tensors.keys())  # noqa: SIM118 - no mapping
        except SafetensorError:
            return "fp32"  # loading says what is wrong
    return _NAMES.get(count.most_common(1)[0][0], "fp32") if count else "fp32"


def _merged(config: ModelConfig, files: Path, adapter: Path, part: Path, dtype: Stored) -> tuple[Said, float]:
    """Writes the weights; returns what the adapter says, and how far the merged model is from it in fp32."""
    loaded = load(config, files, adapter, training=True)  # norms are not folded: what is stored is as it was
    said = ask(config, loaded)
    try:
        model: Any = loaded.model.merge_and_unload(safe_merge=True)
    except ValueError as error:
        raise MergeError(f"adapter {adapter} cannot be merged: {one_line(error)}") from error
    exact = difference(said, ask(config, replace(loaded, model=model.eval()), said))
    _check(exact, "fp32", adapter, "in fp32")
    try:
        write_model(model.to(_DTYPES[dtype]), files, part)
    except (SafetensorError, RuntimeError) as error:
        raise MergeError(f"the merged weights cannot be written: {one_line(error)}") from error
    return said, exact


def _ask_again(part: Path, said: Said) -> Said:
    """What the folder says once it is loaded as anybody would, in fp32."""
    config = load_model_config(str(part / MODEL), dtype="fp32", vision_dtype="model")
    return ask(config, load(config, find_files(config), None), said)


def _check(found: float, dtype: Stored, adapter: Path, how: str) -> None:
    if not found <= TOLERANCE[dtype]:  # NaN is no small difference
        raise MergeError(
            f"the merged model does not answer as adapter {adapter} does: {how} its scores differ by {found:.3g} of "
            f"their standard deviation, more than {TOLERANCE[dtype]:g}. Nothing was left"
        )


def _from_quantised(
    config: ModelConfig, base: AdapterBase | None, files: Path, adapter: Path, said: Said
) -> float | None:
    if base is None or base.quantisation == "none":
        return None
    asked = config.model_copy(update={"quantisation": base.quantisation, "dtype": base.dtype, "vision_dtype": "model"})
    return difference(said, ask(asked, load(asked, files, adapter, training=True), said))


def _write_config(part: Path, base: ModelConfig, name: str) -> None:
    """model.yaml: the base's own, with these files."""
    own = {"hub_id", "revision", "path", "architecture", "quantisation", "name", "notes", "server"}
    said = base.model_dump(mode="json", exclude_defaults=True, exclude=own)
    said = {"name": name, "path": ".", **said, "notes": f"An adapter merged into {base.name}"}
    (part / MODEL).write_text(yaml.safe_dump(said, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _write_data(adapter: Path, part: Path) -> None:
    """What the adapter learned from, where its run says so: `push` asks for the licences."""
    for place in (adapter, adapter.parent):
        if (place / DATA).is_file():
            shutil.copyfile(place / DATA, part / DATA)
            return


def _card(config: ModelConfig, files: Path, adapter: Path, merged: Merged, base: AdapterBase | None) -> str:
    method = base.method if base else "lora"
    head = {
        "base_model": config.hub_id or config.name,
        "base_model_relation": "finetune",
        "library_name": "transformers",
        "license": "other",
        "license_name": f"that of {config.name} ({config.license}), and those of the data",
        "tags": ["lumenscribe", "biomedical", method],
    }
    return "\n\n".join(
        [
            f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
            f"# {merged.folder.name}",
            "For research only; not for diagnosis.",
            f"An adapter ({method}, {adapter_fingerprint(adapter)}) merged into {config.name} ({fingerprint(files)}, "
            f"licence {config.license}). Checked when it was made: {merged.text}.",
            f"```\npython cli.py caption --image IMAGE --model FOLDER/{MODEL}\n```\n",
        ]
    )
