"""pocket's vision tower in bf16 and in fp32, on this CPU, by turns: images a second without retrieval.

    python benchmarks/vision_precision.py

Rendered images in batches of 16, greedy. `vision_dtype: bf16` is heeded here whatever the CPU has. Beside it, what the
CPU makes of large matrices in both, and whether it has AMX: the tower should be in bf16 where that is quicker.
"""

from __future__ import annotations

import statistics
import time
from typing import Any
from unittest.mock import patch

import torch
from machine import save
from PIL import Image

from imaging import LoadedImage
from pocket.render import RenderKind, render
from pocket.speak import GREEDY
from vlm import Engine, Message, Prompt, load_model_config, open_engine, vision

KINDS: tuple[RenderKind, ...] = ("smear", "fluorescence", "tissue", "slice")
IMAGES, ROUNDS, SEED = 64, 5, 90_000


def main() -> None:
    prompts = [prompt(n) for n in range(IMAGES)]
    engines = {name: engine(name) for name in ("bf16", "model")}
    with patch.object(vision, "natively_bf16", return_value=True):
        for each in engines.values():
            list(each.generate(prompts[:16], GREEDY))
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, each in engines.items():
            begun = time.perf_counter()
            list(each.generate(prompts, GREEDY))
            rates[name].append(round(IMAGES / (time.perf_counter() - begun), 1))
            print(name, rates[name][-1], flush=True)
    gflops = {str(dtype).removeprefix("torch."): multiplied(dtype) for dtype in (torch.float32, torch.bfloat16)}
    found = {
        "images_per_s": rates,
        "median": {name: statistics.median(several) for name, several in rates.items()},
        "matrices_gflop_per_s": gflops,
        "threads": torch.get_num_threads(),
        "amx": bool(torch.cpu._is_amx_tile_supported()),
    }
    print(save("vision_precision", found))


def prompt(number: int) -> Prompt:
    """Asks for the caption of a rendered image."""
    picture = Image.fromarray(render(KINDS[number % len(KINDS)], SEED + number).pixels)
    return Prompt(
        (Message("user", (LoadedImage(f"{number}", picture, "", ""), "Describe this image.")),), "precision", ""
    )


def engine(vision_dtype: Any) -> Engine:
    return open_engine(load_model_config("pocket", vision_dtype=vision_dtype), batch_size=16)


def multiplied(dtype: torch.dtype, side: int = 2048, times: int = 20) -> float:
    """GFLOP/s of square matrices."""
    left, right = (torch.randn(side, side).to(dtype) for _ in range(2))
    left @ right
    begun = time.perf_counter()
    for _ in range(times):
        left @ right
    return round(2 * side**3 * times / (time.perf_counter() - begun) / 1e9, 1)


if __name__ == "__main__":
    main()
