"""Figures of the embedded models: `python -m pocket.measure --data ../shared/data --weights pocket/weights`.

What a caption says is read from it by the word lists below; said more than one kind, or none, counts as wrong.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from imaging.types import Pixels
from pocket import negatives, scenes
from pocket.augment import view
from pocket.facts import CANNOT_TELL, Facts, Kind
from pocket.phrasing import index_caption
from pocket.render import RenderKind, render
from pocket.scenes import Scene
from pocket.speak import Encoder, Speaker, neighbours
from pocket.views import FIRST_FREE_SEED

WORDS: dict[Kind, str] = {
    "smear": r"blood smear|blood film",
    "fluorescence": r"fluorescence",
    "tissue": r"tissue",
    "brightfield": r"bright-field",
    "ct": r"\bCT\b",
    "mr": r"\bMRI?\b",
    "xray": r"X-ray|radiograph",
    "unknown": re.escape(CANNOT_TELL),
}
ORGANS = {"head": r"\b(head|brain)\b", "chest": r"\b(chest|lungs?)\b", "abdomen": r"\babdomen\b"}
Figures = dict[str, float | int]


def said(text: str, words: dict[Any, str]) -> str | None:
    """The one entry whose words the text holds; None where it holds none or several."""
    found = [name for name, pattern in words.items() if re.search(pattern, text, re.IGNORECASE)]
    return found[0] if len(found) == 1 else None


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON object of figures."""
    parser = argparse.ArgumentParser(prog="python -m pocket.measure", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=Path(__file__).parent / "weights")
    options = parser.parse_args(arguments)
    encoder, speaker = Encoder.load(options.weights / "clip"), Speaker.load(options.weights / "vlm")
    figures: dict[str, Figures] = {
        "bccd test": _smears(options.data, speaker, encoder),
        "dsb2018 dev": _nuclei(options.data, speaker, encoder),
        "vqa_rad dev": _radiology(options.data, speaker, encoder),
        "medpix dev": _medpix(options.data, speaker, encoder),
        "wbc dev": _wbc(options.data, speaker, encoder),
        "rendered, unseen seeds": _rendered(speaker),
        "unrelated, held out": _unrelated(speaker),
    }
    print(json.dumps(figures, indent=2))


def _share(right: Sequence[bool]) -> float:
    return round(float(np.mean(right)), 3)


def _with_evidence(pixels: Sequence[Pixels], train: Sequence[Scene], encoder: Encoder, seed: int) -> list[list[str]]:
    words = random.Random(seed)
    captions = [index_caption(scene.facts, words) for scene in train]
    index = encoder.images([scene.pixels() for scene in train])
    return neighbours(encoder.images(pixels), index, captions)


def _kinds(texts: Sequence[str], truth: Sequence[Facts]) -> float:
    return _share([said(text, WORDS) == facts.kind for text, facts in zip(texts, truth, strict=True)])


def _number(text: str, noun: str) -> float | None:
    """The count a caption gives before `noun`: 'about 30 red cells' is 30, 'no white cells' is 0."""
    found = re.search(rf"(no|one|two|three|four|\d+) (?:bright )?{noun}", text, re.IGNORECASE)
    if not found:
        return None
    word = found[1].lower()
    return float(word) if word.isdigit() else float(("no", "one", "two", "three", "four").index(word))


def _smears(data: Path, speaker: Speaker, encoder: Encoder) -> Figures:
    test = scenes.smears(data, "test")
    pixels, truth = [s.pixels() for s in test], [s.facts for s in test]
    evidence = _with_evidence(pixels, scenes.smears(data, "train"), encoder, 1)
    figures: Figures = {"n": len(test)}
    for name, texts in (("without", speaker.say(pixels)), ("with", speaker.say(pixels, evidence))):
        figures[f"kind, {name}"] = _kinds(texts, truth)
        reds = [_number(t, "red cell") for t in texts]
        errors = [abs(r - (f.red or 0)) for r, f in zip(reds, truth, strict=True) if r is not None]
        figures[f"red cells, mean absolute error, {name}"] = round(float(np.mean(errors)), 2) if errors else -1
    median = float(np.median([s.facts.red or 0 for s in scenes.smears(data, "train")]))
    figures["red cells, mean absolute error of the median"] = round(
        float(np.mean([abs(median - (f.red or 0)) for f in truth])), 2
    )
    crops = [_half(scene, number) for number, scene in enumerate(test)]
    chosen = [(p, w) for p, w in crops if w is not None]
    answers = speaker.say([p for p, _ in chosen], questions=["Is there a white cell?"] * len(chosen))
    for present in (True, False):
        right = [
            a.startswith("Yes" if present else "No")
            for a, (_, w) in zip(answers, chosen, strict=True)
            if bool(w) == present
        ]
        figures[f"white cell in a crop, asked, {'present' if present else 'absent'} (n={len(right)})"] = _share(right)
    return figures


def _half(scene: Scene, number: int) -> tuple[Pixels, int | None]:
    """A 320 x 240 crop at native scale, around the white cell for even numbers, away from it for odd ones."""
    pixels = scene.pixels()
    whites = [b for b in scene.boxes if b[0] == "WBC"]
    best: tuple[Pixels, int | None] = (pixels, None)
    for left, top in ((0, 0), (320, 0), (0, 240), (320, 240), (160, 120), (160, 0), (160, 240)):
        shares = []
        for _, x0, y0, x1, y1 in whites:
            wide = max(0, min(x1, left + 320) - max(x0, left)) * max(0, min(y1, top + 240) - max(y0, top))
            shares.append(wide / max(1, (x1 - x0) * (y1 - y0)))
        present = max(shares, default=0.0)
        if (number % 2 == 0 and present > 0.6) or (number % 2 == 1 and present < 0.02):
            return pixels[top : top + 240, left : left + 320], int(number % 2 == 0)
    return best


def _nuclei(data: Path, speaker: Speaker, encoder: Encoder) -> Figures:
    dev = scenes.nuclei(data, "dev")
    pixels, truth = [s.pixels() for s in dev], [s.facts for s in dev]
    evidence = _with_evidence(pixels, scenes.nuclei(data, "train"), encoder, 2)
    figures: Figures = {"n": len(dev)}
    for name, texts in (("without", speaker.say(pixels)), ("with", speaker.say(pixels, evidence))):
        for kind in ("fluorescence", "tissue", "brightfield"):
            chosen = [i for i, f in enumerate(truth) if f.kind == kind]
            figures[f"{kind}, {name}"] = _kinds([texts[i] for i in chosen], [truth[i] for i in chosen])
        near = []
        for text, facts in zip(texts, truth, strict=True):
            if facts.kind == "fluorescence" and facts.nuclei:
                count = _number(text, "nucle")
                near.append(count is not None and abs(count - facts.nuclei) <= 0.25 * facts.nuclei)
        figures[f"fluorescent nuclei within 25 %, {name}"] = _share(near)
    return figures


def _radiology(data: Path, speaker: Speaker, encoder: Encoder) -> Figures:
    dev = scenes.radiology(data, "dev")
    pixels = [s.pixels() for s in dev]
    evidence = _with_evidence(pixels, scenes.radiology(data, "train"), encoder, 3)
    figures: Figures = {"n": len(dev)}
    for name, chosen in (("without", None), ("with", evidence)):
        texts = speaker.say(pixels, chosen)
        figures[f"organ in the caption, {name}"] = _share(
            [said(t, ORGANS) == s.facts.organ for t, s in zip(texts, dev, strict=True)]
        )
        for organ, kinds in (("chest", {"xray"}), ("abdomen", {"ct"}), ("head", {"mr", "ct"})):
            mine = [t for t, s in zip(texts, dev, strict=True) if s.facts.organ == organ]
            label = "MR or CT" if organ == "head" else "X-ray" if organ == "chest" else "CT"
            figures[f"{organ} said to be {label}, {name}"] = _share([said(t, WORDS) in kinds for t in mine])
        asked = speaker.say(pixels, chosen, ["What organ is this?"] * len(pixels))
        figures[f"organ, asked, {name}"] = _share(
            [said(t, ORGANS) == s.facts.organ for t, s in zip(asked, dev, strict=True)]
        )
    closed = [(i, q, a) for i, s in enumerate(dev) for q, a, kind in s.qa if kind == "CLOSED"]
    answers = speaker.say([pixels[i] for i, _, _ in closed], questions=[q for _, q, _ in closed])
    right = [x.lower().rstrip(".") == a.lower() for x, (_, _, a) in zip(answers, closed, strict=True)]
    figures[f"closed questions, without (n={len(closed)})"] = _share(right)
    return figures


def _rows(path: Path, split: str) -> tuple[list[dict[str, Any]], list[Pixels]]:
    rows = [json.loads(line) for line in (path / "records.jsonl").read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["split"] == split]
    return rows, [np.asarray(Image.open(path / row["image"]).convert("RGB")) for row in rows]


def _medpix(data: Path, speaker: Speaker, encoder: Encoder) -> Figures:
    train, train_pixels = _rows(data / "medpix", "train")
    dev, pixels = _rows(data / "medpix", "dev")
    index, queries = encoder.images(train_pixels), encoder.images(pixels)
    figures: Figures = {"n": len(dev)}
    nearest = (queries @ index.T).argmax(axis=1)
    for key in ("kind", "plane", "location_category"):
        figures[f"1-NN {key}"] = _share([d[key] == train[n][key] for d, n in zip(dev, nearest, strict=True)])
    evidence = neighbours(queries, index, [row["caption"] for row in train])
    for name, texts in (("without", speaker.say(pixels)), ("with", speaker.say(pixels, evidence))):
        right = [said(t, WORDS) == row["kind"].lower() for t, row in zip(texts, dev, strict=True)]
        figures[f"CT or MR in the caption, {name}"] = _share(right)
    return figures


def _wbc(data: Path, speaker: Speaker, encoder: Encoder) -> Figures:
    train, train_pixels = _rows(data / "wbc", "train")
    dev, pixels = _rows(data / "wbc", "dev")
    scores = encoder.images(pixels) @ encoder.images(train_pixels).T
    votes = [Counter(train[i]["cell"] for i in np.argsort(-row)[:3]).most_common(1)[0][0] for row in scores]
    smears = _kinds(speaker.say(pixels), [Facts("smear")] * len(dev))
    right = [v == d["cell"] for v, d in zip(votes, dev, strict=True)]
    return {"n": len(dev), "3-NN white-cell class": _share(right), "said to be a blood smear, without": smears}


def _rendered(speaker: Speaker, count: int = 30) -> Figures:
    figures: Figures = {"n of each": count}
    kinds: tuple[RenderKind, ...] = ("smear", "fluorescence", "tissue", "radiograph", "blank", "noise")
    for kind in kinds:
        made = [render(kind, FIRST_FREE_SEED + n) for n in range(count)]
        figures[kind] = _kinds(speaker.say([m.pixels for m in made]), [m.facts for m in made])
    return figures


def _unrelated(speaker: Speaker) -> Figures:
    unknown = Facts("unknown")
    whole = [negatives.photo(name) for name in negatives.DEV_PHOTOS]
    crops = [view(p, None, unknown, random.Random(n))[0] for n in range(15) for p in whole]
    drawn = [negatives.drawn(FIRST_FREE_SEED + n) for n in range(100)]
    told: Callable[[list[Pixels]], float] = lambda pictures: _share([t == CANNOT_TELL for t in speaker.say(pictures)])  # noqa: E731
    return {"photographs (n=6)": told(whole), "their crops (n=90)": told(crops), "drawn (n=100)": told(drawn)}


if __name__ == "__main__":
    main()
