"""The true architectures: their parameter counts, and what FACTS.md says quantising them saves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from configs import ROOT, ConfigError, names
from vlm import ModelNotFound, ModelUnusable, load_model_config
from vlm.cost.memory import count_parameters, shape_of, weight_bytes
from vlm.precision import kept_linears

NAMED = [name for name in names("models") if name not in ("pocket", "server")]
CUDA = torch.device("cuda")
OWN = "family: qwen3\npath: nowhere\nprompt_tokens: 100\ncaption_prompt: zero_shot\nlicense: MIT\nparameters: 1000\n"


@pytest.mark.parametrize("name", NAMED)
def test_the_shape_has_as_many_weights_as_the_configuration_says(name: str) -> None:
    config = load_model_config(name)
    assert count_parameters(shape_of(config)) == config.parameters


def test_pocket_has_as_many_weights_as_its_configuration_says() -> None:
    config = load_model_config("pocket")
    assert count_parameters(shape_of(config)) == config.parameters


def test_every_shipped_architecture_is_some_models() -> None:
    used = {load_model_config(name).architecture for name in NAMED}
    assert used == set((ROOT / "architectures").glob("*.json"))


def saved(name: str, kept: list[str]) -> float:
    model = shape_of(load_model_config(name))
    full = weight_bytes(model, (), "none", torch.bfloat16)
    return 100 * (1 - weight_bytes(model, kept, "nf4", torch.bfloat16) / full)


@pytest.mark.parametrize(
    ("name", "percent"),
    [("qwen2.5-vl-7b", 64.4), ("qwen2-vl-2b", 66.0), ("paligemma-3b-mix-224", 61.0), ("smolvlm-500m", 60.0)],
)
def test_what_nf4_saves_with_every_layer_but_the_head_quantised(name: str, percent: float) -> None:
    assert saved(name, ["lm_head"]) == pytest.approx(percent, abs=0.5)


@pytest.mark.parametrize(
    ("name", "percent"),
    [("qwen2.5-vl-7b", 64.0), ("qwen2-vl-2b", 65.1), ("paligemma-3b-mix-224", 60.7), ("smolvlm-500m", 58.4)],
)
def test_what_nf4_saves_as_models_are_loaded_here(name: str, percent: float) -> None:
    """The projector or merger keeps its precision, too: hence less than above."""
    config = load_model_config(name, quantisation="nf4")
    assert saved(name, kept_linears(config, shape_of(config), CUDA, name)) == pytest.approx(percent, abs=0.05)


def test_what_nf4_saves_with_the_vision_tower_in_16_bits() -> None:
    tower = [name for name, module in shape_of(load_model_config("qwen2-vl-2b")).named_modules()
             if name.startswith("model.visual") and isinstance(module, torch.nn.Linear)]  # fmt: skip
    assert saved("qwen2-vl-2b", ["lm_head", *tower]) == pytest.approx(44.0, abs=0.1)


def test_an_unknown_architecture_names_the_near_one(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN + "architecture: qwen3-4\n")
    with pytest.raises(ConfigError, match=r"own\.yaml: architecture: unknown 'qwen3-4'; did you mean 'qwen3-4b'\?"):
        load_model_config(str(file))


def test_an_architecture_of_ones_own_lies_beside_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN + "architecture: mine.json\n")
    with pytest.raises(ConfigError, match=r"architecture: .*mine\.json is not there"):
        load_model_config(str(file))
    (tmp_path / "mine.json").write_text((ROOT / "architectures/qwen3-4b.json").read_text())
    assert count_parameters(shape_of(load_model_config(str(file)))) == 4_022_468_096
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(ModelUnusable, match=r"mine\.json is no shape of it"):
        shape_of(load_model_config(str(file)).model_copy(update={"family": "llama"}))


def test_a_model_of_no_known_shape(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(OWN)
    with pytest.raises(ModelNotFound, match=r"cannot be reckoned\. Fetch it: python cli.py models pull own"):
        shape_of(load_model_config(str(file)))


@pytest.mark.parametrize("name", ["paligemma-3b-mix-224", "smolvlm-2.2b", "qwen3-vl-8b"])
def test_what_a_cpu_cannot_pack_in_nf4_keeps_its_precision_there(name: str) -> None:
    """SigLIP's MLP is 4304 wide: no whole number of the 64 in a block, nor of the 32 rows packed together."""
    config = load_model_config(name, quantisation="nf4")
    model = shape_of(config)
    kept = {device: set(kept_linears(config, model, torch.device(device), name)) for device in ("cpu", "cuda")}
    only_there = [model.get_submodule(layer) for layer in kept["cpu"] - kept["cuda"]]
    assert only_there
    assert all(4304 in (layer.in_features, layer.out_features) for layer in only_there)
    assert kept["cuda"] <= kept["cpu"]
