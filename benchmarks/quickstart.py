"""The engine beside what people write first: images a second of the same model, loaded once, at the same answers.

    python benchmarks/quickstart.py --images 64 --rounds 5

Compared, each in a process of its own, one after the other in each round so that a noisy machine treats all alike:

- `engine`: `vlm.open_engine(...).generate` over all prompts, batches of 16.
- `snippet`: the usual one: processor, `apply_chat_template`, `model.generate`, decode, one image at a time.
- `by hand`: the same processor and model in batches of 16 by hand, on the prompts that the engine is given.
- `pipeline`: transformers' `pipeline("image-text-to-text", batch_size=16)`.

All in fp32 with greedy decoding; answers must be the same texts, or the run fails. A process of its own, because how
the engine has memory kept (`imaging.memory`) is a setting of the whole process, and would quicken the others as well.
`engine, as shipped` computes the vision tower in bf16, as its configuration says; `engine, all in bf16` everything.
Images are rendered ones that pocket was never trained on, in memory already. Ratios are medians over the rounds of one
round's rates. `snippet, dtype as stored` is what a snippet gives that names no dtype: fp16 as in the file, which this
CPU has no arithmetic for; told of four images, compared with nothing. On a machine with other work, take `--threads 1`
and read what is `by_cpu`: seconds of CPU of the process, which waiting for a core does not lengthen; it is written to a
file of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from machine import save
from PIL import Image

from imaging import LoadedImage
from pocket.render import render
from pocket.views import FIRST_FREE_SEED
from vlm import Engine, GenerationParams, Message, Prompt, load_model_config, open_engine

BATCH, NEW_TOKENS = 16, 48
QUESTION = "Describe this image in one to three sentences, in English."
KINDS = ("smear", "fluorescence", "tissue", "slice")
FEW = 4
Pictures = Sequence[Image.Image]
Way = Callable[[Pictures], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64, help="how many (default: 64)")
    parser.add_argument("--rounds", type=int, default=5, help="rounds, after one that is not counted (default: 5)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="of each way (default: one a core)")
    args = parser.parse_args()
    stored = asked_once("snippet, dtype as stored", FEW, args.threads)
    workers = {name: Worker(name, args.images, args.threads) for name in WAYS if name != "snippet, dtype as stored"}
    seconds: dict[str, list[float]] = {name: [] for name in workers}
    cpu: dict[str, list[float]] = {name: [] for name in workers}
    texts: dict[str, list[str]] = {}
    loads: list[float] = []
    for round_ in range(args.rounds + 1):
        for name, worker in workers.items():
            took, of_cpu, texts[name] = worker.ask()
            if round_:
                seconds[name].append(took)
                cpu[name].append(of_cpu)
                loads.append(os.getloadavg()[0])
    for worker in workers.values():
        worker.end()
    alike = {name: sum(a == b for a, b in zip(said, texts["snippet"], strict=True)) for name, said in texts.items()}
    if any(alike[name] < args.images for name in ("engine", "by hand", "pipeline")):
        raise SystemExit(f"not the same answers, so not the same work: {alike}")
    results = {
        "images": args.images, "rounds": args.rounds, "batch": BATCH, "threads": args.threads,
        "load_average": [min(loads), max(loads)],
        "images_per_s": {name: round(args.images / statistics.median(several), 2) for name, several in seconds.items()},
        "cpu_ms_an_image": {name: round(1000 * statistics.median(s) / args.images, 1) for name, s in cpu.items()},
        "engine_over": over("engine", seconds), "engine_over_by_cpu": over("engine", cpu),
        "shipped_over": over("engine, as shipped", seconds), "shipped_over_by_cpu": over("engine, as shipped", cpu),
        "bf16_over": over("engine, all in bf16", seconds), "bf16_over_by_cpu": over("engine, all in bf16", cpu),
        "answers_like_the_snippets": alike,
        "snippet_dtype_as_stored_images_per_s": round(FEW / stored, 3),
        "seconds": {name: [round(s, 3) for s in several] for name, several in seconds.items()},
    }  # fmt: skip
    for key, told in results.items():
        print(key, told)
    print(save("quickstart" if args.threads == os.cpu_count() else f"quickstart_{args.threads}_thread", results))


class Worker:
    """A process with one way and its model loaded. It ends with this one."""

    def __init__(self, name: str, images: int, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._asked, answers = context.Pipe()
        self._process = context.Process(target=work, args=(answers, name, images, threads), daemon=True)
        self._process.start()
        self._asked.recv()

    def ask(self) -> tuple[float, float, list[str]]:
        """Seconds for all pictures, by the clock and of CPU, and what is said of each."""
        self._asked.send(None)
        took, cpu, texts = self._asked.recv()
        return took, cpu, texts

    def end(self) -> None:
        self._process.terminate()
        self._process.join()


def asked_once(name: str, images: int, threads: int) -> float:
    """Seconds of a way's second run, in a process that is ended then."""
    worker = Worker(name, images, threads)
    worker.ask()
    took, *_ = worker.ask()
    worker.end()
    return took


def work(answers: Connection, name: str, images: int, threads: int) -> None:
    """What a worker's process does: loads, then runs whenever it is asked to."""
    import torch
    from transformers.utils import logging

    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    way, pictures = WAYS[name](), drawn(images)
    answers.send(None)
    while True:
        answers.recv()
        started, cpu = time.perf_counter(), time.process_time()
        texts = way(pictures)
        answers.send((time.perf_counter() - started, time.process_time() - cpu, texts))


def drawn(images: int) -> list[Image.Image]:
    return [Image.fromarray(render(KINDS[n % len(KINDS)], FIRST_FREE_SEED + n).pixels) for n in range(images)]


def by_engine(**settings: Any) -> Way:
    engine = open_engine(load_model_config("pocket", **settings), batch_size=BATCH)
    engine.load()
    return lambda pictures: ours(engine, pictures)


def loaded(dtype: str) -> tuple[Any, Any]:
    """transformers' own model and processor."""
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = load_model_config("pocket").path
    processor = AutoProcessor.from_pretrained(folder)
    processor.tokenizer.padding_side = "left"
    return AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).eval(), processor


def by_batches(size: int, dtype: str = "float32") -> Way:
    model, processor = loaded(dtype)
    return lambda pictures: [
        text
        for start in range(0, len(pictures), size)
        for text in plain(model, processor, pictures[start : start + size])
    ]


def by_pipeline() -> Way:
    from transformers import pipeline

    model, processor = loaded("float32")
    piped = pipeline("image-text-to-text", model=model, processor=processor, device="cpu", batch_size=BATCH)
    return lambda pictures: through(piped, pictures)


WAYS: dict[str, Callable[[], Way]] = {
    "engine": lambda: by_engine(dtype="fp32", vision_dtype="model"),
    "engine, as shipped": by_engine,
    "engine, all in bf16": lambda: by_engine(dtype="bf16"),
    "snippet": lambda: by_batches(1),
    "by hand": lambda: by_batches(BATCH),
    "pipeline": by_pipeline,
    "snippet, dtype as stored": lambda: by_batches(1, "auto"),
}


def question_about(picture: Image.Image, number: int) -> Prompt:
    return Prompt((Message("user", (LoadedImage(f"{number}", picture, "", ""), QUESTION)),), "quickstart", "")


def ours(engine: Engine, pictures: Pictures) -> list[str]:
    prompts = [question_about(picture, n) for n, picture in enumerate(pictures)]
    answers = dict(engine.generate(prompts, GenerationParams(max_new_tokens=NEW_TOKENS)))
    return [answers[n].text for n in range(len(prompts))]


def chat(picture: Image.Image) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": QUESTION}]}]


def plain(model: Any, processor: Any, pictures: Pictures) -> list[str]:
    """Processor, `generate`, decode, as every model card shows it."""
    import torch

    inputs = processor.apply_chat_template(
        [chat(picture) for picture in pictures], add_generation_prompt=True, tokenize=True, return_dict=True,
        return_tensors="pt", processor_kwargs={"padding": True},
    ).to(model.dtype)  # fmt: skip
    with torch.inference_mode():
        ids = model.generate(**inputs, max_new_tokens=NEW_TOKENS, do_sample=False)
    said = processor.batch_decode(ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return [text.strip() for text in said]


def through(piped: Any, pictures: Pictures) -> list[str]:
    found = piped(text=[chat(picture) for picture in pictures], max_new_tokens=NEW_TOKENS, do_sample=False,
                  return_full_text=False)  # fmt: skip
    return [
        one[0]["generated_text"].strip() if isinstance(one, list) else one["generated_text"].strip() for one in found
    ]


def over(faster: str, seconds: dict[str, list[float]]) -> dict[str, float]:
    """How many times as fast `faster` is as each of the others."""
    return {name: ratio(several, seconds[faster]) for name, several in seconds.items() if name != faster}


def ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """The median over rounds of how many times as fast the second is."""
    return round(statistics.median(a / b for a, b in zip(slower, faster, strict=True)), 3)


if __name__ == "__main__":
    main()
