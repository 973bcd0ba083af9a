"""Measurements of one model by quantisation and batch size, each in a fresh process, one by one; and the arithmetic.

Knows nothing of how a process measures. Imports torch and transformers.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import torch

from configs import ROOT
from vlm.config import ModelConfig, Quantisation, load_model_config
from vlm.cost.machine import machine, versions
from vlm.cost.memory import count_parameters, describing, shape_of
from vlm.cost.picture import draw
from vlm.cost.tables import bench_page
from vlm.cost.untrained import write_untrained
from vlm.cost.work import Work
from vlm.errors import BenchError
from vlm.precision import compute_dtype
from vlm.weights import find_files

PACKAGES = ("lumenscribe", "torch", "transformers", "bitsandbytes", "safetensors", "numpy")
IMAGE_SIDE = 512
"""Pixels along the side of the images that are asked about."""
MIB = 2**20


@dataclass(frozen=True)
class Plan:
    """What to measure, and where to write what was found."""

    model: str
    """A model of configs/models, or a YAML file."""
    out: Path
    quantisations: tuple[str, ...] = ("none",)
    batches: tuple[int, ...] = (1,)
    prompt_tokens: int = 256
    """Of text, beside those of the image."""
    new_tokens: int = 32
    runs: int = 3
    """How often each batch is answered, after a first time that does not count."""
    random_weights: bool = False

    def __post_init__(self) -> None:
        unknown = [name for name in self.quantisations if name not in get_args(Quantisation)]
        if unknown or not self.quantisations:
            raise BenchError(f"--quant {','.join(unknown)}: known are {', '.join(get_args(Quantisation))}")
        if not self.batches or min(*self.batches, self.prompt_tokens, self.new_tokens, self.runs, 10**9) < 1:
            raise BenchError("batches, tokens and runs are counts of 1 and more")


def bench(plan: Plan, tell: Callable[[str], None]) -> dict[str, Any]:
    """Measures and writes bench.json, bench.md and, with matplotlib, bench.png into `plan.out`; what bench.json holds.

    A measurement that fails is told, kept with its reason under `error`, and does not stop the others. Raises
    BenchError for a model of a server, and what finding the model's files raises.
    """
    config = load_model_config(plan.model)
    if config.server is not None:
        raise BenchError(f"model {config.name} is a server's: what it costs is that machine's affair")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    plan.out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        folder = _folder(config, plan, device, stack, tell)
        measured = []
        for quantisation in plan.quantisations:
            tell(f"{config.name} in {quantisation}: measuring, a process for each batch size")
            measured.append(_row(config, quantisation, plan, device, folder))
            for timed in measured[-1]["speed"]:
                if "error" in timed:
                    tell(f"{config.name} in {quantisation}, batch of {timed['batch']}: {timed['error']}")
    results = {"recipe": _recipe(), **_setting(config, plan), "measured": measured}
    (plan.out / "bench.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (plan.out / "bench.md").write_text(bench_page(results), encoding="utf-8")
    draw(results, plan.out / "bench.png", tell)
    return results


def _folder(
    config: ModelConfig, plan: Plan, device: torch.device, stack: ExitStack, tell: Callable[[str], None]
) -> Path:
    """The model's own files; or random ones, which are gone once `stack` closes."""
    if not plan.random_weights:
        return find_files(config)
    made = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=plan.out, prefix="untrained-")))
    dtype = compute_dtype(config, device)
    tell(
        f"{config.name}: writing random weights, {count_parameters(shape_of(config)) * dtype.itemsize / 2**30:.1f} GiB"
    )
    return write_untrained(config, made, dtype)


def _row(config: ModelConfig, quantisation: str, plan: Plan, device: torch.device, folder: Path) -> dict[str, Any]:
    """What the arithmetic says and what was found, side by side; a process for every batch size.

    Memory is what the first of them found. One that fails leaves its reason, and the others what they found.
    """
    quantised = config.model_copy(update={"quantisation": quantisation, "path": folder})
    row = {"quantisation": quantisation, "reckoned_mib": round(describing(quantised, device).terms["weights"] / MIB, 1)}
    speed = []
    for size in plan.batches:
        found = _measured(plan, quantisation, size, folder)
        timed = found.pop("speed", {"batch": size, **found})
        if "error" not in found:
            row = {**row, **found, **row}
        if "error" not in timed:
            terms = describing(quantised, device, Work(size, plan.prompt_tokens, plan.new_tokens, IMAGE_SIDE)).terms
            timed["reckoned_peak_mib"] = round((sum(terms.values()) - terms["reserve"]) / MIB, 1)
        speed.append(timed)
    lost = {} if "held_mib" in row else {"error": speed[0]["error"]}
    return {**row, **lost, "speed": speed}


def _measured(plan: Plan, quantisation: str, batch: int, folder: Path) -> dict[str, Any]:
    """What one process found; or only `error`."""
    command = [
        sys.executable, "-m", "vlm.cost.measure", "--model", plan.model, "--path", str(folder.absolute()),
        "--quantisation", quantisation, "--batch", str(batch), "--prompt-tokens", str(plan.prompt_tokens),
        "--new-tokens", str(plan.new_tokens), "--runs", str(plan.runs), "--image-side", str(IMAGE_SIDE),
    ]  # fmt: skip
    paths = os.pathsep.join(filter(None, [str(ROOT.parent), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)  # noqa: S603 - this program
    if done.returncode == -signal.SIGKILL:
        return {"error": "the system killed it: most likely out of memory"}
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[-1]
        return {"error": last.removeprefix("error: ")}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _recipe() -> dict[str, Any]:
    """Command, date, versions and machine."""
    return {
        "command": " ".join(["python", Path(sys.argv[0]).name, *sys.argv[1:]]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": versions(PACKAGES),
        "machine": machine(),
    }


def _setting(config: ModelConfig, plan: Plan) -> dict[str, Any]:
    return {
        "model": config.name,
        "weights": "random" if plan.random_weights else "its own",
        "parameters": count_parameters(shape_of(config)),
        "parameters_configured": config.parameters,
        "prompt_tokens": plan.prompt_tokens,
        "new_tokens": plan.new_tokens,
        "image_side": IMAGE_SIDE if config.how.max_images != 0 else None,
    }
