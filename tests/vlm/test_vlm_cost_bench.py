"""`models bench` from end to end, in real fresh processes, on a small architecture with random weights."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from transformers import AutoConfig

from cli import main
from configs import ROOT
from tests.vlm import tiny
from tests.vlm.conftest import asked, picture
from tests.vlm.test_vlm_engine import SHORT, Configs, run
from tests.vlm.tiny_parts import FEW
from vlm import BenchError, load_model_config, open_engine
from vlm.config import Quantisation
from vlm.cost.bench import IMAGE_SIDE, Plan, bench
from vlm.cost.measure import measure
from vlm.cost.memory import count_parameters, shape_of
from vlm.cost.untrained import write_untrained

FP32 = torch.float32


def small(folder: Path, tiny_folder: Path, family: str, **changes: Any) -> Path:
    """A configuration whose architecture is that of a tiny model, with a vocabulary of its own size."""
    shape = json.loads((tiny_folder / "config.json").read_text())
    shape.get("text_config", shape).update(vocab_size=1000)
    (folder / "shape.json").write_text(json.dumps(shape))
    lines = {
        "family": family, "path": "nowhere", "architecture": "shape.json", "prompt_tokens": 64,
        "caption_prompt": "zero_shot", "license": "MIT", "parameters": 1000, **changes,
    }  # fmt: skip
    file = folder / "small.yaml"
    file.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return file


@pytest.mark.parametrize("kind", [kind for kind in tiny.ALL_KINDS if kind != "fastvlm"])
def test_an_untrained_model_loads_and_answers(kind: str, config_of: Configs, tmp_path: Path) -> None:
    config = config_of(kind, architecture=config_of(kind).path / "config.json")
    folder = write_untrained(config, tmp_path / "made", FP32, FEW)
    made = config_of(kind, path=folder)
    written, true = AutoConfig.from_pretrained(folder), shape_of(config).config
    assert written.get_text_config().vocab_size == true.get_text_config().vocab_size
    engine = open_engine(made)
    assert count_parameters(engine.load().model) == count_parameters(shape_of(config))
    assert run(engine, [asked(kind, "Describe.", picture(1))], SHORT)[0].new_tokens


def test_weights_are_written_in_shards(config_of: Configs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vlm.cost.untrained._SHARD_BYTES", 2**16)
    config = config_of("llama", architecture=config_of("llama").path / "config.json")
    folder = write_untrained(config, tmp_path, torch.bfloat16)
    assert len(list(folder.glob("*.safetensors"))) > 1
    assert open_engine(config_of("llama", path=folder)).load()


@pytest.fixture
def config_file(config_of: Configs, tmp_path: Path) -> Path:
    path = config_of("llama").path
    assert path is not None
    return small(tmp_path, path, "llama")


def test_from_the_command_to_the_table(config_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [
            sys.executable, "cli.py", "models", "bench", "--model", str(config_file), "--quant", "nf4",
            "--batch", "2", "--prompt-tokens", "12", "--new-tokens", "5", "--runs", "2", "--random-weights",
            "--out", str(out), "--json",
        ],
        cwd=ROOT.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert results == json.loads((out / "bench.json").read_text())
    (row,) = results["measured"]
    assert row["quantisation"] == "nf4"
    assert row["held_mib"] == row["reckoned_mib"]
    assert [batch["batch"] for batch in row["speed"]] == [2]
    page = (out / "bench.md").read_text()
    assert "GPU: not measured." in page
    assert str(out / "untrained") not in page
    assert (out / "bench.png").read_bytes()[:4] == b"\x89PNG"
    assert not list(out.glob("untrained-*"))


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measures here what else gets a process of its own, seconds of imports each: the same function, asked the same."""

    def measured(plan: Plan, quantisation: Quantisation, batch: int, folder: Path) -> dict[str, Any]:
        config = load_model_config(plan.model, path=folder, quantisation=quantisation)
        return measure(config, batch, plan.prompt_tokens, plan.new_tokens, plan.runs, IMAGE_SIDE)

    monkeypatch.setattr("vlm.cost.bench._measured", measured)


@pytest.mark.usefixtures("in_this_process")
def test_every_quantisation_is_measured_at_every_batch(config_file: Path, tmp_path: Path) -> None:
    quantisations: tuple[Quantisation, ...] = ("none", "int8", "nf4")
    plan = Plan(str(config_file), tmp_path / "out", quantisations, (1, 3), 12, 5, 2, random_weights=True)
    rows = bench(plan, lambda _: None)["measured"]
    assert [row["quantisation"] for row in rows] == list(quantisations)
    for row in rows:
        assert row["held_mib"] == row["reckoned_mib"]
        assert row["device"] == "cpu"
        assert [batch["batch"] for batch in row["speed"]] == [1, 3]
        for batch in row["speed"]:
            assert (batch["new_tokens"], batch["runs"]) == (5, 2)
            assert batch["prompt_tokens"] >= 12
            assert 0 < batch["p50_s"] <= batch["p95_s"]
            assert batch["tokens_per_s"] == pytest.approx(5 * batch["batch"] / batch["p50_s"], rel=0.01)


def test_what_fails_is_a_row_and_the_rest_goes_on(config_file: Path, tmp_path: Path) -> None:
    told: list[str] = []
    plan = Plan(str(config_file), tmp_path, prompt_tokens=3000, new_tokens=4, random_weights=True)
    (row,) = bench(plan, told.append)["measured"]
    assert "more than the 2048 that it reads" in row["error"]
    assert any("more than the 2048" in line for line in told)
    assert row["speed"][0]["error"] == row["error"]
    assert "failed: model small" in (tmp_path / "bench.md").read_text()
    assert told[-1] == "bench.png was not drawn: nothing was measured"


@pytest.mark.usefixtures("in_this_process")
def test_without_matplotlib_the_rest_is_written(
    config_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    told: list[str] = []
    bench(Plan(str(config_file), tmp_path / "out", new_tokens=2, prompt_tokens=4, random_weights=True), told.append)
    assert told[-1] == "bench.png was not drawn, the rest is written. For pictures: pip install 'lumenscribe[bench]'"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"bench.json", "bench.md"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quant", "int4"], "error: --quant int4: known are none, nf4, int8"),
        (["--batch", "0"], "error: batches, tokens and runs are counts of 1 and more"),
        (["--batch", "one"], "'one' is no list like 1,4,16"),
        (["--model", "server"], "error: model server is a server's"),
        (["--model", "pocket", "--random-weights"], "its configuration names no architecture"),
    ],
)
def test_wrong_requests_are_refused(arguments: list[str], message: str, tmp_path: Path) -> None:
    asked_for = ["models", "bench", "--model", "pocket", "--out", str(tmp_path / "out"), *arguments]
    done = CliRunner().invoke(main, asked_for)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_plan_measures_something(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="counts of 1 and more"):
        Plan("pocket", tmp_path, batches=())
