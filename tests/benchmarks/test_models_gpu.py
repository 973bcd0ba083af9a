import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from configs import ROOT


@pytest.mark.skipif(torch.cuda.is_available(), reason="here is a GPU: the script measures the whole models")
def test_without_a_gpu_the_same_script_runs_and_says_not_measured(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "benchmarks/models_gpu.py", "--out", str(tmp_path), "--models", "smolvlm-500m",
            "--quant", "nf4", "--batches", "1", "--prompt-tokens", "8", "--new-tokens", "2", "--runs", "1",
        ],
        cwd=ROOT.parent, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "gpu.md").read_text()
    assert "## smolvlm-500m\n\nGPU: not measured." in page
    results = json.loads((tmp_path / "smolvlm-500m" / "bench.json").read_text())
    (row,) = results["measured"]
    assert row["quantisation"] == "nf4"
    assert row["held_mib"] == row["reckoned_mib"]
    assert "error" not in row["speed"][0]
    assert not list(tmp_path.rglob("*.safetensors"))
