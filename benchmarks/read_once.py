"""What is not worked out twice, or for nothing: CPU time of an image with and without it, by the whole path.

    python cli.py index build configs/indexes/medpix.yaml
    python benchmarks/read_once.py --index data/indexes/medpix --images 64 --rounds 5

Drawn images that pocket was not trained on, in batches of 32 with evidence from `--index`, one thread, so that CPU time
is what is worked and not what is waited. One way after the other in each round, the first round not counted; medians.

- `before`: the generator reads each picture itself, as its configuration says, and works out its last layer whole.
- `last row`: the last decoder layer of a prompt for its last token alone (`vlm.last_row`).
- `one reading`: the picture is read by the embedder, for both (`rag.one_trunk`).
- `both`: as the program does it.

`same` counts the texts that are those of `before`; a reading in 32 bits is not one in bfloat16, so it is told beside
them how many are those of a generator that reads in 32 bits itself (`own reading in 32 bits`).
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import time
from dataclasses import dataclass, replace

import torch
from engine_choices import loaded
from machine import save

import rag.pipeline
import vlm.last_row
from imaging import LoadedImage
from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.one_trunk import read_once
from rag.retrieve import Retriever
from rag.types import Description, Request

BLOCK = 32
READS_ONCE = vlm.last_row.last_row_alone


@dataclass(frozen=True)
class Way:
    """A pipeline, and what it leaves out."""

    pipeline: Pipeline
    last_row: bool
    one_reading: bool

    def run(self, images: list[LoadedImage]) -> tuple[float, list[str]]:
        """Seconds of CPU, and what was said of each image."""
        vlm.last_row.last_row_alone = READS_ONCE if self.last_row else contextlib.nullcontext
        finder = self.pipeline.retriever
        if not isinstance(finder, Retriever):
            raise TypeError("evidence comes from an index")
        if not read_once(self.pipeline.speaker.engine, finder):
            raise TypeError("the trunks are not the same")
        if not self.one_reading:
            finder.reads = None
        requests = [Request(image.name, (replace(image),)) for image in images]  # nobody has read these
        said: dict[str, str] = {}
        began = time.process_time()
        for start in range(0, len(requests), BLOCK):
            prepared = self.pipeline.prepare(requests[start : start + BLOCK])
            for outcome in self.pipeline.describe(prepared):
                if not isinstance(outcome, Description):
                    raise TypeError(f"{outcome.request.id}: {outcome.reason}")
                said[outcome.request.id] = outcome.text
        return time.process_time() - began, [said[image.name] for image in images]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", default="data/indexes/medpix")
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    rag.pipeline.read_once = lambda *_: False  # each way says itself who reads
    images = [loaded(number) for number in range(args.images)]
    own, exact = (opened(args.index, vision_dtype) for vision_dtype in (None, "model"))
    ways = {
        "before": Way(own, False, False),
        "last row": Way(own, True, False),
        "one reading": Way(own, False, True),
        "both": Way(own, True, True),
        "own reading in 32 bits": Way(exact, True, False),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    texts: dict[str, list[str]] = {}
    for round_ in range(args.rounds + 1):
        for name, way in ways.items():
            took, texts[name] = way.run(images)
            if round_:
                seconds[name].append(took)
    result = {
        "model": "pocket", "index": args.index, "images": args.images, "rounds": args.rounds, "threads": 1,
        "cpu_ms_an_image": {n: round(1000 * statistics.median(s) / args.images, 1) for n, s in seconds.items()},
        "times_as_fast_as_before": {
            name: round(statistics.median(a / b for a, b in zip(seconds["before"], several, strict=True)), 3)
            for name, several in seconds.items()
        },
        "same": {name: alike(texts["before"], said) for name, said in texts.items()},
        "both, same as own reading in 32 bits": alike(texts["both"], texts["own reading in 32 bits"]),
    }  # fmt: skip
    print(result)
    print(save("read_once", result))


def alike(some: list[str], others: list[str]) -> int:
    """How many are the same."""
    return sum(a == b for a, b in zip(some, others, strict=True))


def opened(index: str, vision_dtype: str | None) -> Pipeline:
    """The default pipeline over this index, loaded."""
    pipeline = open_pipeline(resolve(retrieval__index=index, model__vision_dtype=vision_dtype), [Request("a", ("a",))])
    pipeline.load()
    return pipeline


if __name__ == "__main__":
    main()
