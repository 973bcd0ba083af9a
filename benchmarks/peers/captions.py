"""Captions as people write a script for them: one way, in a process of its own. Knows nothing of the house.

    python captions.py loop|pipeline|ray MODEL LIST

MODEL is a folder of transformers' own layout; LIST a JSON file, a list of [image file, new tokens]. Each way loads the
model in fp32 (what a CPU is fast in), then opens, processes, generates greedily and decodes. `loop` takes one image
after the other with its own number of new tokens; `pipeline` (transformers' own) and `ray` (Ray Data's `map_batches`,
an actor a core) batches of 16, images of like numbers together, each batch with its mean, so that as many are written.
Prints a line of JSON: seconds from the model loaded to the last text, seconds from the start, tokens written.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

BATCH = 16
QUESTION = "Describe this image in one to three sentences, in English."
Wanted = list[tuple[str, int]]


def chat(picture: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": QUESTION}]}]


def opened(path: str) -> Any:
    from PIL import Image

    with Image.open(path) as image:
        return image.convert("RGB")


def load(folder: str) -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    processor.tokenizer.padding_side = "left"
    return AutoModelForImageTextToText.from_pretrained(folder, dtype="float32").eval(), processor


def say(model: Any, processor: Any, paths: list[str], tokens: int) -> tuple[list[str], int]:
    """Processor, `generate`, decode, as every model card shows it. Texts, and how many tokens were written."""
    import torch

    inputs = processor.apply_chat_template(
        [chat(opened(path)) for path in paths], add_generation_prompt=True, tokenize=True, return_dict=True,
        return_tensors="pt", processor_kwargs={"padding": True},
    ).to(model.dtype)  # fmt: skip
    with torch.inference_mode():
        ids = model.generate(**inputs, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
    written = ids[:, inputs["input_ids"].shape[1] :]
    return processor.batch_decode(written, skip_special_tokens=True), written.numel()


def batches(wanted: Wanted) -> list[tuple[list[str], int]]:
    """Images of like numbers of new tokens together, and their mean."""
    ordered = sorted(wanted, key=lambda one: one[1])
    parts = [ordered[start : start + BATCH] for start in range(0, len(ordered), BATCH)]
    return [([path for path, _ in part], round(sum(n for _, n in part) / len(part))) for part in parts]


def loop(folder: str, wanted: Wanted) -> tuple[float, int]:
    model, processor = load(folder)
    began = time.perf_counter()
    return began, sum(say(model, processor, [path], tokens)[1] for path, tokens in wanted)


def pipeline(folder: str, wanted: Wanted) -> tuple[float, int]:
    from transformers import pipeline as piped

    model, processor = load(folder)
    made = piped("image-text-to-text", model=model, processor=processor, device="cpu", batch_size=BATCH)
    began, written = time.perf_counter(), 0
    for paths, tokens in batches(wanted):
        pictures = [chat(opened(path)) for path in paths]
        settings = {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False}
        written += tokens * len(made(text=pictures, return_full_text=False, generate_kwargs=settings))
    return began, written


class Captioner:
    """What Ray's documentation on batch inference has: a class that loads the model once, then is called."""

    def __init__(self, folder: str) -> None:
        self.model, self.processor = load(folder)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        began = time.time()
        texts, written = say(self.model, self.processor, list(batch["path"]), round(float(batch["tokens"].mean())))
        return {"path": batch["path"], "text": texts, "began": [began] * len(texts), "written": [written] * len(texts)}


def ray(folder: str, wanted: Wanted) -> tuple[float, int]:
    import ray as cluster

    cores = len(os.sched_getaffinity(0))
    cluster.init("local", num_cpus=cores, include_dashboard=False, log_to_driver=False)
    rows = [{"path": path, "tokens": tokens} for path, tokens in sorted(wanted, key=lambda one: one[1])]
    found = (
        cluster.data.from_items(rows)
        .map_batches(Captioner, fn_constructor_args=(folder,), batch_size=BATCH, concurrency=cores, num_cpus=1)
        .take_all()
    )
    if len(found) != len(wanted):
        raise SystemExit(f"{len(found)} of {len(wanted)} came back")
    ago = time.time() - min(row["began"] for row in found)
    written = sum({(row["began"], row["written"]): row["written"] for row in found}.values())
    return time.perf_counter() - ago, written


WAYS: dict[str, Callable[[str, Wanted], tuple[float, int]]] = {"loop": loop, "pipeline": pipeline, "ray": ray}


def main() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    way, folder, listed = sys.argv[1:]
    started = time.perf_counter()
    wanted = [(path, tokens) for path, tokens in json.loads(Path(listed).read_text())]
    began, written = WAYS[way](folder, wanted)
    ended = time.perf_counter()
    print(json.dumps({"seconds": ended - began, "with_start_s": ended - started, "new_tokens": written}), flush=True)


if __name__ == "__main__":
    main()
