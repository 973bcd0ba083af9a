from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from tests.vlm import tiny
from tests.vlm.conftest import asked, picture, prompt
from tests.vlm.test_vlm_engine import SHORT, Configs, run, words
from vlm import (
    AdapterMismatch,
    AdapterNotFound,
    ModelConfig,
    ModelNotFound,
    ModelUnusable,
    OutOfMemory,
    Prompt,
    UnsupportedQuantisation,
    VlmError,
    open_engine,
)

PROMPTS = [prompt("Describe.", picture(1)), prompt("What is shown in this image?", picture(2))]
Folders = Callable[[str], Path]


def linears(model: Any, kind: str) -> list[str]:
    return [name for name, module in model.named_modules() if type(module).__name__ == kind]


def prompts_of(kind: str) -> list[Prompt]:
    return [asked(kind, "Describe.", picture(1)), asked(kind, "What is shown in this image?", picture(2))]


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
@pytest.mark.parametrize(("quantisation", "layer"), [("nf4", "Linear4bit"), ("int8", "Linear8bitLt")])
def test_quantised_models_load_and_answer(kind: str, quantisation: str, layer: str, config_of: Configs) -> None:
    config = config_of(kind, quantisation=quantisation)
    engine = open_engine(config)
    model = engine.load().model
    language = [name for name in linears(model, layer) if re.fullmatch(config.how.lora_targets, name)]
    assert len(language) == tiny.ADAPTED.get(kind, 14)
    assert tiny.HEAD.get(kind, "lm_head") in linears(model, "Linear")
    assert not [name for name in linears(model, layer) if "projector" in name or "connector" in name]
    assert all(g.new_tokens for g in run(engine, prompts_of(kind)))


def test_nf4_computes_in_the_precision_asked_for(config_of: Configs) -> None:
    model = open_engine(config_of("smolvlm", quantisation="nf4", dtype="bf16")).load().model
    layer = model.get_submodule("model.text_model.layers.0.mlp.up_proj")
    assert layer.weight.quant_type == "nf4"
    assert layer.compute_dtype is torch.bfloat16
    assert layer.weight.quant_state.nested


def test_uneven_rows_keep_their_precision_on_a_cpu(config_of: Configs) -> None:
    model = open_engine(config_of("paligemma", quantisation="nf4")).load().model
    assert [name for name in linears(model, "Linear") if name.endswith("mlp.fc2")]
    assert [
        name for name in linears(model, "Linear4bit") if name.endswith("self_attn.q_proj") and "vision" in name
    ] == []
    assert linears(model, "Linear4bit")


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_dtype(dtype: str, config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm", dtype=dtype))
    assert engine.load().model.dtype is {"bf16": torch.bfloat16, "fp32": torch.float32}[dtype]
    assert all(g.new_tokens for g in run(engine, PROMPTS))


@pytest.mark.parametrize("kind", ["smolvlm", "blip"])
def test_what_a_checkpoint_must_not_write_is_not_written(kind: str, config_of: Configs, tmp_path: Path) -> None:
    """All tokens but one and the ends, and none of its sampling."""
    config = copied(config_of(kind), tmp_path)
    loaded = open_engine(config).load()
    only = loaded.tokenizer.convert_tokens_to_ids("a")
    all_of_them = range(loaded.model.config.get_text_config().vocab_size)  # BLIP's has some that its tokenizer lacks
    others = [[token] for token in all_of_them if token not in (only, *loaded.stop_ids)]
    path = tmp_path / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "bad_words_ids": others, "temperature": 9.0}))
    engine = open_engine(config)
    assert engine.load().model.generation_config.temperature is None
    assert all(g.new_tokens and set(g.text) - {" "} == {"a"} for g in run(engine, prompts_of(kind)))


def test_a_checkpoint_stored_quantised_is_not_quantised_again(config_of: Configs, tmp_path: Path) -> None:
    config = copied(config_of("smolvlm", quantisation="int8"), tmp_path)
    edit(config, quantization_config={"quant_method": "bitsandbytes"})
    refused(config, UnsupportedQuantisation, "stored quantised already")


@pytest.mark.parametrize("method", ["awq", "gptq"])
def test_other_ways_to_quantise_are_refused_by_name(method: str, config_of: Configs, tmp_path: Path) -> None:
    config = copied(config_of("smolvlm"), tmp_path)
    edit(config, quantization_config={"quant_method": method})
    refused(config, UnsupportedQuantisation, rf"stored in {method}, which is not loaded here .*--model server")


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
@pytest.mark.parametrize("quantisation", ["nf4", "int8"])
def test_a_quantised_model_may_be_saved_and_loaded_again(
    kind: str, quantisation: str, config_of: Configs, tmp_path: Path
) -> None:
    """As it was loaded: on a CPU, bitsandbytes packs NF4 weights anew at their first use."""
    config = config_of(kind, quantisation=quantisation)
    shutil.copytree(str(config.path), tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").unlink()
    engine = open_engine(config)
    engine.load().model.save_pretrained(tmp_path)
    said = words(run(engine, prompts_of(kind)))
    again = open_engine(config_of(kind, path=tmp_path))
    assert linears(again.load().model, "Linear4bit" if quantisation == "nf4" else "Linear8bitLt")
    assert words(run(again, prompts_of(kind))) == said


def test_a_model_with_nothing_to_quantise(config_of: Configs, monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of("fastvlm", quantisation="nf4")
    monkeypatch.setattr(type(config.how), "keep_precision", ".*")
    refused(config, UnsupportedQuantisation, "no layer of .* can be held in nf4")


def copied(config: ModelConfig, folder: Path) -> ModelConfig:
    assert config.path is not None
    shutil.copytree(config.path, folder, dirs_exist_ok=True)
    return config.model_copy(update={"path": folder})


def edit(config: ModelConfig, **values: object) -> None:
    assert config.path is not None
    file = config.path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def refused(config: ModelConfig, kind: type[VlmError], message: str, adapter: Path | None = None) -> None:
    with pytest.raises(kind, match=message) as caught:
        open_engine(config, adapter).load()
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_folder_of_another_family(config_of: Configs) -> None:
    config = config_of("smolvlm", family="qwen2_vl")
    refused(config, ModelUnusable, "holds a smolvlm model, but family qwen2_vl is qwen2_vl")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_missing_file(name: str, config_of: Configs, tmp_path: Path) -> None:
    config = copied(config_of("smolvlm"), tmp_path)
    (tmp_path / name).unlink()
    refused(config, ModelNotFound, f"has no {name}.*--set model.path=FOLDER")


def test_a_model_larger_than_the_gpu(config_of: Configs, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(AutoModelForImageTextToText, "from_pretrained", full)
    refused(config_of("smolvlm"), OutOfMemory, "does not fit in this GPU's memory. Quantise it")


def test_code_that_came_with_the_model_is_named(config_of: Configs, caplog: pytest.LogCaptureFixture) -> None:
    open_engine(config_of("smolvlm", trust_remote_code=True)).load()
    assert "running code that came with the model" in caplog.text


def test_a_missing_folder(config_of: Configs, tmp_path: Path) -> None:
    refused(config_of("smolvlm", path=tmp_path / "nowhere"), ModelNotFound, "nowhere has no such folder")


def test_a_missing_processor(config_of: Configs, tmp_path: Path) -> None:
    config = copied(config_of("smolvlm"), tmp_path)
    (tmp_path / "processor_config.json").unlink()
    refused(config, ModelUnusable, "processor")


def test_damaged_weights(config_of: Configs, tmp_path: Path) -> None:
    config = copied(config_of("smolvlm"), tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    refused(config, ModelUnusable, "cannot be loaded")


def test_damaged_config(config_of: Configs, tmp_path: Path) -> None:
    config = copied(config_of("smolvlm"), tmp_path)
    (tmp_path / "config.json").write_text("{")
    refused(config, ModelUnusable, "config.json cannot be read")


def test_weights_of_another_size(config_of: Configs, tmp_path: Path) -> None:
    config = copied(config_of("smolvlm"), tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    edit(config, text_config={**stored["text_config"], "intermediate_size": 192})
    refused(config, ModelUnusable, "cannot be loaded")


def test_missing_tensors_are_not_made_up(config_of: Configs, tmp_path: Path) -> None:
    config = copied(config_of("smolvlm"), tmp_path)
    stored = json.loads((tmp_path / "config.json").read_text())
    edit(config, text_config={**stored["text_config"], "num_hidden_layers": 3})
    refused(config, ModelUnusable, r"lack 9 of the model's tensors, the first model\.text_model\.layers\.2\.")


@pytest.fixture
def adapter(config_of: Configs, tmp_path: Path) -> Callable[..., Path]:
    return lambda kind, **changes: make_adapter(config_of(kind), tmp_path / f"adapter-{kind}", **changes)


def make_adapter(config: ModelConfig, folder: Path, scale: float = 1.0) -> Path:
    from peft import LoraConfig, get_peft_model

    model = open_engine(config).load().model
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)  # peft's
        tuned = get_peft_model(model, LoraConfig(r=4, target_modules=config.how.lora_targets))
    torch.manual_seed(3)
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=scale)
    tuned.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_an_adapter_changes_what_is_said(kind: str, config_of: Configs, adapter: Callable[..., Path]) -> None:
    prompts = prompts_of(kind)
    plain = words(run(open_engine(config_of(kind)), prompts))
    engine = open_engine(config_of(kind), folder := adapter(kind))
    assert engine.adapter == str(folder)
    assert words(run(engine, prompts)) != plain
    quantised = open_engine(config_of(kind, quantisation="nf4"), folder)
    assert all(g.new_tokens for g in run(quantised, prompts))


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_an_adapter_changes_the_scores(kind: str, config_of: Configs, adapter: Callable[..., Path]) -> None:
    (question,) = prompts_of(kind)[:1]
    (plain,), (tuned,) = (
        dict(open_engine(config_of(kind), folder).score([question], ("Yes.", "No."))).values()
        for folder in (None, adapter(kind, scale=0.05))
    )
    assert tuned.probabilities != pytest.approx(plain.probabilities, rel=1e-6)


def test_an_adapter_of_zeros_changes_nothing(config_of: Configs, adapter: Callable[..., Path]) -> None:
    plain = words(run(open_engine(config_of("smolvlm")), PROMPTS))
    assert words(run(open_engine(config_of("smolvlm"), adapter("smolvlm", scale=0.0)), PROMPTS)) == plain


def test_an_adapter_for_another_architecture(config_of: Configs, adapter: Callable[..., Path]) -> None:
    refused(
        config_of("smolvlm"),
        AdapterMismatch,
        r"adapter .*adapter-fastvlm does not fit model tiny-smolvlm .*this one has no model\.language_model",
        adapter("fastvlm"),
    )


@pytest.mark.parametrize(
    ("half", "message"), [("lora_A", "is 60 wide there and 64 here"), ("lora_B", "is 60 wide there and 128 here")]
)
def test_an_adapter_for_another_size(half: str, message: str, config_of: Configs, adapter: Callable[..., Path]) -> None:
    file = adapter("smolvlm") / "adapter_model.safetensors"
    tensors = load_file(file)
    key = next(key for key in tensors if key.endswith(f"mlp.up_proj.{half}.weight"))
    tensors[key] = (tensors[key][:, :60] if half == "lora_A" else tensors[key][:60]).contiguous()
    save_file(tensors, file)
    refused(config_of("smolvlm"), AdapterMismatch, message, file.parent)


def test_a_whole_model_is_no_adapter(config_of: Configs, tmp_path: Path) -> None:
    """A run of method full leaves one where others leave an adapter."""
    config = config_of("smolvlm")
    (tmp_path / "run/adapter").mkdir(parents=True)
    (tmp_path / "run/adapter/config.json").write_text("{}")
    message = r"adapter .*run/adapter is a whole model: use it with --set model\.path=.*run/adapter$"
    refused(config, AdapterNotFound, message, tmp_path / "run")


def test_an_adapter_for_another_hub_model(config_of: Configs, adapter: Callable[..., Path]) -> None:
    folder = adapter("smolvlm")
    stored = json.loads((folder / "adapter_config.json").read_text())
    stored["base_model_name_or_path"] = "someone/other-model"
    (folder / "adapter_config.json").write_text(json.dumps(stored))
    config = config_of("smolvlm", hub_id="HuggingFaceTB/SmolVLM-256M-Instruct", revision="main")
    refused(config, AdapterMismatch, r"made for someone/other-model.*this one is HuggingFaceTB/SmolVLM-256M", folder)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_folder_without_its_files(name: str, config_of: Configs, adapter: Callable[..., Path]) -> None:
    folder = adapter("smolvlm")
    (folder / name).unlink()
    refused(config_of("smolvlm"), AdapterNotFound, f"no {name} there", folder)


def test_damaged_adapters(config_of: Configs, adapter: Callable[..., Path]) -> None:
    folder = adapter("smolvlm")
    (folder / "adapter_model.safetensors").write_bytes(b"not tensors")
    refused(config_of("smolvlm"), AdapterNotFound, "is damaged", folder)
    (folder / "adapter_config.json").write_text("[")
    refused(config_of("smolvlm"), AdapterNotFound, "cannot be read", folder)


def test_the_fingerprint_is_of_the_files(config_of: Configs, tmp_path: Path) -> None:
    config = config_of("smolvlm")
    moved = copied(config, tmp_path)
    assert open_engine(moved).fingerprint == open_engine(config).fingerprint
    weights = bytearray((tmp_path / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)
    assert open_engine(moved).fingerprint != open_engine(config).fingerprint


def test_loading_twice_is_loading_once(config_of: Configs) -> None:
    engine = open_engine(config_of("smolvlm"))
    assert engine.load() is engine.load()
    assert run(engine, PROMPTS[:1], SHORT)
