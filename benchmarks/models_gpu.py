"""Memory and speed of named models on a GPU, with random weights: NF4 and INT8 beside 16 bits, at batches of 1 and 16.

    python benchmarks/models_gpu.py --out runs/models_gpu

Writes NAME/bench.json, .md and .png a model, and gpu.md: memory after load beside the arithmetic, NF4's latency beside
16 bits', a batch beside one by one. Without a GPU the same steps run, the models cut to their first layers, and gpu.md
says `not measured`. Qwen2.5-VL-7B needs 17 GB of disk under --out for the time it is measured.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from machine import ROOT  # isort: skip - it puts the root on the path

import yaml

from vlm.cost.bench import Plan, bench
from vlm.cost.tables import gpu_lines

MODELS = ("smolvlm-500m", "qwen2-vl-2b", "paligemma-3b-mix-224", "qwen2.5-vl-7b")
QUANTISATIONS = ("none", "int8", "nf4")
WITHIN_POINTS = 3.0
"""How far memory after load in NF4 may be from the arithmetic."""
FIRST_LAYERS = {"num_hidden_layers": 1, "depth": 1, "vocab_size": 4096, "fullatt_block_indexes": [0]}
"""What is left of a model without a GPU: the sizes that hold its weights down."""


def main() -> None:
    given = _arguments()
    import torch

    on_gpu = torch.cuda.is_available()
    lines, failed = ["# Named models on a GPU", ""], False
    for name in given.models:
        model = name if on_gpu else str(_cut(name, given.out / name))
        plan = Plan(
            model, given.out / name, tuple(given.quant), tuple(given.batches), given.prompt_tokens,
            given.new_tokens, given.runs, random_weights=True,
        )  # fmt: skip
        results = bench(plan, print)
        failed |= any("error" in timed for row in results["measured"] for timed in row["speed"])
        lines += [f"## {name}", "", *gpu_lines(results["measured"]), *_speed_lines(results, on_gpu), ""]
        failed |= on_gpu and not _within(results)
        (given.out / "gpu.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    raise SystemExit(1 if failed else 0)


def _cut(name: str, folder: Path) -> Path:
    """A configuration of the model's first layers."""
    config = yaml.safe_load((ROOT / "configs" / "models" / f"{name}.yaml").read_text())
    shape = json.loads((ROOT / "configs" / "architectures" / f"{config['architecture']}.json").read_text())
    for part in (shape["text_config"], shape["vision_config"]):
        part.update({key: value for key, value in FIRST_LAYERS.items() if key in part})
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "first-layers.json").write_text(json.dumps(shape, indent=1))
    file = folder / f"first-layers-of-{name}.yaml"
    file.write_text(yaml.safe_dump({**config, "architecture": "first-layers.json"}))
    return file


def _speed_lines(results: dict[str, Any], on_gpu: bool) -> list[str]:
    """Latency beside that of 16 bits, and a batch beside one by one."""
    if not on_gpu:
        return []
    rows = {row["quantisation"]: row for row in results["measured"] if "error" not in row}
    full = {batch["batch"]: batch for batch in rows.get("none", {}).get("speed", []) if "error" not in batch}
    lines = ["", "| in | batch | p50 s | times 16 bits' | images/s | times one by one |", "|---|---|---|---|---|---|"]
    for quantisation, row in rows.items():
        done = {batch["batch"]: batch for batch in row["speed"] if "error" not in batch}
        for size, batch in done.items():
            beside = f"{batch['p50_s'] / full[size]['p50_s']:.2f}" if size in full else "-"
            gain = f"{batch['images_per_s'] / done[1]['images_per_s']:.2f}" if 1 in done else "-"
            lines.append(
                f"| {quantisation} | {size} | {batch['p50_s']:.3f} | {beside} | {batch['images_per_s']:.2f} | {gain} |"
            )
    return lines


def _within(results: dict[str, Any]) -> bool:
    """Whether NF4 saves what the arithmetic says, in points of a hundred."""
    rows = {row["quantisation"]: row for row in results["measured"] if "error" not in row}
    if not {"none", "nf4"} <= rows.keys():
        return False
    saved = [1 - rows["nf4"][key] / rows["none"][key] for key in ("reckoned_mib", "after_load_mib")]
    return 100 * abs(saved[0] - saved[1]) <= WITHIN_POINTS


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=MODELS, choices=MODELS)
    parser.add_argument("--quant", nargs="+", default=QUANTISATIONS, choices=QUANTISATIONS)
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 16])
    parser.add_argument("--prompt-tokens", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--runs", type=int, default=10)
    return parser.parse_args()


if __name__ == "__main__":
    main()
