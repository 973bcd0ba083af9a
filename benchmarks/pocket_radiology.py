"""Radiology (`vqa_rad`, `medpix`): the figures of issue 3."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import comb
from pathlib import Path

import numpy as np

from benchmarks import foils, pocket_sets
from benchmarks import pocket_words as words
from benchmarks.pocket_bench import Bench, Part, Said, figure, only, reading, same
from benchmarks.pocket_table import Bar, Row
from evaluation import rouge
from evaluation.statistics.intervals import Estimate, Numbers, estimate
from pocket import scenes

ORGAN = "Which part of the body does this image show?"
MEDPIX_CAPTION = "{plane} {kind}, {location_category}. {caption}"
CLASSES: dict[str, tuple[str, Mapping[str, re.Pattern[str]], tuple[int, ...]]] = {
    "kind": ("CT or MR", words.MODALITIES, foils.ALL_K),
    "plane": ("plane", words.PLANES, (5,)),
    "location_category": ("location category", words.LOCATIONS, (3,)),
}
"""Fields of `medpix` that a caption is read for: what they are, the word lists, the k of the votes beside them."""


def radiology_index(bench: Bench) -> Path:
    records = pocket_sets.radiology_records(bench.data, "train", bench.house.work / "vqa_rad" / "records.jsonl")
    return bench.index("vqa_rad", train=str(records.absolute()), fields={"caption": "caption"})


def vqa_rad(bench: Bench) -> list[Row]:
    """The organ, and closed questions."""
    return [organ(bench), *closed(bench)]


def organ(bench: Bench) -> Row:
    """The part of the body, asked of each image of `vqa_rad`."""
    names = {"head": "HEAD", "chest": "CHEST", "abdomen": "ABD"}
    train, dev = scenes.radiology(bench.data, "train"), bench.some(scenes.radiology(bench.data, "dev"))
    images = [scene.path for scene in dev]
    labels, truth = ([names[s.facts.organ or ""] for s in several] for several in (train, dev))
    others = foils.class_foils(
        bench.house.vectors([s.path for s in train]), labels, [s.group for s in train], bench.house.vectors(images)
    )
    answers = bench.answers(images, [ORGAN] * len(images), radiology_index(bench))
    return figure(
        "vqa_rad (dev)", "organ, asked", reading(answers, lambda t: words.said(t, words.ORGANS)), truth,
        [s.group for s in dev], same, others, bar=Bar(">=", 0.90), bar_with=Bar(">=", 0.92), classes=truth,
    )  # fmt: skip


def closed_dev(bench: Bench) -> list[pocket_sets.Closed]:
    """The closed questions of at most `most` dev images."""
    asked = pocket_sets.closed_questions(bench.data, "dev")
    kept = set(bench.some(sorted({question.image for question in asked})))
    return [question for question in asked if question.image in kept]


def closed(bench: Bench) -> list[Row]:
    """Closed questions: of their own image, of another one, of none."""
    index, where = radiology_index(bench), "vqa_rad (dev)"
    train, asked = pocket_sets.closed_questions(bench.data, "train"), closed_dev(bench)
    images, questions, groups = [q.path for q in asked], [q.question for q in asked], [q.image for q in asked]
    truth = [words.normal(q.answer) for q in asked]
    others = foils.question_foils(
        [q.question for q in train], [words.normal(q.answer) for q in train], [q.image for q in train], questions
    )
    grey = pocket_sets.grey_image(bench.house.work / "grey.png")
    others["own model, grey image"] = [words.normal(t) for t in bench.said([grey] * len(asked), None, questions)]
    own = reading(bench.answers(images, questions, index), words.normal)
    paths = {q.image: q.path for q in asked}
    swap = pocket_sets.derangement(list(paths))
    other = reading(bench.answers([paths[swap[q.image]] for q in asked], questions, index), words.normal)
    drops = {
        name: [same(o, t) - same(s, t) for o, s, t in zip(own[name], other[name], truth, strict=True)] for name in own
    }
    row = figure(where, "closed questions, accuracy", own, truth, groups, same, others)
    best = max(row.foils[name].value for name in foils.QUESTION_ONLY)
    bar = Bar(">", best, "best question-only model")
    return [
        replace(row, bar_without=bar, bar_with=bar),
        figure(where, "closed questions, lost by shuffling the images", drops, truth, groups, lambda drop, _: drop, {},
               bar=Bar(">=", 0.05)),
    ]  # fmt: skip


def medpix_index(bench: Bench) -> Path:
    return bench.index("medpix", fields={"article": "case"}, caption_template=MEDPIX_CAPTION)


def medpix(bench: Bench) -> list[Row]:
    """CT or MR, plane, part of the body and words of captions; and text-image retrieval."""
    train, dev = bench.parts("medpix")
    bare = bench.index("medpix-captions", folder="medpix", fields={"article": "case", "caption": "caption"})
    said = bench.captions(dev.images, medpix_index(bench), dev["case"])
    evidence = {
        "": said,
        "; evidence: captions alone": {**said, "with": bench.said(dev.images, bare, articles=dev["case"])},
    }
    rows = [row for key in CLASSES for row in medpix_classes(key, train, dev, evidence)]
    nearest = [train.records[n]["caption"] for n in foils.nearest(train.vectors, dev.vectors, 1)[:, 0]]
    for name, texts in evidence.items():
        rows += caption_words(dev, texts, nearest, name)
    return [*rows, *text_and_image(bench, dev)]


def medpix_classes(key: str, train: Part, dev: Part, evidence: Mapping[str, Said]) -> list[Row]:
    """What captions say of a field of `CLASSES`, for each kind of evidence; images with another value are left out."""
    name, lists, ks = CLASSES[key]
    mine = [n for n, value in enumerate(dev[key]) if value in lists]
    known, asked = train.where(key, lists), dev.at(mine)
    others = foils.class_foils(known.vectors, known[key], known["case"], asked.vectors, ks)
    left_out = len(dev) - len(mine)
    rows = []
    for which, texts in evidence.items():
        row = figure(
            "medpix (dev)", name + which, reading(only(texts, mine), lambda t: words.said(t, lists)), asked[key],
            asked["case"], same, others, classes=asked[key],
            note=f"{left_out} images with another {name} left out" if left_out else "",
        )  # fmt: skip
        if key == "kind":
            rows.append(replace(row, bar_without=Bar(">=", 0.85), bar_with=Bar(">=", 0.95)))
        else:
            rivals = [foil for foil in others if foil != "majority"]
            limit = max(row.foils[foil].value for foil in rivals)
            rows.append(replace(row, bar_with=Bar(">", limit, "above " + " and ".join(rivals))))
    return rows


def caption_words(dev: Part, texts: Said, nearest: Sequence[str], evidence: str) -> list[Row]:
    """ROUGE-1 of own minus shuffled outputs, and the paired differences to `without` and to the nearest caption."""
    cases, gains = dev["case"], above_shuffled(dev, {**texts, "1-NN caption": nearest})
    name = f"ROUGE-1, own minus shuffled{evidence}"
    rows = [
        Row("medpix (dev)", name, len(dev), estimate(gains["without"], cases), estimate(gains["with"], cases),
            foils={"1-NN caption": estimate(gains["1-NN caption"], cases)})
    ]  # fmt: skip
    for other in ("without", "1-NN caption"):
        gain = estimate(gains["with"] - gains[other], cases, test=True)
        rows.append(
            Row("medpix (dev)", f"{name}: with, minus {other}", len(dev), with_=gain,
                bar_with=Bar(">", 0.0, "and p < 0.05"))
        )  # fmt: skip
    return rows


def above_shuffled(part: Part, texts: Said) -> dict[str, Numbers]:
    """By image, what each of several sets of texts gains in ROUGE-1 over the same texts shuffled."""
    return {
        name: np.asarray(rouge.above_shuffled(several, part["caption"], part["case"]))
        for name, several in texts.items()
    }


def text_and_image(bench: Bench, dev: Part) -> list[Row]:
    """Recall@10 among the dev pairs; any pair with the very same caption is right."""
    captions, cases = dev["caption"], dev["case"]
    scores = bench.house.encoder.embed_texts(captions) @ dev.vectors.T
    equal = np.asarray([[a == b for b in captions] for a in captions])
    k = min(10, len(dev))
    missed = comb(len(dev), k)
    chance = [1 - comb(len(dev) - int(right.sum()), k) / missed for right in equal]
    found = [np.take_along_axis(equal, np.argsort(-order, axis=1)[:, :k], axis=1) for order in (scores, scores.T)]
    return [
        Row("medpix (dev)", f"{name}, recall@10", len(dev),
            with_=estimate([float(row.any()) for row in hits], cases),
            foils={"chance": Estimate(float(np.mean(chance)))}, note="the encoder alone; no caption is generated")
        for name, hits in zip(("text to image", "image to text"), found, strict=True)
    ]  # fmt: skip
