"""Does the map of where the model looks mean something? Deletion and pointing, on real images.

    python cli.py index build configs/indexes/medpix.yaml
    python cli.py index build configs/indexes/bccd.yaml
    python benchmarks/heat.py --data ../shared/data

pocket describes `--most` images of medpix dev and of bccd dev with evidence, and `rag.looking` maps each text.

- Deletion, paired: the hottest `HOTTEST` patches of a map are blurred together, and so are as many in the same
  arrangement moved elsewhere, `CONTROLS` times at random. How many nats less likely is the text, hottest less others?
  Blurred and not painted over, as the map's own windows were: what the map was made by must not be its proof.
- Pointing, bccd: is the middle of the hottest patch within the box of a white cell? Chance is the share of the
  image that the boxes cover. Of images with a white cell whose text says one.

Intervals are bootstrapped over images, 95 %.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import save
from PIL import Image, ImageFilter

from evaluation.statistics.intervals import estimate
from imaging import LoadedImage
from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.looking import LEAST, Box, Cells, Heat, boxes, occlusion, showing
from rag.types import Description, PreparedRequest, Request

HOTTEST = 9
"""Patches of 49 that are blurred together."""
CONTROLS = 5
BLUR = 0.05
"""Radius of the blur, as a share of the image's longer side."""
White = Sequence[Box]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=12)
    args = parser.parse_args()
    results: dict[str, Any] = {}
    for name in ("bccd", "medpix"):
        records = drawn(args.data / name, args.most)
        started = time.perf_counter()
        rows = judged(f"data/indexes/{name}", records)
        results[name] = {
            **summary(rows),
            "seconds an image, all readings": round((time.perf_counter() - started) / len(rows), 1),
            "images drawn": rows,
        }
        print(json.dumps({name: {k: v for k, v in results[name].items() if k != "images drawn"}}, indent=1))
    print(save("heat", results), file=sys.stderr)


def drawn(folder: Path, most: int) -> list[tuple[Path, White]]:
    """Images of the dev split by a fixed seed, and the boxes of their white cells."""
    lines = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    dev = [record for record in map(json.loads, lines) if record["split"] == "dev"]
    some = random.Random(0).sample(dev, most)
    return [
        (folder / record["image"], [tuple(box) for kind, *box in record.get("boxes", ()) if kind == "WBC"])
        for record in some
    ]


def judged(index: str, records: Sequence[tuple[Path, White]]) -> list[dict[str, Any]]:
    """What is found of each image that is described."""
    rng = random.Random(0)
    requests = [Request(str(n), (str(path),)) for n, (path, _) in enumerate(records)]
    pipeline = open_pipeline(resolve(retrieval__index=index), requests)
    prepared = pipeline.prepare(requests)
    said = {d.request.id: d for d in pipeline.describe(prepared) if isinstance(d, Description)}
    rows = []
    for item in prepared.items:
        description = said[item.request.id]
        text = description.text or description.withheld or ""
        heat = occlusion(pipeline, item, text)
        white = records[int(item.request.id)][1]
        rows.append({**deleted(pipeline, item, heat, rng), **pointed(item.images[0], heat, white)})
        print(item.request.id, text, rows[-1], file=sys.stderr, flush=True)
    return rows


def deleted(pipeline: Pipeline, item: PreparedRequest, heat: Heat, rng: random.Random) -> dict[str, Any]:
    """What blurring the hottest patches costs in nats, and blurring as many elsewhere."""
    threshold = np.sort(heat.patches, axis=None)[-HOTTEST]
    hottest = heat.patches >= threshold
    grid = len(hottest)
    moves = [move for move in np.ndindex(grid, grid) if move != (0, 0)]
    masks = [hottest, *(np.roll(hottest, move, axis=(0, 1)) for move in rng.sample(moves, CONTROLS))]
    image = item.images[0]
    prompts = [showing(item.prompt.prompt, image, blurred(image, mask)) for mask in masks]
    logprobs = dict(pipeline.speaker.engine.logprob(prompts, heat.text))
    hot, *others = (heat.logprob - logprobs[position] for position in range(len(masks)))
    return {
        "hottest": round(hot, 4),
        "elsewhere": round(float(np.mean(others)), 4),
        "whole": round(heat.whole, 4),
        "hottest patch": round(float(heat.patches.max()), 4),
    }


def blurred(image: LoadedImage, cells: Cells) -> LoadedImage:
    """The image with these patches of a blurred copy."""
    radius = BLUR * max(image.picture.size)
    soft, picture = image.picture.filter(ImageFilter.GaussianBlur(radius)), image.picture.copy()
    for box, hide in zip(boxes(*picture.size, len(cells)), cells.flat, strict=True):
        if hide:
            picture.paste(soft.crop(box), box)
    return replace(image, picture=picture)


def pointed(image: LoadedImage, heat: Heat, white: White) -> dict[str, Any]:
    """Whether the hottest patch's middle is in a white cell's box, and the share of the image that the boxes cover."""
    if not white or "one white cell" not in heat.text:
        return {}
    row, column = heat.hottest
    left, upper, right, lower = boxes(*image.picture.size, len(heat.patches))[row * len(heat.patches) + column]
    x, y = (left + right) / 2, (upper + lower) / 2
    area = Image.new("1", image.picture.size)
    for box in white:
        area.paste(1, box)
    hit = any(box[0] <= x < box[2] and box[1] <= y < box[3] for box in white)
    return {"in a white cell": hit, "share of white cells": round(float(np.asarray(area).mean()), 4)}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The figures over images."""
    gains = np.array([row["hottest"] - row["elsewhere"] for row in rows])
    telling = np.array([row["hottest patch"] >= LEAST for row in rows])
    pointing = [row for row in rows if "in a white cell" in row]
    found: dict[str, Any] = {
        "images": len(rows),
        "deletion": {"all": compared(gains), f"maps with a patch of {LEAST} nats": compared(gains[telling])},
    }
    if pointing:
        found["pointing"] = {
            "images": len(pointing),
            "in a white cell": float(np.mean([row["in a white cell"] for row in pointing])),
            "by chance": round(float(np.mean([row["share of white cells"] for row in pointing])), 4),
        }
    return found


def compared(gains: np.ndarray) -> dict[str, Any]:
    """Mean of paired differences in nats with its interval, and how often the hottest cost more."""
    if not len(gains):
        return {"images": 0}
    found = estimate(gains, range(len(gains)))  # each image is drawn by itself
    return {
        "images": len(gains),
        "hottest less elsewhere, nats": round(found.value, 4),
        "95 %": [round(end, 4) for end in (found.low, found.high) if end is not None],
        "hottest cost more": round(float((gains > 0).mean()), 4),
    }


if __name__ == "__main__":
    main()
