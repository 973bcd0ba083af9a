"""What the engine does, beside what it could do: the reasons for its choices, measured.

    python benchmarks/engine_choices.py --images 32 --rounds 5

One model, pocket in fp32, batches of 16, the same prompts, greedy; one way after the other in each round, so that a
noisy machine treats all alike. Ratios are medians over the rounds of seconds without / seconds with, above 1 where a
way helps. Answers are compared: `same` counts those that are the same text as the engine's own.

- heads: what prompts begin with alike, read once for a batch (`vlm.shared_head`) or once a prompt, by its length.
- `eager`: attention as plain matrix products instead of torch's scaled_dot_product_attention.
- `static cache`: keys and values in a place of fixed size (`cache_implementation="static"`).
- `compiled`: the language model through `torch.compile`, its first run not counted; what that took is told beside it.
- `one pass`: a yes or no by the first token's probability, against scoring both answers whole and against writing one.
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

import vlm.shared_head
from imaging import LoadedImage
from pocket.render import render
from pocket.views import FIRST_FREE_SEED
from vlm import GenerationParams, Message, Prompt, TransformersEngine, load_model_config, open_engine

BATCH, NEW_TOKENS = 16, 32
KINDS = ("smear", "fluorescence", "tissue", "slice")
WORDS = "You describe biomedical images. " + "Say what is there, with care, and nothing that is not. " * 100
Way = Callable[[], list[str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    images = [loaded(n) for n in range(args.images)]
    engine = fresh()
    results: dict[str, Any] = {
        "model": "pocket", "images": args.images, "batch": BATCH, "new_tokens": NEW_TOKENS,
        "threads": torch.get_num_threads(),
    }  # fmt: skip
    results["heads"] = [head(engine, images, words, args.rounds) for words in (5, 30, 100, 400, 900)]
    results["attention_cache_compile"] = choices(engine, images, args.rounds)
    results["one_pass"] = one_pass(engine, images, args.rounds)
    print(save("engine_choices", results))


def loaded(number: int) -> LoadedImage:
    pixels = render(KINDS[number % len(KINDS)], FIRST_FREE_SEED + number).pixels
    return LoadedImage(f"image-{number}", Image.fromarray(pixels), f"{number:064x}", f"{number:016x}")


def fresh() -> TransformersEngine:
    engine = open_engine(load_model_config("pocket", dtype="fp32", vision_dtype="model"), batch_size=BATCH)
    if not isinstance(engine, TransformersEngine):
        raise TypeError("pocket runs in this process")
    engine.load()
    return engine


def prompts(images: Sequence[LoadedImage], system: str, question: str) -> list[Prompt]:
    return [
        Prompt((Message("system", (system,)), Message("user", (image, question))), "benchmark", "0") for image in images
    ]


def writes(engine: TransformersEngine, asked: Sequence[Prompt]) -> Way:
    params = GenerationParams(max_new_tokens=NEW_TOKENS)

    def way() -> list[str]:
        said = dict(engine.generate(asked, params))
        return [said[n].text for n in range(len(asked))]

    return way


def compared(
    ways: dict[str, Way], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[str]], dict[str, float]]:
    """Seconds of each way by round, what each said, and seconds of its first run, which is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[str]] = {}
    first: dict[str, float] = {}
    for round_ in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            texts[name] = way()
            took = time.perf_counter() - started
            if round_:
                seconds[name].append(took)
            else:
                first[name] = round(took, 2)
    return seconds, texts, first


def ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(slower, faster, strict=True)), 3)


def head(engine: TransformersEngine, images: Sequence[LoadedImage], words: int, rounds: int) -> dict[str, Any]:
    asked = prompts(images, " ".join(WORDS.split()[:words]), "Describe this image in one sentence.")
    way, least = writes(engine, asked), vlm.shared_head.LEAST

    def with_least(tokens: int) -> Way:
        def set_and_write() -> list[str]:
            vlm.shared_head.LEAST = tokens
            return way()

        return set_and_write

    seconds, texts, _ = compared({"each": with_least(10**9), "once": with_least(1)}, rounds)
    vlm.shared_head.LEAST = least
    (tokens,) = engine.count_tokens([" ".join(WORDS.split()[:words])])
    told = {
        "tokens_of_the_system_message": tokens,
        "once_over_each": ratio(seconds["each"], seconds["once"]),
        "same": sum(a == b for a, b in zip(texts["each"], texts["once"], strict=True)),
    }
    print("head", told)
    return told


def choices(engine: TransformersEngine, images: Sequence[LoadedImage], rounds: int) -> dict[str, Any]:
    asked = prompts(images, "You describe biomedical images.", "Describe this image in one sentence.")
    eager, static, compiled = fresh(), fresh(), fresh()
    eager.load().model.set_attn_implementation("eager")
    static.load().model.generation_config.cache_implementation = "static"
    language = compiled.load().model.model.language_model
    language.forward = torch.compile(language.forward, dynamic=True)
    ways = {
        "as shipped": writes(engine, asked), "eager": writes(eager, asked), "static cache": writes(static, asked),
        "compiled": writes(compiled, asked),
    }  # fmt: skip
    seconds, texts, first = compared(ways, rounds)
    told = {
        "ratio": {name: ratio(seconds["as shipped"], several) for name, several in seconds.items()},
        "same": {
            name: sum(a == b for a, b in zip(texts["as shipped"], said, strict=True)) for name, said in texts.items()
        },
        "first_run_s": first,
        "seconds": {name: [round(s, 3) for s in several] for name, several in seconds.items()},
    }
    print({key: told[key] for key in ("ratio", "same", "first_run_s")})
    return told


def one_pass(engine: TransformersEngine, images: Sequence[LoadedImage], rounds: int) -> dict[str, Any]:
    """Is this a blood smear? One in four is."""
    asked = prompts(images, "You answer questions about biomedical images.", "Question: Is this a blood smear?")
    labels = ("Yes.", "No.")

    def scores(at_once: bool) -> Way:
        def way() -> list[str]:
            found = dict(engine.score(asked, labels, one_pass=at_once))
            return [labels[found[n].probabilities[1] > found[n].probabilities[0]] for n in range(len(asked))]

        return way

    ways = {"one pass": scores(True), "whole answers": scores(False), "written": writes(engine, asked)}
    seconds, texts, _ = compared(ways, rounds)
    truth = [labels[KINDS[n % len(KINDS)] != "smear"] for n in range(len(images))]
    told = {
        "one_pass_over": {name: ratio(several, seconds["one pass"]) for name, several in seconds.items()},
        "same_as_one_pass": {
            name: sum(a == b for a, b in zip(texts["one pass"], said, strict=True)) for name, said in texts.items()
        },
        "right": {name: sum(a == b for a, b in zip(truth, said, strict=True)) for name, said in texts.items()},
    }
    print("one pass", told)
    return told


if __name__ == "__main__":
    main()
