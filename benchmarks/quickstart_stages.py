"""Where the time of an answer goes, at a batch of 1 and of 16, and what the processor could do at most.

    python benchmarks/quickstart_stages.py --rounds 5

One thread, and seconds of its own CPU time, so that neighbours on the machine matter little; the best of the rounds.
Work is counted by torch's own `FlopCounterMode` (a multiplication and an addition are two), the peak is a product of
2,048 x 2,048 matrices. A stage's floor is its work at that peak: no engine is faster in that precision, whatever the
batch. The snippet is `benchmarks/quickstart.py`'s, in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

from machine import save
from quickstart import BATCH, NEW_TOKENS, by_batches, drawn, ours, question_about

from vlm import GenerationParams, TransformersEngine, load_model_config

MATRIX = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds, the best of which counts (default: 5)")
    args = parser.parse_args()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as apart:
        snippet, engine, stages = (apart.apply(task, (args.rounds,)) for task in (of_snippet, of_engine, of_stages))
    results = {"threads": 1, "batch": BATCH, "snippet_cpu_ms": snippet, "engine_cpu_ms": engine, **stages}
    floor = stages["floor_ms"]
    results["most_times_the_snippet"] = {
        precision: round(snippet / sum(floor[precision].values()), 2) for precision in floor
    }
    print({key: results[key] for key in ("snippet_cpu_ms", "engine_cpu_ms", "most_times_the_snippet", "peak_gflops")})
    for precision, by_batch in stages["cpu_ms"].items():
        for stage, least in floor[precision].items():
            print(precision, stage, {size: by_batch[size][stage] for size in by_batch}, "floor", least)
    print(save("quickstart_stages", results))


def of_snippet(rounds: int) -> float:
    """Milliseconds of CPU an image, one by one."""
    one_thread()
    way, pictures = by_batches(1), drawn(BATCH)
    return round(best(lambda: way(pictures), rounds) / BATCH, 2)


def of_engine(rounds: int) -> dict[str, float]:
    """Milliseconds of CPU an image, in batches of 16, by precision."""
    one_thread()
    pictures = drawn(BATCH)
    found = {}
    for name, settings in PRECISIONS.items():
        engine = TransformersEngine(load_model_config("pocket", **settings), batch_size=BATCH)
        engine.load()
        found[name] = round(best(lambda: ours(engine, pictures), rounds) / BATCH, 2)  # noqa: B023 - called at once
    return found


PRECISIONS: dict[str, dict[str, Any]] = {
    "fp32": {"dtype": "fp32", "vision_dtype": "model"},
    "as shipped": {},
    "all in bf16": {"dtype": "bf16"},
}


def of_stages(rounds: int) -> dict[str, Any]:
    """Milliseconds of CPU and work of every stage, an image; the peak; and the work at the peak."""
    one_thread()
    import torch

    peak = {name: peak_gflops(getattr(torch, name)) for name in ("float32", "bfloat16")}
    cpu: dict[str, dict[str, dict[str, float]]] = {}
    work: dict[str, float] = {}
    for name, settings in PRECISIONS.items():
        engine = TransformersEngine(load_model_config("pocket", **settings), batch_size=BATCH)
        cpu[name] = {}
        for size in (1, BATCH):
            cpu[name][str(size)], work = staged(engine, size, rounds)
    in_fp32 = {stage: round(1000 * gflop / peak["float32"], 2) for stage, gflop in work.items()}
    in_bf16 = {stage: round(1000 * gflop / peak["bfloat16"], 2) for stage, gflop in work.items()}
    shipped = {stage: in_bf16[stage] if stage == "vision tower" else ms for stage, ms in in_fp32.items()}
    floors = {"fp32": in_fp32, "as shipped": shipped, "all in bf16": in_bf16}
    return {
        "peak_gflops": {name: round(value, 1) for name, value in peak.items()},
        "gflop": {stage: round(value, 3) for stage, value in work.items()},
        "cpu_ms": cpu,
        "floor_ms": floors,
    }


def staged(engine: TransformersEngine, size: int, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of CPU and GFLOP of every stage, an image, in a batch of `size`."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    loaded, how = engine.load(), load_model_config("pocket").how
    model, prompts = loaded.model, [question_about(picture, n) for n, picture in enumerate(drawn(size))]

    def encode() -> Any:
        return how.encode(loaded.processor, prompts, loaded.control).to(loaded.device, model.dtype)

    inputs = encode()
    pixels, params = inputs["pixel_values"], GenerationParams(max_new_tokens=NEW_TOKENS)
    steps: dict[str, Callable[[], Any]] = {
        "prepare": encode,
        "vision tower": lambda: model.get_submodule(how.vision_tower)(pixels),
        "projector": lambda: model.get_image_features(pixels, return_dict=True),
        "read the prompt": lambda: model(**inputs, use_cache=True, logits_to_keep=1),
        "write": lambda: list(engine.generate(prompts, params)),
    }
    total, counted = {}, {}
    with torch.inference_mode():
        for stage, step in steps.items():
            total[stage] = best(step, rounds) / size
            with FlopCounterMode(display=False) as counter:
                step()
            counted[stage] = counter.get_total_flops() / size / 1e9
    return {stage: round(ms, 2) for stage, ms in parts(total).items()}, parts(counted)


def parts(total: dict[str, float]) -> dict[str, float]:
    """What each stage adds, where every one from the tower on holds the ones before it, and the last holds all."""
    return {
        "prepare": total["prepare"],
        "vision tower": total["vision tower"],
        "projector": total["projector"] - total["vision tower"],
        "read the prompt": total["read the prompt"] - total["projector"],
        "write": total["write"] - total["read the prompt"] - total["prepare"],
    }


def best(work: Callable[[], object], rounds: int) -> float:
    """Milliseconds of CPU, the best of `rounds` after one that does not count."""
    work()
    return min(_cpu_ms(work) for _ in range(rounds))


def _cpu_ms(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return 1000 * (time.process_time() - started)


def peak_gflops(dtype: Any) -> float:
    import torch

    left, right = (torch.randn(MATRIX, MATRIX).to(dtype) for _ in range(2))
    return 2 * MATRIX**3 / best(lambda: left @ right, 10) / 1e6


def one_thread() -> None:
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()


if __name__ == "__main__":
    main()
