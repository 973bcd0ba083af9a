"""Pipelines that workers of a test import by name: the real path with an engine that says a fixed sentence.

An image's file name says what becomes of the worker that reads it: `killsonce` kills it the first time, `kills` always.
"""

from __future__ import annotations

import base64
import io
import json
import os
import signal
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from batch.workers.ray_llm import LIGHT, answered_row, llm_module
from rag.config import Settings, resolve
from rag.pipeline import Pipeline
from rag.prompts import PromptTemplate
from rag.types import Prepared, Request, Speaker
from vlm.errors import ModelNotFound
from vlm.types import Generation, GenerationParams, LabelScores, Prompt


class Sayer:
    """An engine that says how bright the image is. Implements `Engine`."""

    model, adapter, max_images, fingerprint = "sayer", None, None, "0" * 12

    def load(self) -> None: ...

    def unload(self) -> None: ...

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:  # noqa: ARG002
        for position, prompt in enumerate(prompts):
            grey = prompt.images[0].picture.convert("L").getpixel((0, 0))
            yield position, Generation(f"An image of brightness {grey}.", 9, 5, "end", 0.001, -0.1)

    def stream(self, prompt: Prompt, params: GenerationParams) -> Generator[str | Generation, None, None]:
        for _, generation in self.generate([prompt], params):
            yield generation.text
            yield generation

    def score(
        self,
        prompts: Sequence[Prompt],
        labels: Sequence[str],
        one_pass: bool = False,  # noqa: ARG002 - as the protocol has it
    ) -> Iterator[tuple[int, LabelScores]]:
        for position in range(len(prompts)):
            yield position, LabelScores((1 / len(labels),) * len(labels), 1.0)

    def logprob(self, prompts: Sequence[Prompt], text: str, begun: str = "") -> Iterator[tuple[int, float]]:  # noqa: ARG002
        for position in range(len(prompts)):
            yield position, -0.1 * len(text)

    def told_apart_at_once(self, labels: Sequence[str]) -> bool:
        return len({label[0] for label in labels}) == len(labels)


class Deadly(Pipeline):
    """Kills its process where an image's name ends in `kills`, or in `killsonce` and it has not yet."""

    def prepare(self, requests: Sequence[Request]) -> Prepared:
        for path in (Path(str(request.images[0])) for request in requests):
            mark = path.with_suffix(".killed")
            if path.stem.endswith("kills") or (path.stem.endswith("killsonce") and not mark.exists()):
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        return super().prepare(requests)


def plain_settings() -> Settings:
    """No evidence, and no model but the one that speaks."""
    return resolve(assignments=["retrieval.enabled=false", "check.text_embedder=null"])


def deadly_pipeline(settings: Settings, examples: Sequence[Request]) -> Pipeline:  # noqa: ARG001
    return Deadly(
        settings, Speaker(Sayer(), 100, GenerationParams()), {"caption": PromptTemplate.load("zero_shot")}, None
    )


def no_pipeline(settings: Settings, examples: Sequence[Request]) -> Pipeline:  # noqa: ARG001
    raise ModelNotFound("model tiny: no files in models/tiny. Get them: python cli.py models pull tiny")


def broken_pipeline(settings: Settings, examples: Sequence[Request]) -> Pipeline:
    pipeline = deadly_pipeline(settings, examples)
    vars(pipeline)["describe"] = lambda _: 1 / 0
    return pipeline


def answering(row: dict[str, Any]) -> dict[str, Any]:
    """What a processor would do with a row: says how bright the picture in it is."""
    return answered_row(row, bright(json.loads(row["asked"])["messages"]), 9, 5, cut=False, seconds=0.001)


def http_processor(url: str) -> Any:
    """Ray's own processor that asks a server with the OpenAI chat API at `url`, up to and with `/v1`."""
    llm = llm_module()
    return llm.build_processor(
        llm.HttpRequestProcessorConfig(
            url=f"{url}/chat/completions", batch_size=2, concurrency=1, http_request_stage=LIGHT
        ),
        preprocess=_for_http,
        postprocess=_of_http,
        preprocess_map_kwargs=LIGHT,
        postprocess_map_kwargs=LIGHT,
    )


def _for_http(row: dict[str, Any]) -> dict[str, Any]:
    asked = json.loads(row["asked"])
    return {"payload": {"model": "tiny", "messages": asked["messages"], **asked["params"]}}


def _of_http(row: dict[str, Any]) -> dict[str, Any]:
    said = row["http_response"]
    (choice,), usage = said["choices"], said["usage"]
    cut, tokens = choice["finish_reason"] == "length", (usage["prompt_tokens"], usage["completion_tokens"])
    return answered_row(row, choice["message"]["content"], *tokens, cut)


def bright(messages: list[dict[str, Any]]) -> str:
    """The sentence of `Sayer` for the picture in chat messages of the OpenAI API."""
    for part in messages[-1]["content"]:
        if isinstance(part, dict) and part["type"] == "image_url":
            packed = part["image_url"]["url"].partition("base64,")[2]
            picture = Image.open(io.BytesIO(base64.b64decode(packed))).convert("L")
            return f"An image of brightness {picture.getpixel((0, 0))}."
    return "Nothing to see."
