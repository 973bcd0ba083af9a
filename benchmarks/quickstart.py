"""The engine beside what people write first: images a second of the same model, loaded once, at the same answers.

    python benchmarks/quickstart.py --images 64 --rounds 5

Compared, one after the other in each round so that a noisy machine treats all alike:

- `engine`: `vlm.open_engine(...).generate` over all prompts, batches of 16.
- `snippet`: the usual one: processor, `apply_chat_template`, `model.generate`, decode, one image at a time.
- `by hand`: the same processor and model in batches of 16 by hand, on the prompts that the engine is given.
- `pipeline`: transformers' `pipeline("image-text-to-text", batch_size=16)`.

All in fp32 with greedy decoding; answers must be the same texts, or the run fails. `engine, as shipped` computes the
vision tower in bf16, as pocket's configuration says. Images are rendered ones that pocket was never trained on, in
memory already. Ratios are medians over the rounds of one round's rates.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from machine import save
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, pipeline
from transformers.utils import logging

from imaging import LoadedImage
from pocket.render import render
from pocket.views import FIRST_FREE_SEED
from vlm import Engine, GenerationParams, Message, Prompt, load_model_config, open_engine

BATCH, NEW_TOKENS = 16, 48
QUESTION = "Describe this image in one to three sentences, in English."
KINDS = ("smear", "fluorescence", "tissue", "slice")
Way = Callable[[], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64, help="how many (default: 64)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, after one that is not counted (default: 5)")
    args = parser.parse_args()
    logging.disable_progress_bar()
    pictures = [Image.fromarray(render(KINDS[n % len(KINDS)], FIRST_FREE_SEED + n).pixels) for n in range(args.images)]
    ways = all_ways(pictures)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[str]] = {}
    for round_ in range(args.rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            texts[name] = way()
            if round_:
                seconds[name].append(time.perf_counter() - started)
    alike = {name: sum(a == b for a, b in zip(said, texts["snippet"], strict=True)) for name, said in texts.items()}
    if any(alike[name] < args.images for name in ("engine", "by hand", "pipeline")):
        raise SystemExit(f"not the same answers, so not the same work: {alike}")
    results = {
        "images": args.images, "rounds": args.rounds, "batch": BATCH, "threads": torch.get_num_threads(),
        "images_per_s": {name: round(args.images / statistics.median(several), 2) for name, several in seconds.items()},
        "engine_over": {name: ratio(seconds[name], seconds["engine"]) for name in ways if name != "engine"},
        "shipped_over": {name: ratio(seconds[name], seconds["engine, as shipped"]) for name in ways},
        "answers_like_the_snippets": alike,
        "seconds": {name: [round(s, 3) for s in several] for name, several in seconds.items()},
    }  # fmt: skip
    for key in ("images_per_s", "engine_over", "shipped_over", "answers_like_the_snippets"):
        print(key, results[key])
    print(save("quickstart", results))


def all_ways(pictures: Sequence[Image.Image]) -> dict[str, Way]:
    """Every way to caption the pictures, its model loaded."""
    exact = open_engine(load_model_config("pocket", dtype="fp32", vision_dtype="model"), batch_size=BATCH)
    shipped = open_engine(load_model_config("pocket"), batch_size=BATCH)
    folder = load_model_config("pocket").path
    processor = AutoProcessor.from_pretrained(folder)
    processor.tokenizer.padding_side = "left"
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    piped = pipeline("image-text-to-text", model=model, processor=processor, device="cpu", batch_size=BATCH)
    for engine in (exact, shipped):
        engine.load()
    return {
        "engine": lambda: ours(exact, pictures),
        "engine, as shipped": lambda: ours(shipped, pictures),
        "snippet": lambda: [text for picture in pictures for text in plain(model, processor, [picture])],
        "by hand": lambda: [
            text
            for start in range(0, len(pictures), BATCH)
            for text in plain(model, processor, pictures[start : start + BATCH])
        ],
        "pipeline": lambda: by_pipeline(piped, pictures),
    }


def ours(engine: Engine, pictures: Sequence[Image.Image]) -> list[str]:
    prompts = [
        Prompt((Message("user", (LoadedImage(f"{n}", picture, sha256="", phash=""), QUESTION)),), "quickstart", "")
        for n, picture in enumerate(pictures)
    ]
    answers = dict(engine.generate(prompts, GenerationParams(max_new_tokens=NEW_TOKENS)))
    return [answers[n].text for n in range(len(prompts))]


def chat(picture: Image.Image) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": QUESTION}]}]


def plain(model: Any, processor: Any, pictures: Sequence[Image.Image]) -> list[str]:
    """Processor, `generate`, decode, as every model card shows it."""
    inputs = processor.apply_chat_template(
        [chat(picture) for picture in pictures], add_generation_prompt=True, tokenize=True, return_dict=True,
        return_tensors="pt", processor_kwargs={"padding": True},
    )  # fmt: skip
    with torch.inference_mode():
        ids = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
    said = processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in said]


def by_pipeline(piped: Any, pictures: Sequence[Image.Image]) -> list[str]:
    found = piped(text=[chat(picture) for picture in pictures], max_new_tokens=NEW_TOKENS, do_sample=False,
                  return_full_text=False)  # fmt: skip
    return [
        one[0]["generated_text"].strip() if isinstance(one, list) else one["generated_text"].strip() for one in found
    ]


def ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """The median over rounds of how many times as fast the second is."""
    return round(statistics.median(a / b for a, b in zip(slower, faster, strict=True)), 3)


if __name__ == "__main__":
    main()
