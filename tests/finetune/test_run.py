"""A whole run with a tiny model: what it leaves, what it refuses, what stops it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from finetune import begin, memory
from finetune import train as training
from finetune.errors import AdaptError, DoesNotFit, FinetuneError, RecordsError, TrainingStopped
from tests.finetune.run_makers import WORDS, config_of, make_config, make_data, run

Folders = Callable[[str], Path]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data(tmp_path_factory.mktemp("data") / "made")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, data: Path, folder_of: Folders) -> Path:
    return make_config(tmp_path_factory.mktemp("config"), data, folder_of("smolvlm"), "smolvlm")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, file: Path) -> Path:
    """A finished run, made while a token lay in the environment."""
    out = tmp_path_factory.mktemp("runs") / "one"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "hf_secretsecretsecret")
        patch.setenv("WANDB_API_KEY", "wandbsecretsecret")
        run(file, out, "trackers=[tensorboard]")
    return out


def test_a_run_leaves_the_adapter_and_how_it_was_made(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert {
        "adapter", "config.yaml", "data.json", "environment.json", "curve.csv", "curve.png", "result.json",
        "tensorboard", "finetune.json",
    } <= names  # fmt: skip
    assert "checkpoints" not in names
    assert not [name for name in names if name.endswith(".part")]
    adapter = load_file(finished / "adapter/adapter_model.safetensors")
    assert any(tensor.abs().sum() > 0 for name, tensor in adapter.items() if ".lora_B" in name), "nothing was learned"
    result = json.loads((finished / "result.json").read_text())
    assert result["steps"] == 6
    assert result["before"].keys() == result["after"].keys() == {"loss", "rouge1"}
    assert result["after"]["loss"] < result["before"]["loss"]
    assert result["trained"] == sum(tensor.numel() for tensor in adapter.values())
    assert yaml.safe_load((finished / "config.yaml").read_text())["lora"]["rank"] == 2
    data = json.loads((finished / "data.json").read_text())
    assert data["licenses"] == {"not stated": 13}
    assert data["splits"]["train"]["records"] == 10
    assert "torch" in json.loads((finished / "environment.json").read_text())["versions"]


def test_no_token_is_in_anything_a_run_writes(finished: Path) -> None:
    files = [path for path in finished.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        assert b"secretsecret" not in path.read_bytes(), path


def test_the_card_says_what_it_is_and_may_be_used_for(finished: Path) -> None:
    card = (finished / "adapter/README.md").read_text()
    head = yaml.safe_load(card.split("---")[1])
    assert head["library_name"] == "peft"
    for said in ("not to be shipped", "research only", "Apache-2.0", "--adapter", "LoRA", "rank 2", "| loss |"):
        assert said in card, said


def test_what_is_pushed_of_a_run_names_no_place_of_this_machine(finished: Path, file: Path) -> None:
    """But base.json, of which `push` leaves the places out."""
    assert str(file.parent).startswith("/")
    for path in (finished / "adapter").iterdir():
        if path.name != "base.json":
            for place in (file.parent, finished.parent, Path.home()):
                assert str(place).encode() not in path.read_bytes(), path
    assert "--model tiny " in (finished / "adapter/README.md").read_text()


def test_a_finished_run_is_told_again_and_not_made_again(finished: Path, file: Path) -> None:
    told: list[str] = []
    before = {path: path.stat().st_mtime_ns for path in finished.rglob("*") if path.is_file()}
    again = run(file, finished, tell=told.append)
    assert again.result == json.loads((finished / "result.json").read_text())
    assert any("finished already" in line for line in told)
    assert {path: path.stat().st_mtime_ns for path in before} == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("training.learning_rate=0.02", r"training.learning_rate was 0.01 and is 0.02"),
        ("lora.rank=4", r"lora.rank was 2 and is 4"),
        ("data.max_records=5", r"data.max_records was null and is 5"),
    ],
)
def test_another_configuration_is_refused_by_what_changed(finished: Path, file: Path, change: str, told: str) -> None:
    with pytest.raises(FinetuneError, match=told) as raised:
        run(file, finished, change)
    assert "\n" not in str(raised.value)


def test_other_data_is_refused_and_what_shapes_nothing_is_not(finished: Path, file: Path, tmp_path: Path) -> None:
    other = make_data(tmp_path / "other", train_records=9)
    with pytest.raises(FinetuneError, match=r"data.dev was .* and is .*; data.train was"):
        run(file, finished, f"data.folder={other}")
    assert run(file, finished, "checking.keep=5", "notes=other words").result


def test_a_plan_of_another_run_is_in_nobodys_way(file: Path, tmp_path: Path) -> None:
    training.plan(config_of(file, "training.max_tokens=512"), tmp_path / "out", lambda _: None)
    told = training.plan(config_of(file, "training.max_tokens=140"), tmp_path / "out", lambda _: None).to_json()
    assert told["splits"]["train"]["left_out"] == 5, "lengths were found anew"


def test_a_folder_of_something_else_is_left_alone(file: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FinetuneError, match="something in it that is no fine-tuning run"):
        run(file, tmp_path)


def test_the_plan_is_made_without_weights(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the weights were loaded")

    monkeypatch.setattr(training, "load", refuse)
    plan = training.plan(config_of(file), tmp_path / "out", lambda _: None)
    said = plan.to_json()
    assert (said["steps"], said["epochs"]) == (6, 2.0)
    assert said["splits"]["train"]["records"] == 10
    assert said["splits"]["train"]["tokens"] > 10 * 4
    assert WORDS[0] in said["example"]
    assert said["memory_gib"] > 0
    text = plan.text()
    for part in ("10 records", "6 of 4 records", "frozen", "GiB of", f"[answer] {WORDS[0]}"):
        assert part in text, part
    assert not {"checkpoints", "adapter", "result.json"} & {path.name for path in (tmp_path / "out").iterdir()}


def test_the_plan_counts_what_training_trains(finished: Path, file: Path, tmp_path: Path) -> None:
    plan = training.plan(config_of(file), tmp_path / "out", lambda _: None)
    result = json.loads((finished / "result.json").read_text())
    assert sum(plan.trained.values()) == result["trained"]
    assert plan.frozen == result["frozen"]
    assert plan.steps == result["steps"]


def test_what_does_not_fit_is_refused_with_what_would(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = training.plan(config_of(file), tmp_path / "out", lambda _: None)
    needed = sum(plan.need.memory.terms.values())
    monkeypatch.setattr(begin, "there", lambda *_: needed - 1)
    with pytest.raises(DoesNotFit, match=r"It would with (--set .*)") as raised:
        run(file, tmp_path / "out")
    advice = re.findall(r"--set (\S+)", str(raised.value))
    assert advice
    again = begin.reckon_again(plan, torch.device("cpu"))(config_of(file, *advice))
    assert sum(again.terms.values()) < needed
    monkeypatch.setattr(begin, "there", lambda *_: 1)
    with pytest.raises(DoesNotFit, match="smaller model"):
        run(file, tmp_path / "out")


def test_advice_is_written_as_the_command_takes_it(file: Path) -> None:
    config = config_of(file, "training.batch_size=8", "method=full")
    said = [text for text, _ in memory.less(config)]
    assert any("gradient_checkpointing=true" in text for text in said)
    assert any("batch_size=1 --set training.accumulation=16" in text for text in said)
    assert any("method=qlora" in text for text in said)


def test_a_loss_that_is_no_number_names_step_and_records(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = begin.answer_loss, 0

    def broken(family: Any, model: Any, batch: Any, items: Any = None) -> torch.Tensor:
        nonlocal calls
        loss = real(family, model, batch, items)
        if not torch.is_grad_enabled():
            return loss
        calls += 1  # an epoch is five batches in three steps: the second batch of step 4
        return loss * float("nan") if calls == 7 else loss

    monkeypatch.setattr(begin, "answer_loss", broken)
    with pytest.raises(TrainingStopped, match=r"step 4: the loss is no finite number with records r\d+") as raised:
        run(file, tmp_path / "out")
    message = str(raised.value)
    assert "\n" not in message
    assert "until step 2" in message
    named = re.findall(r"\br\d+\b", message)
    assert len(named) == 2, "only the batch that is to blame"
    kept = tmp_path / "out/checkpoints/checkpoint-2"
    assert all(bool(t.isfinite().all()) for t in load_file(kept / "trained.safetensors").values())


def test_it_ends_early_and_keeps_the_best(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([3.0, 1.0, 2.0, 2.5, 0.5, 0.4])
    monkeypatch.setattr(training._Run, "_look", lambda *_: lambda *_: {"loss": next(told)})
    trained = run(file, tmp_path / "out", "checking.patience=2", "training.max_steps=20")
    assert trained.result is not None
    assert (trained.result["steps"], trained.result["best_step"]) == (6, 2)
    assert trained.result["after"] == {"loss": 1.0}
    best = load_file(tmp_path / "out/adapter/adapter_model.safetensors")
    last = load_file(tmp_path / "out/last/adapter_model.safetensors")
    assert any(not torch.equal(best[name], last[name]) for name in best)


@pytest.mark.parametrize(
    "changes",
    [
        ("training.optimiser=adamw_8bit", "training.workers=1"),
        ("training.precision=bf16", "training.gradient_checkpointing=true", "method=dora"),
        ("method=qlora", "training.schedule=linear"),
        ("method=soft_prompt", "soft_prompt.tokens=3"),
        ("method=full", "training.schedule=constant"),
    ],
)
def test_every_method_precision_and_optimiser_does_its_work(
    file: Path, tmp_path: Path, changes: tuple[str, ...]
) -> None:
    result = run(file, tmp_path / "out", "training.max_steps=2", "checking.texts=1", *changes).result
    assert result is not None
    assert result["steps"] == 2
    assert result["after"]["loss"] != result["before"]["loss"]
    weights = "model.safetensors" if "method=full" in changes else "adapter_model.safetensors"
    assert (tmp_path / "out/adapter" / weights).is_file()


def test_a_choice_among_labels_is_learned_by_its_own_head(file: Path, tmp_path: Path) -> None:
    choice = {"task": "classify", "question": "Is it a scan?", "labels": ["yes", "no"], "answer": "yes"}
    data = make_data(tmp_path / "data", **choice)
    out = tmp_path / "out"
    result = run(file, out, f"data.folder={data}", "checking.best=accuracy", "training.max_steps=4").result
    assert result is not None
    assert result["after"]["loss"] < result["before"]["loss"] < 3, "the loss of two labels, not of a vocabulary"
    assert result["after"]["accuracy"] == 1.0


def test_checkpointed_layers_give_the_same_curve(finished: Path, file: Path, tmp_path: Path) -> None:
    run(file, tmp_path / "out", "training.gradient_checkpointing=true", "lora.dropout=0.1")
    one, other = ((folder / "curve.csv").read_text().splitlines() for folder in (finished, tmp_path / "out"))
    losses = [[float(line.split(",")[2]) for line in lines[2:]] for lines in (one, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_fp16_needs_a_gpu(file: Path, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is one")
    with pytest.raises(FinetuneError, match="fp16 needs a GPU"):
        run(file, tmp_path, "training.precision=fp16")


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ("lora.targets=.*no_such_layer", AdaptError, "no_such_layer"),
        ("data.dev=test", RecordsError, r"test\.jsonl"),
        ("checking.best=accuracy", FinetuneError, "no record of dev has it"),
        ("trackers=[mlflow]", FinetuneError, "pip install mlflow"),
    ],
)
def test_mistakes_are_told_in_one_line_before_weights_are_loaded(
    file: Path, tmp_path: Path, change: str, error: type[Exception], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "load", lambda *_, **__: pytest.fail("the weights were loaded"))
    with pytest.raises(error, match=told) as raised:
        run(file, tmp_path / "out", change)
    assert "\n" not in str(raised.value)


def test_data_that_cannot_be_learned_from_is_told_before_weights_are_loaded(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "load", lambda *_, **__: pytest.fail("the weights were loaded"))
    missing = make_data(tmp_path / "missing")
    (missing / "images/3.png").unlink()
    with pytest.raises(RecordsError, match=r"1 of 10 images are missing, the first .*3\.png"):
        run(file, tmp_path / "a", f"data.folder={missing}")
    empty = make_data(tmp_path / "empty", dev_records=0)
    with pytest.raises(RecordsError, match=r"dev\.jsonl has no record"):
        run(file, tmp_path / "b", f"data.folder={empty}")
    broken = make_data(tmp_path / "broken")
    (broken / "images/3.png").write_bytes(b"no picture")
    with pytest.raises(RecordsError, match=r"3\.png"):
        run(file, tmp_path / "c", f"data.folder={broken}")
    masked = make_data(tmp_path / "masked", answer="\u200b")
    with pytest.raises(RecordsError, match="nothing that is written"):
        run(file, tmp_path / "d", f"data.folder={masked}")
    with pytest.raises(RecordsError, match=r"none of 10 records fits into training\.max_tokens=64"):
        run(file, tmp_path / "e", "training.max_tokens=64", f"data.folder={make_data(tmp_path / 'f')}")
