from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from commands.finetune_ship import merge_command
from finetune import merge as merging
from finetune.adapt import save
from finetune.config import FinetuneConfig
from finetune.errors import MergeError
from finetune.merge import merge
from tests.finetune.steps import prompts_of, scores, trained
from tests.vlm import tiny
from vlm import AdapterMismatch, AdapterNotFound, load_model_config
from vlm.loading import load
from vlm.weights import find_files

Runs = Callable[..., FinetuneConfig]


def run_folder(kind: str, config: FinetuneConfig, folder: Path) -> tuple[Path, torch.Tensor]:
    """A run's folder with an adapter that was trained, and what the model in memory says."""
    model, adapted, _ = trained(kind, config)
    with torch.inference_mode():
        said = scores(model, adapted.loaded, adapted.model, prompts_of(kind))
    save(adapted, folder / "adapter")
    return folder, said


def said_by(config: Any, kind: str) -> torch.Tensor:
    loaded = load(config, find_files(config), None)
    with torch.inference_mode():
        result: torch.Tensor = scores(config, loaded, loaded.model, prompts_of(kind))
    return result


@pytest.mark.parametrize("kind", tiny.ALL_KINDS)
def test_a_merged_model_says_what_the_adapter_does(kind: str, run_of: Runs, tmp_path: Path) -> None:
    projector = kind not in ("blip", *tiny.TEXT_KINDS)
    folder, said = run_folder(kind, run_of(kind, "lora", projector=projector), tmp_path / "run")
    merged = merge(folder, tmp_path / "out")
    assert merged.exact < 3e-5  # in standard deviations of the scores
    assert merged.stored < 3e-5
    assert merged.same == merged.answers == 3
    assert merged.quantised is None
    config = load_model_config(str(tmp_path / "out" / "model.yaml"))
    assert config.name == "out"
    torch.testing.assert_close(said_by(config, kind), said, rtol=1e-5, atol=2e-5)
    base = run_of(kind, "lora").resolved_settings().model
    placed = load_model_config(base.name, path=tmp_path / "out")
    torch.testing.assert_close(said_by(placed, kind), said, rtol=1e-5, atol=2e-5)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("method", ["dora", "qlora"])
def test_other_adapters_are_merged_into_the_base_as_it_was(method: str, run_of: Runs, tmp_path: Path) -> None:
    config = run_of("smolvlm", method, projector=True)
    folder, _ = run_folder("smolvlm", config, tmp_path / "run")
    merged = merge(folder, tmp_path / "out")
    assert merged.exact < 5e-5
    assert merged.same == merged.answers
    stored = json.loads((tmp_path / "out" / "config.json").read_text())
    assert "quantization_config" not in stored
    if method == "qlora":
        assert merged.quantised is not None
        assert merged.quantised > 100 * merged.stored
        assert "on its own 4-bit base" in (tmp_path / "out" / "README.md").read_text()
    own = load_model_config(config.model)
    plain = load(own, find_files(own), folder)
    with torch.inference_mode():
        said = scores(own, plain, plain.model, prompts_of("smolvlm"))
    out = load_model_config(str(tmp_path / "out" / "model.yaml"))
    torch.testing.assert_close(said_by(out, "smolvlm"), said, rtol=1e-5, atol=2e-5)


@pytest.fixture(scope="module")
def adapter(run_of: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, _ = run_folder("smolvlm", run_of("smolvlm", "lora"), tmp_path_factory.mktemp("run"))
    return folder


def refused(kind: type[Exception], message: str, adapter: Path, tmp_path: Path, **options: Any) -> None:
    with pytest.raises(kind, match=message) as caught:
        merge(adapter, tmp_path / "out", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".*"))


def test_sixteen_bits_are_kept(adapter: Path, tmp_path: Path) -> None:
    merged = merge(adapter, tmp_path / "out", dtype="bf16")
    assert merged.exact < 3e-5  # in standard deviations of the scores < merged.stored < 0.3
    tensors = load_file(tmp_path / "out" / "model.safetensors")
    assert {tensor.dtype for tensor in tensors.values()} == {torch.bfloat16}


def test_a_merge_that_answers_otherwise_is_refused(
    adapter: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unmerged(_: Any, base: Path, folder: Path) -> None:
        shutil.copytree(base, folder, dirs_exist_ok=True)

    monkeypatch.setattr(merging, "write_model", unmerged)
    refused(MergeError, "does not answer as adapter .* does: as it is stored its scores differ by", adapter, tmp_path)


def test_weights_that_are_no_numbers_are_refused(adapter: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(adapter, tmp_path / "damaged"))
    file = damaged / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    tensors[next(iter(tensors))].fill_(float("nan"))
    save_file(tensors, file)
    refused(MergeError, "adapter .* cannot be merged: NaN", damaged, tmp_path)


def test_an_adapter_of_other_weights(adapter: Path, tmp_path: Path) -> None:
    other = tiny.MAKERS["smolvlm"](tmp_path / "other", seed=1)
    message = r"was trained on tiny-smolvlm with fingerprint [0-9a-f]{12}, and this tiny-smolvlm has [0-9a-f]{12}"
    refused(AdapterMismatch, message, adapter, tmp_path, path=other)


def test_an_adapter_of_another_architecture(adapter: Path, run_of: Runs, tmp_path: Path) -> None:
    refused(
        AdapterMismatch,
        "trained on tiny-smolvlm .*this tiny-llama",
        adapter,
        tmp_path,
        model=run_of("llama", "lora").model,
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("adapter_model.safetensors", "no tensors", "is damaged"),
        ("adapter_config.json", "{", "cannot be read"),
        ("base.json", '{"fingerprint": 3}', "base.json cannot be read"),
    ],
)
def test_damaged_adapters(name: str, text: str, message: str, adapter: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(adapter, tmp_path / "damaged"))
    (damaged / "adapter" / name).write_text(text)
    refused(AdapterNotFound, message, damaged, tmp_path)


def test_an_adapter_that_lacks_tensors(adapter: Path, tmp_path: Path) -> None:
    damaged = Path(shutil.copytree(adapter, tmp_path / "damaged"))
    file = damaged / "adapter" / "adapter_model.safetensors"
    tensors = load_file(file)
    gone = sorted(tensors)[0]
    del tensors[gone]
    save_file(tensors, file)
    refused(AdapterNotFound, "is damaged: it lacks 1 of its tensors, the first model", damaged, tmp_path)


def test_a_base_that_is_stored_quantised(adapter: Path, run_of: Runs, tmp_path: Path) -> None:
    config = load_model_config(run_of("smolvlm", "lora").model)
    other = Path(shutil.copytree(str(config.path), tmp_path / "other"))
    stored = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**stored, "quantization_config": {"quant_method": "bitsandbytes"}}))
    refused(
        MergeError, "is stored quantised, and nothing is merged into rounded weights", adapter, tmp_path, path=other
    )


def test_what_changes_no_weights_or_is_no_adapter(run_of: Runs, tmp_path: Path) -> None:
    folder, _ = run_folder("llama", run_of("llama", "soft_prompt"), tmp_path / "run")
    refused(MergeError, "is a soft prompt, which changes no weights", folder, tmp_path)
    whole = load_model_config(run_of("llama", "lora").model).path
    assert whole is not None
    refused(AdapterNotFound, r"is a whole model: use it with --set model\.path=", whole, tmp_path)
    run = tmp_path / "full"
    shutil.copytree(whole, run / "adapter")  # as a run of method full leaves it
    refused(
        AdapterNotFound, r"full/adapter is a whole model: use it with --set model\.path=.*full/adapter$", run, tmp_path
    )
    refused(
        AdapterNotFound,
        r"no adapter_config\.json there\. Give the folder that training wrote",
        tmp_path / "nowhere",
        tmp_path,
    )


def test_an_adapter_of_peft_alone_needs_to_be_told_its_base(adapter: Path, tmp_path: Path) -> None:
    foreign = Path(shutil.copytree(adapter, tmp_path / "foreign"))
    (foreign / "adapter/base.json").unlink()
    refused(MergeError, "has no base.json: say with --model", foreign, tmp_path)


def test_the_command_says_how_near_it_is(adapter: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(merge_command, [str(adapter), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert "3 of 3 probe answers are the adapter's; scores differ by" in done.stdout
    assert f"--model {tmp_path / 'out' / 'model.yaml'}" in done.stderr
