"""One measurement of one model, in a process of its own: memory after load and at its peak, seconds, throughput.

`python -m vlm.cost.measure --model NAME ...` prints it as one line of JSON. Loads as the engine does, and asks the
model itself, so that an end token stops no answer early. Knows nothing of what the figures should be.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from imaging import LoadedImage
from vlm.config import ModelConfig, load_model_config
from vlm.cost.held import held_bytes
from vlm.cost.machine import forget_peak, mapped_mib, memory_mib, peak_mib
from vlm.errors import BenchError, VlmError
from vlm.loading import Loaded, load
from vlm.quiet import quiet
from vlm.types import Message, Prompt
from vlm.weights import find_files

MIB = 2**20
_WORD = " image"


class Memory:
    """MiB that this process or its GPU has beyond what it had at the beginning."""

    def __init__(self) -> None:
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._base = self._mapped = 0.0
        if self.device.type == "cpu":
            self._base, self._mapped = memory_mib(), mapped_mib()
            forget_peak()

    def now(self) -> float:
        """What is taken now; the peak begins anew."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            return torch.cuda.memory_allocated() / MIB
        taken = memory_mib()
        forget_peak()
        return taken - self._base

    def mapped(self) -> float:
        """How much of what is taken now are pages of the weights' files: as they are read, not copied."""
        return 0.0 if self.device.type == "cuda" else mapped_mib() - self._mapped

    def peak(self) -> float:
        """The most that was taken since `now` was last asked."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / MIB
        return peak_mib() - self._base


def measure(config: ModelConfig, batch: int, text_tokens: int, new_tokens: int, runs: int, side: int) -> dict[str, Any]:
    """Loads the model and answers `batch` prompts, each of one image of `side` pixels, `runs` times."""
    folder = find_files(config)
    if config.quantisation != "none":
        import bitsandbytes  # noqa: F401 - its code is no part of what the model takes
    memory = Memory()
    started = time.perf_counter()
    loaded = load(config, folder, None)
    seconds = time.perf_counter() - started
    loading_peak = memory.peak()
    after_load, held = memory.now(), held_bytes(loaded.model)  # on a CPU, NF4 is packed anew at its first use
    speed = _timed(config, loaded, memory, batch, text_tokens, new_tokens, runs, side)
    return {
        "quantisation": config.quantisation,
        "device": torch.cuda.get_device_name() if memory.device.type == "cuda" else "cpu",
        "dtype": str(loaded.model.dtype).removeprefix("torch."),
        "load_s": round(seconds, 2),
        "held_mib": round(held / MIB, 1),
        "loading_peak_mib": round(loading_peak, 1),
        "after_load_mib": round(after_load, 1),
        "after_use_mib": round(memory.now(), 1),
        "mapped_mib": round(memory.mapped(), 1),
        "speed": speed,
    }


def _timed(
    config: ModelConfig, loaded: Loaded, memory: Memory, size: int, text_tokens: int, new_tokens: int, runs: int,
    side: int,
) -> dict[str, Any]:  # fmt: skip
    """A run to warm up, then `runs` that count; no more than `error` where the GPU is full."""
    prompts = [_prompt(config, loaded, text_tokens, side, seed) for seed in range(size)]
    memory.now()
    try:
        with torch.inference_mode(), quiet():
            read = _answer(config, loaded, prompts, new_tokens)
            taken = [_seconds(lambda: _answer(config, loaded, prompts, new_tokens)) for _ in range(runs)]
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return {"batch": size, "error": "out of memory"}
    p50, p95 = (float(np.percentile(taken, percent)) for percent in (50, 95))
    return {
        "batch": size,
        "prompt_tokens": read,
        "new_tokens": new_tokens,
        "runs": runs,
        "p50_s": round(p50, 4),
        "p95_s": round(p95, 4),
        "mean_s": round(statistics.mean(taken), 4),
        "tokens_per_s": round(size * new_tokens / p50, 3),
        "images_per_s": None if config.how.max_images == 0 else round(size / p50, 4),
        "peak_mib": round(memory.peak(), 1),
    }


def _answer(config: ModelConfig, loaded: Loaded, prompts: list[Prompt], new_tokens: int) -> int:
    """Answers in `new_tokens` each, no fewer and no more; the tokens that each prompt had, images counted."""
    inputs = config.how.encode(loaded.processor, prompts, loaded.control).to(loaded.device, loaded.model.dtype)
    length: int = inputs["input_ids"].shape[1]
    if length + new_tokens > loaded.context:
        raise BenchError(
            f"model {config.name}: a prompt of {length} tokens, images counted, and {new_tokens} new ones are more "
            f"than the {loaded.context} that it reads. Ask for fewer: --prompt-tokens, --new-tokens"
        )
    ids = config.how.generate(
        loaded.model, inputs, max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False
    )
    if ids.shape[1] != length + new_tokens:
        raise BenchError(f"model {config.name} wrote {ids.shape[1] - length} tokens and not {new_tokens}")
    return length


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - started


def _prompt(config: ModelConfig, loaded: Loaded, text_tokens: int, side: int, seed: int) -> Prompt:
    """A prompt with a text of `text_tokens`, and an image of noise where the model reads images."""
    parts: list[str | LoadedImage] = [_text(loaded.tokenizer, text_tokens)]
    if config.how.max_images != 0:
        pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels)
        parts.insert(0, LoadedImage(f"noise-{seed}", picture, sha256=f"{seed:064x}", phash=f"{seed:016x}"))
    return Prompt((Message("user", tuple(parts)),), template="bench", template_hash="0" * 12)


def _text(tokenizer: Any, tokens: int) -> str:
    """Words of at least `tokens` tokens."""
    count = tokens
    while len(tokenizer(_WORD * count, add_special_tokens=False)["input_ids"]) > tokens and count > 1:
        count -= 1
    return (_WORD * count).strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True)
    parser.add_argument("--path", type=Path)
    parser.add_argument("--quantisation", choices=("none", "int8", "nf4"), default="none")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--prompt-tokens", type=int, required=True)
    parser.add_argument("--new-tokens", type=int, required=True)
    parser.add_argument("--runs", type=int, required=True)
    parser.add_argument("--image-side", type=int, required=True)
    return parser.parse_args()


def main() -> None:
    """Measures what the command line says; an error is one line on stderr."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it warns that the hub has faster kernels
    given = _arguments()
    try:
        config = load_model_config(given.model, path=given.path, quantisation=given.quantisation)
        found = measure(config, given.batch, given.prompt_tokens, given.new_tokens, given.runs, given.image_side)
    except VlmError as error:
        sys.exit(f"error: {error}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
