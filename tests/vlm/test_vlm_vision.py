from __future__ import annotations

import logging
import re
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText

from tests.vlm.conftest import picture, prompt
from tests.vlm.test_vlm_engine import Configs, run
from tests.vlm.tiny import HEAD, IMAGE_KINDS
from vlm import load_model_config, open_engine, vision

PROMPTS = [prompt("Describe.", picture(1)), prompt("What is shown in this image?", picture(2))]


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hardware with bfloat16, wherever the tests run: what is emulated computes alike, only slowly."""
    monkeypatch.setattr(vision, "natively_bf16", lambda _: True)


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize("kind", IMAGE_KINDS)
def test_the_vision_tower_alone_computes_in_bf16(kind: str, config_of: Configs) -> None:
    config = config_of(kind, vision_dtype="bf16")
    engine = open_engine(config)
    model = engine.load().model
    seen: dict[str, set[torch.dtype]] = {"tower": set(), "out": set(), "language": set(), "logits": set()}
    tower = model.get_submodule(config.how.vision_tower)
    for module in tower.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d, torch.nn.Conv3d)):
            module.register_forward_hook(lambda *hook: seen["tower"].add(hook[2].dtype))
    tower.register_forward_hook(lambda *hook: seen["out"].add(hook[2].last_hidden_state.dtype))
    for name, module in model.named_modules():
        if re.fullmatch(config.how.lora_targets, name):
            module.register_forward_hook(lambda *hook: seen["language"].add(hook[2].dtype))
    model.get_submodule(HEAD.get(kind, "lm_head")).register_forward_hook(
        lambda *hook: seen["logits"].add(hook[2].dtype)
    )
    assert all(g.new_tokens for g in run(engine, PROMPTS))
    whole, half = {torch.float32}, {torch.bfloat16}
    assert seen == {"tower": half, "out": whole, "language": whole, "logits": whole}
    assert {p.dtype for p in model.parameters()} == whole


@pytest.mark.usefixtures("bf16")
def test_it_stays_near_float32(config_of: Configs) -> None:
    def features(**changes: object) -> torch.Tensor:
        config = config_of("fastvlm", **changes)
        loaded = open_engine(config).load()
        inputs = config.how.encode(loaded.processor, PROMPTS, loaded.control)
        with torch.inference_mode():
            found: torch.Tensor = loaded.model.get_image_features(
                inputs["pixel_values"], return_dict=True
            ).pooler_output
        return found

    exact, half = features(), features(vision_dtype="bf16")
    assert not torch.equal(exact, half)
    assert float((exact - half).norm() / exact.norm()) < 0.1


def moved_norms(folder: Path) -> None:
    """Gives the batch norms of a saved model statistics and scales that they would have from training."""
    tensors = load_file(folder / "model.safetensors")
    torch.manual_seed(5)
    for name, tensor in tensors.items():
        norm = re.search(r"\.bn\d\.(\w+)$", name)
        if norm and tensor.is_floating_point():
            low, high = {"running_mean": (-0.2, 0.2), "bias": (0.0, 1.0)}.get(norm[1], (0.5, 1.5))
            tensor.uniform_(low, high)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def test_folded_norms_say_the_same_loaded_or_saved_and_loaded(config_of: Configs, tmp_path: Path) -> None:
    folder = tmp_path / "trained"
    shutil.copytree(str(config_of("fastvlm").path), folder)
    moved_norms(folder)
    plain = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    folded = open_engine(config_of("fastvlm", path=folder)).load().model
    norms = [module for module in folded.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert len(norms) == 49
    assert all(bool((norm.weight == 1).all() and (norm.running_mean == 0).all()) for norm in norms)
    folded.save_pretrained(tmp_path / "again")
    again = AutoModelForImageTextToText.from_pretrained(tmp_path / "again", dtype=torch.float32).eval()
    pixels = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        exact, *others = (m.model.vision_tower(pixels).last_hidden_state for m in (plain, folded, again))
    assert float(exact.std()) > 0.01
    for features in others:
        assert torch.allclose(features, exact, rtol=1e-3, atol=1e-4 * float(exact.abs().max()))


def test_norms_of_other_towers_are_left_alone(config_of: Configs) -> None:
    config = config_of("smolvlm")
    tower = open_engine(config).load().model.get_submodule(config.how.vision_tower)
    assert vision.fold_norms(tower) == 0


@pytest.mark.parametrize(("kind", "last"), [("fastvlm", True), ("smolvlm", False)])
def test_convolutions_get_their_channels_last(kind: str, last: bool, config_of: Configs) -> None:
    config = config_of(kind)
    engine = open_engine(config)
    tower = engine.load().model.get_submodule(config.how.vision_tower)
    layouts: set[bool] = set()
    for module in tower.modules():
        if isinstance(module, torch.nn.Conv2d):
            # The first sees the pixels: with 3 channels and more than one row the two layouts cannot be confused.
            module.register_forward_pre_hook(
                lambda _, args: layouts.add(args[0].is_contiguous(memory_format=torch.channels_last))
            )
            break
    run(engine, PROMPTS)
    assert layouts == {last}


def test_hardware_without_bf16_computes_as_the_model(
    config_of: Configs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(vision, "natively_bf16", lambda _: False)
    plain = run(open_engine(config_of("fastvlm")), PROMPTS)
    with caplog.at_level(logging.INFO, logger="vlm"):
        same = run(open_engine(config_of("fastvlm", vision_dtype="bf16")), PROMPTS)
    assert [(g.text, g.mean_logprob) for g in same] == [(g.text, g.mean_logprob) for g in plain]
    assert "tiny-fastvlm: this " in caplog.text
    assert "gains nothing by bfloat16" in caplog.text


@pytest.mark.parametrize("amx", [False, True])
def test_of_cpus_only_those_with_amx_gain_by_bf16(
    amx: bool, config_of: Configs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    asked, not_asked = config_of("fastvlm", vision_dtype="bf16"), config_of("fastvlm")
    cpu = torch.device("cpu")
    assert vision.natively_bf16(cpu) is amx
    assert vision.vision_dtype(asked, cpu) == ("bf16" if amx else "model")
    assert vision.vision_dtype(not_asked, cpu) == "model"


def test_pocket_asks_for_it(tmp_path: Path) -> None:
    assert load_model_config("pocket").vision_dtype == "bf16"
    assert load_model_config("smolvlm-256m", path=tmp_path).vision_dtype == "model"
    assert load_model_config("pocket", vision_dtype="model").vision_dtype == "model"
