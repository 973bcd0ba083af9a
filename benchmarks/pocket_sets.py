"""The images and questions of the benchmark: what is read from the data folder, and what is cut or drawn.

Rows are the data's own records; knows nothing of models.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from imaging.types import Pixels
from pocket import facts, negatives, scenes
from pocket.render import render
from pocket.views import FIRST_FREE_SEED

CROP = 240
"""Side in pixels of the crops of blood smears, at the scale of the fields (640 x 480)."""
_JITTER = 60
_INSIDE = 0.7
_STEP = 4
RENDERED, DRAWN, PHOTO_CROPS = 30, 100, 10
Item = TypeVar("Item")


@dataclass(frozen=True)
class Crop:
    """A crop of a smear: its file, the field it is of, whether a white cell is in it."""

    path: Path
    field: str
    white: bool

    @property
    def truth(self) -> str:
        return "present" if self.white else "absent"


@dataclass(frozen=True)
class Closed:
    """A closed question of `vqa_rad`; `image` is its file's name without ending."""

    image: str
    path: Path
    question: str
    answer: str


def read(path: Path, split: str) -> list[dict[str, Any]]:
    """The records of a split."""
    records = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [record for record in records if record["split"] == split]


def sample(items: Sequence[Item], most: int | None) -> list[Item]:
    """At most `most` of the items, drawn by a fixed seed, in their order."""
    if most is None or most >= len(items):
        return list(items)
    return [items[i] for i in sorted(random.Random(0).sample(range(len(items)), most))]


def white_cell_crops(folder: Path, fields: Sequence[dict[str, Any]], out: Path) -> list[Crop]:
    """Of each field a crop around a white cell and one without any, where there can be such; as many of each."""
    crops: dict[bool, list[Crop]] = {True: [], False: []}
    for field in fields:
        pixels = _pixels(folder / field["image"])
        for white in (True, False):
            place = _crop_place(pixels, [b[1:5] for b in field["boxes"] if b[0] == "WBC"], white, field["id"])
            if place is not None:
                left, top = place
                path = out / f"{field['id']}_{'white' if white else 'none'}.png"
                _save(pixels[top : top + CROP, left : left + CROP], path)
                crops[white].append(Crop(path, field["id"], white))
    few = min(len(crops[True]), len(crops[False]))
    return [*sample(crops[True], few), *sample(crops[False], few)]


def _crop_place(pixels: Pixels, cells: list[list[int]], white: bool, seed: str) -> tuple[int, int] | None:
    """Left and top, drawn from all places that fit: `_INSIDE` of the box of a cell near the middle, or none of any."""
    rng = random.Random(f"{seed}/{white}")
    height, width = pixels.shape[:2]
    top, left = np.mgrid[0 : height - CROP + 1 : _STEP, 0 : width - CROP + 1 : _STEP]
    fits = np.full(top.shape, not white)
    for x0, y0, x1, y1 in cells if not white else rng.sample(cells, min(1, len(cells))):
        wide = np.minimum(x1, left + CROP) - np.maximum(x0, left)
        high = np.minimum(y1, top + CROP) - np.maximum(y0, top)
        inside = np.maximum(wide, 0) * np.maximum(high, 0) / ((x1 - x0) * (y1 - y0))
        if white:
            across = np.clip((x0 + x1 - CROP) / 2, 0, width - CROP)
            down = np.clip((y0 + y1 - CROP) / 2, 0, height - CROP)
            fits = (inside >= _INSIDE) & (abs(left - across) <= _JITTER) & (abs(top - down) <= _JITTER)
        else:
            fits &= inside == 0
    places = np.argwhere(fits)
    if not len(places):
        return None
    row, column = rng.choice(places.tolist())
    return int(left[row, column]), int(top[row, column])


def radiology_records(data: Path, split: str, file: Path) -> Path:
    """Writes a record file with the images of `vqa_rad`, captioned by what is known of each."""
    found = scenes.radiology(data, split)
    rows = [
        {"id": s.path.stem, "image": str(s.path.absolute()), "caption": facts.caption(s.facts), "split": split}
        for s in found
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


def closed_questions(data: Path, split: str) -> list[Closed]:
    """The closed questions of `vqa_rad`."""
    return [
        Closed(Path(q["image"]).stem, data / "vqa_rad" / q["image"], q["question"].strip(), q["answer"].strip())
        for q in read(data / "vqa_rad" / "qa.jsonl", split)
        if q["answer_type"].strip() == "CLOSED"
    ]


def derangement(names: Sequence[str], seed: int = 0) -> dict[str, str]:
    """Each name to another one, every one used once."""
    order = sorted(names)
    random.Random(seed).shuffle(order)
    return dict(zip(order, [*order[1:], *order[:1]], strict=True))


def grey_image(file: Path) -> Path:
    """A grey image with nothing in it."""
    _save(np.full((256, 256, 3), 128, np.uint8), file)
    return file


def unrelated(out: Path) -> dict[str, list[tuple[str, Path]]]:
    """Images that cannot be described, by kind: the source of each and its file."""
    seeds = range(FIRST_FREE_SEED, FIRST_FREE_SEED + max(RENDERED, DRAWN))
    photos = {name: negatives.photo(name) for name in negatives.DEV_PHOTOS}
    pictures: dict[str, list[tuple[str, Pixels]]] = {
        "blank, rendered": [(str(seed), render("blank", seed).pixels) for seed in seeds[:RENDERED]],
        "noise, rendered": [(str(seed), render("noise", seed).pixels) for seed in seeds[:RENDERED]],
        "drawn": [(str(seed), negatives.drawn(seed)) for seed in seeds[:DRAWN]],
        "photographs and textures": list(photos.items()),
        "their crops": [
            (name, part(photo, f"{name}/{n}")) for name, photo in photos.items() for n in range(PHOTO_CROPS)
        ],
    }
    files: dict[str, list[tuple[str, Path]]] = {}
    for kind, several in pictures.items():
        for number, (source, pixels) in enumerate(several):
            path = out / f"{kind.replace(', ', '_').replace(' ', '_')}_{number}.png"
            _save(pixels, path)
            files.setdefault(kind, []).append((source, path))
    return files


def part(pixels: Pixels, seed: str) -> Pixels:
    """A crop of a third to two thirds of each side."""
    rng = random.Random(seed)
    height, width = (round(side * rng.uniform(1 / 3, 2 / 3)) for side in pixels.shape[:2])
    top, left = rng.randint(0, pixels.shape[0] - height), rng.randint(0, pixels.shape[1] - width)
    return pixels[top : top + height, left : left + width]


def _pixels(path: Path) -> Pixels:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _save(pixels: Pixels, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(path)
