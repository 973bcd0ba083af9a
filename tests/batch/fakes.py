"""Pipelines that say how bright an image is, and what an image's file name makes of them; for processes, too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from ray_fakes import Deadly, Sayer, plain_settings

from batch.types import Block
from rag.config import Settings
from rag.pipeline import Pipeline
from rag.prompts import PromptTemplate
from rag.types import Prepared, Request, Speaker
from vlm.config import load_model_config
from vlm.errors import OutOfMemory, PromptError, ServerTimeout, ServerUnavailable
from vlm.types import Generation, GenerationParams, Prompt

DELAY = "BATCH_TEST_DELAY_S"
"""The environment variable that says how long an image takes."""
SETTINGS = plain_settings()
_FAULTS: dict[str, Callable[[], Exception]] = {
    "memory": lambda: OutOfMemory("it does not fit"),
    "prompt": lambda: PromptError("its prompt is too long"),
    "slow": lambda: ServerTimeout("no answer in 5 s."),
    "dead": lambda: ServerUnavailable("http://localhost:1 cannot be reached. Is it up?"),
}


class Told(Sayer):
    """Raises what the file name of an image ends in, once the images before it are described."""

    def __init__(self, fingerprint: str = "0" * 12) -> None:
        self.fingerprint = fingerprint
        self.loads = 0
        self.batches: list[int] = []

    def load(self) -> None:
        self.loads += 1

    def generate(self, prompts: Sequence[Prompt], params: GenerationParams) -> Iterator[tuple[int, Generation]]:
        self.batches.append(len(prompts))
        for position, generation in super().generate(prompts, params):
            word = Path(prompts[position].images[0].name).stem.split("-")[-1]
            if word in _FAULTS:
                raise _FAULTS[word]()
            time.sleep(float(os.environ.get(DELAY, "0")))
            yield position, generation


class Crowded(Pipeline):
    """Has memory to prepare two requests at a time, and none whose name begins with `huge`."""

    def prepare(self, requests: Sequence[Request]) -> Prepared:
        if len(requests) > 2 or any("huge" in request.id for request in requests):
            raise MemoryError
        return super().prepare(requests)


def pipeline_of(kind: type[Pipeline], settings: Settings, engine: Sayer | None = None) -> Pipeline:
    """One without evidence. Its model's configuration is a server's: what it was made with is told without torch."""
    config = load_model_config("server", url="http://localhost:1/v1", served_model="tiny")
    speaker = Speaker(engine or Told(), 100, GenerationParams(), config=config)
    return kind(settings, speaker, {"caption": PromptTemplate.load("zero_shot")}, None)


def told_pipeline(settings: Settings, examples: Sequence[Request], tell: object = None) -> Pipeline:  # noqa: ARG001
    return pipeline_of(Pipeline, settings)


def dying_pipeline(settings: Settings, examples: Sequence[Request]) -> Pipeline:  # noqa: ARG001
    return pipeline_of(Deadly, settings)


def crowded_pipeline(settings: Settings, examples: Sequence[Request], tell: object = None) -> Pipeline:  # noqa: ARG001
    return pipeline_of(Crowded, settings)


def stillborn(settings: Settings, examples: Sequence[Request]) -> Pipeline:  # noqa: ARG001
    os._exit(9)


def images(folder: Path, names: Iterable[str]) -> Path:
    """A folder of images, each of its own brightness; `bad` in a name makes a file that is no image."""
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        if "bad" in name:
            (folder / f"{name}.png").write_bytes(b"no image")
        else:
            paint(folder / f"{name}.png", number)
    return folder


def paint(file: Path, shade: int) -> None:
    Image.fromarray(np.full((8, 9), shade % 256, np.uint8)).save(file)


def blocks_of(folder: Path, size: int) -> list[Block]:
    """The images of a folder in blocks."""
    requests = [Request(file.stem, (str(file),)) for file in sorted(folder.glob("*.png"))]
    starts = range(0, len(requests), size)
    return [Block(number, tuple(requests[start : start + size])) for number, start in enumerate(starts)]
