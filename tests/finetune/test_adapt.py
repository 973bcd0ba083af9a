from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from finetune.adapt import adapt, base_config, checkpoint_activations, save
from finetune.config import FinetuneConfig
from finetune.errors import AdaptError
from finetune.trainer import Learner
from tests.finetune.steps import everything, loss, opened, prompts_of, scores, trained
from tests.vlm import tiny
from vlm.loading import load
from vlm.weights import adapter_fingerprint, find_files

Runs = Callable[..., FinetuneConfig]
METHODS = ["lora", "qlora", "dora", "soft_prompt", "full"]
CASES = [
    (kind, method)
    for kind in tiny.ALL_KINDS
    for method in (["lora"] if kind in tiny.FAMILY_OF else METHODS)  # a family's other models: once is enough
    if (kind, method) != ("blip", "soft_prompt")
]
SEEING = [kind for kind in tiny.IMAGE_KINDS if kind not in ("idefics3", "paligemma2", "llava_med")]
WITH_PROJECTOR = [kind for kind in SEEING if kind != "blip"]
LOW_RANK = {"lora": "lora_A lora_B", "qlora": "lora_A lora_B", "dora": "lora_A lora_B lora_magnitude_vector"}


def checked(kind: str, config: FinetuneConfig, folder: Path) -> set[str]:
    """The tensors that three steps moved, which are those that were to move; and saved and loaded, it says the same."""
    model, adapted, before = trained(kind, config)
    after = everything(adapted.model)
    assert after.keys() == before.keys()
    moved = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert moved == adapted.trained.keys()
    assert sum(after[name].numel() for name in moved) == sum(adapted.trained.values())
    with torch.inference_mode():
        said = scores(model, adapted.loaded, adapted.model, prompts_of(kind))
    save(adapted, folder / "run" / "adapter")
    if config.method == "full":
        again = load(model, folder / "run" / "adapter", None)
    else:
        # On a CPU, NF4 at run time computes in bf16 wherever nothing is to be learned.
        again = load(model, find_files(model), folder / "run", training=config.method == "qlora")
        assert adapter_fingerprint(folder / "run") == adapter_fingerprint(folder / "run" / "adapter")
    with torch.inference_mode():
        read_again = scores(model, again, again.model, prompts_of(kind), room=config.method == "soft_prompt")
    torch.testing.assert_close(read_again, said, rtol=1e-5, atol=2e-5)
    return moved


@pytest.mark.parametrize(("kind", "method"), CASES)
def test_what_is_to_move_moves_and_nothing_else(kind: str, method: str, run_of: Runs, tmp_path: Path) -> None:
    config = run_of(kind, method)
    moved = checked(kind, config, tmp_path)
    how = base_config(config).how
    if method == "soft_prompt":
        assert moved == {"soft_prompt.weight"}
    elif method == "full":
        assert not [name for name in moved if name.startswith(f"{how.vision_tower}.") or _is_projector(how, name)]
        assert len(moved) >= 2 * 9 + 2  # two layers, the embedding and the last norm
    else:
        matched = {re.match(rf"base_model\.model\.(.+)\.({LOW_RANK[method].replace(' ', '|')})\.", n) for n in moved}
        layers = {match[1] for match in matched if match}
        assert len(moved) == len(layers) * len(LOW_RANK[method].split())
        assert all(re.fullmatch(how.lora_targets, layer) for layer in layers)
        assert len(layers) == tiny.ADAPTED.get(kind, 14)


def _is_projector(how: Any, name: str) -> bool:
    return how.projector is not None and re.match(rf"{how.projector}\.", name) is not None


@pytest.mark.parametrize("kind", WITH_PROJECTOR)
def test_a_projector_is_trained_in_full_and_that_is_said(kind: str, run_of: Runs, tmp_path: Path) -> None:
    config = run_of(kind, "lora", projector=True)
    moved = checked(kind, config, tmp_path)
    beside = {name for name in moved if "lora" not in name}
    assert beside
    model, loaded = opened(config)
    own = {name for name, _ in loaded.model.named_parameters() if _is_projector(model.how, name)}
    named = {name.removeprefix("base_model.model.").replace("modules_to_save.default.", "") for name in beside}
    assert named == own
    summary = adapt(loaded, model, config).summary
    assert "and in full model." in summary


@pytest.mark.parametrize("kind", SEEING)
@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_vision_tower_may_be_trained_too(kind: str, method: str, run_of: Runs, tmp_path: Path) -> None:
    moved = checked(kind, run_of(kind, method, vision="trained"), tmp_path)
    tower = str(base_config(run_of(kind, method)).how.vision_tower)
    inside = {name for name in moved if f"{tower}." in name}
    assert inside
    assert inside != moved


def test_everything_at_once_over_four_bits(run_of: Runs, tmp_path: Path) -> None:
    moved = checked("qwen3_vl", run_of("qwen3_vl", "qlora", vision="trained", projector=True), tmp_path)
    assert any("deepstack_merger_list.0.modules_to_save" in name for name in moved)
    assert not any("merger" in name and "lora" in name for name in moved)


@pytest.mark.parametrize(("vision", "mode"), [("frozen", False), ("trained", True)])
def test_a_frozen_tower_stays_as_it_runs_and_norms_never_follow_a_batch(vision: str, mode: bool, run_of: Runs) -> None:
    config = run_of("fastvlm", "lora", vision=vision)
    model, loaded = opened(config)
    adapted = adapt(loaded, model, config)
    for switch in (adapted.model.train, Learner(adapted.model, lambda *_: torch.zeros(())).train):
        adapted.model.eval()
        switch()
        tower = loaded.model.get_submodule("model.vision_tower")
        assert tower.training is mode
        norms = [module for module in tower.modules() if isinstance(module, nn.BatchNorm2d)]
        assert len(norms) > 20
        assert not any(norm.training for norm in norms)
        assert loaded.model.model.language_model.training


@pytest.mark.parametrize("kind", ["smolvlm", "qwen2_vl"])
def test_checkpointed_a_frozen_tower_keeps_nothing_and_layers_that_learn_are_computed_again(
    kind: str, run_of: Runs
) -> None:
    config = run_of(kind, "lora")
    model, loaded = opened(config)
    adapted = adapt(loaded, model, config)
    assert checkpoint_activations(adapted)
    adapted.model.train()
    seen, layers = [], 0

    def count(*_: object) -> None:
        nonlocal layers
        layers += 1

    tower = loaded.model.get_submodule(str(model.how.vision_tower))
    tower.register_forward_hook(lambda _, __, output: seen.append(output.last_hidden_state.requires_grad))
    block = next(m for n, m in loaded.model.named_modules() if n.endswith("layers.0.mlp") and "vision" not in n)
    block.register_forward_pre_hook(count)
    loss(model, adapted, prompts_of(kind)).backward()
    assert seen == [False]
    assert layers == 2
    assert all(p.grad is not None for p in adapted.model.parameters() if p.requires_grad)


def test_four_bits_give_gradients_after_a_look_at_the_dev_split(run_of: Runs) -> None:
    """On a CPU with bf16, bitsandbytes packs weights at their first use for inference, and no gradient comes back."""
    config = run_of("llama", "qlora", lora={"dropout": 0.0})
    model, loaded = opened(config)
    layer = loaded.model.model.layers[0].mlp.down_proj
    assert type(layer).__name__ == "Linear4bit"
    assert layer.weight.quant_type == "nf4"
    assert layer.weight.quant_state.nested
    assert layer.compute_dtype is torch.float32
    tuned = adapt(loaded, model, config).model
    seen: list[torch.Tensor] = []
    for look in (False, True):
        if look:
            tuned.eval()
            with torch.no_grad():
                scores(model, loaded, tuned, prompts_of("llama"))
        tuned.train()
        tuned.zero_grad()
        scores(model, loaded, tuned, prompts_of("llama")).sum().backward()
        seen.append(tuned.base_model.model.model.layers[0].self_attn.q_proj.lora_B.default.weight.grad.clone())
    assert seen[0].abs().sum() > 0
    torch.testing.assert_close(seen[0], seen[1])


def test_a_run_starts_the_same_from_its_seed(run_of: Runs) -> None:
    def start(seed: int) -> torch.Tensor:
        config = run_of("llama", "lora", training={"seed": seed})
        model, loaded = opened(config)
        torch.manual_seed(seed + 7)
        tuned = adapt(loaded, model, config).model
        first: torch.Tensor = tuned.base_model.model.model.layers[0].mlp.up_proj.lora_A.default.weight
        return first.detach()

    assert torch.equal(start(1), start(1))
    assert not torch.equal(start(1), start(2))


def test_what_is_saved_names_no_folder_of_this_machine(run_of: Runs, tmp_path: Path) -> None:
    config = run_of("llama", "lora")
    model, loaded = opened(config)
    save(adapt(loaded, model, config), tmp_path)
    said = json.loads((tmp_path / "adapter_config.json").read_text())
    assert said["base_model_name_or_path"] == "tiny-llama"
    assert said["inference_mode"] is True
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "base.json",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "method", "changes", "message"),
    [
        ("blip", "soft_prompt", {}, "model tiny-blip of family blip reads no soft prompt. Take method lora"),
        ("blip", "lora", {"projector": True}, "family blip has no projector"),
        ("llama", "lora", {"vision": "trained"}, "family llama reads no image"),
        ("llama", "full", {"settings": {"model": {"quantisation": "nf4"}}}, "weights in nf4 cannot be trained"),
    ],
)
def test_what_a_family_cannot_do_is_told_before_loading(
    kind: str, method: str, changes: dict[str, Any], message: str, run_of: Runs
) -> None:
    with pytest.raises(AdaptError, match=message):
        base_config(run_of(kind, method, **changes))


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (r"model\.layers\.\d+\.self_atn\.q_proj", r"matches no module.*Near are model\.layers\.N\.self_attn\.q_proj"),
        (r"model\.layers\.\d+\.mlp", r"match model\.layers\.0\.mlp, a LlamaMLP, which cannot be adapted"),
        (r"model\.layers\.(", "is no regular expression"),
    ],
)
def test_targets_that_match_nothing_or_what_cannot_be_adapted(targets: str, message: str, run_of: Runs) -> None:
    config = run_of("llama", "lora", lora={"targets": targets})
    model, loaded = opened(config)
    with pytest.raises(AdaptError, match=message) as caught:
        adapt(loaded, model, config)
    assert "\n" not in str(caught.value)


def test_a_frozen_tower_is_not_adapted(run_of: Runs) -> None:
    config = run_of("smolvlm", "lora", lora={"targets": r".*\.q_proj"})
    model, loaded = opened(config)
    with pytest.raises(AdaptError, match=r"in the vision tower, which is frozen. Set vision: trained"):
        adapt(loaded, model, config)


@pytest.mark.parametrize("kind", ["smolvlm", "qwen3_vl", "gemma3", "mllama"])
def test_what_is_trained_of_a_16_bit_model_is_kept_in_32(kind: str, run_of: Runs) -> None:
    """A step of 1e-4 of a weight near one is less than bf16 can tell."""
    config = run_of(kind, "lora", projector=True, training={"precision": "bf16"})
    _, adapted, before = trained(kind, config, steps=2)
    after = everything(adapted.model)
    assert adapted.loaded.model.dtype is torch.bfloat16
    assert {after[name].dtype for name in adapted.trained} == {torch.float32}
    assert {name for name in after if not torch.equal(after[name], before[name])} == adapted.trained.keys()


def test_a_projector_is_not_adapted_twice(run_of: Runs) -> None:
    config = run_of("smolvlm", "lora", projector=True, lora={"targets": r"model\.connector\..*proj"})
    model, loaded = opened(config)
    with pytest.raises(AdaptError, match="which projector: true trains in full"):
        adapt(loaded, model, config)
