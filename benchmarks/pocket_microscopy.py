"""Blood smears (`bccd`), nuclei (`dsb2018`) and single white cells (`wbc`): the figures of issue 3."""

from __future__ import annotations

import statistics
from dataclasses import replace
from functools import cache
from pathlib import Path

from benchmarks import foils, pocket_sets
from benchmarks import pocket_words as words
from benchmarks.pocket_bench import Bench, Part, Said, error, figure, only, reading, same, within_quarter
from benchmarks.pocket_sets import read
from benchmarks.pocket_table import Bar, Row

SMEAR_CAPTION = "Blood smear with {rbc} red cells, {wbc} white cells and {platelets} platelets."
NUCLEI_CAPTION = "{look} microscopy image with {nuclei} nuclei."
CELL_CAPTION = "Blood smear, one white cell: {cell}."
WHITE_CELL = "Is there a white blood cell in this image?"
PLATELETS = "Are there platelets in this image?"
NUCLEI = "How many nuclei are there?"


def bccd(bench: Bench) -> list[Row]:
    return [row for split in bench.splits for row in (*white_cells(bench, split), *blood_counts(bench, split))]


def smear_index(bench: Bench) -> Path:
    return bench.index("bccd", caption_template=SMEAR_CAPTION)


@cache
def smear_crops(bench: Bench, split: str) -> list[pocket_sets.Crop]:
    folder = bench.data / "bccd"
    fields = read(folder / "records.jsonl", split)
    if split != "train":
        fields = bench.some(fields)
    return pocket_sets.white_cell_crops(folder, fields, bench.house.work / "crops" / split)


def white_cells(bench: Bench, split: str) -> list[Row]:
    """Is there a white cell in a crop: from the caption, and asked."""
    index, (train, _) = smear_index(bench), bench.parts("bccd", split)
    crops, known = smear_crops(bench, split), smear_crops(bench, "train")
    images, truth, fields = [c.path for c in crops], [c.truth for c in crops], [c.field for c in crops]
    vectors, known_vectors = bench.house.vectors(images), bench.house.vectors([c.path for c in known])
    of_crops = foils.class_foils(known_vectors, [c.truth for c in known], [c.field for c in known], vectors)
    others = foils.votes(train.vectors, [_presence(white) for white in train["wbc"]], vectors)
    others |= {f"{name}, train crops": answers for name, answers in of_crops.items()}
    texts = {
        "caption": reading(bench.captions(images, index), lambda t: words.presence_said(t, words.WHITE_CELLS)),
        "asked": reading(bench.answers(images, [WHITE_CELL] * len(images), index), words.presence_answered),
    }
    name = f"white cell present/absent, {pocket_sets.CROP} px crops"
    return [
        figure(f"bccd ({split})", f"{name}, {how}", said, truth, fields, same, others, bar=Bar(">=", 0.95),
               classes=truth)
        for how, said in texts.items()
    ]  # fmt: skip


def blood_counts(bench: Bench, split: str) -> list[Row]:
    """Red cells and platelets of whole fields."""
    index, (train, fields), where = smear_index(bench), bench.parts("bccd", split), f"bccd ({split})"
    captions = bench.captions(fields.images, index)
    counts = reading(captions, lambda t: words.number_said(t, words.RED_CELLS))
    silent = {name: sum(count is None for count in several) for name, several in counts.items()}
    median = statistics.median(train["rbc"])
    counts = {name: [median if c is None else c for c in several] for name, several in counts.items()}
    red = figure(
        where, "red cells, mean absolute error", counts, fields["rbc"], fields["id"], error,
        foils.count_foils(train.vectors, train["rbc"], train["id"], fields.vectors), bar=Bar("<=", 2.2),
        note=f"captions with no number, taken as the median: {silent['without']} without, {silent['with']} with",
    )  # fmt: skip
    truth, labels = ([_presence(count) for count in part["platelets"]] for part in (fields, train))
    others = foils.class_foils(train.vectors, labels, train["id"], fields.vectors)
    told = {
        "caption": reading(captions, lambda t: words.presence_said(t, words.PLATELETS)),
        "asked": reading(bench.answers(fields.images, [PLATELETS] * len(fields), index), words.presence_answered),
    }
    return [red] + [
        figure(where, f"platelets present/absent, {how}", said, truth, fields["id"], same, others,
               bar=Bar(">=", 0.75), classes=truth)
        for how, said in told.items()
    ]  # fmt: skip


def _presence(count: int) -> str:
    return "present" if count else "absent"


def dsb2018(bench: Bench) -> list[Row]:
    """The look of images of nuclei, and how many they show."""
    index = bench.index("dsb2018", caption_template=NUCLEI_CAPTION)
    where, (train, dev) = "dsb2018 (dev)", bench.parts("dsb2018")
    captions = bench.captions(dev.images, index)
    look = figure(
        where, "fluorescence / stained tissue / bright-field", reading(captions, lambda t: words.said(t, words.LOOKS)),
        dev["look"], dev["id"], same, foils.class_foils(train.vectors, train["look"], train["id"], dev.vectors),
        bar=Bar(">=", 0.95), classes=dev["look"],
    )  # fmt: skip
    counts, note = nuclei_said(bench, dev, captions, index)
    others = foils.count_foils(train.vectors, train["nuclei"], train["id"], dev.vectors, log=True)
    near = figure(where, "nuclei within 25 %, all looks", counts, dev["nuclei"], dev["id"], within_quarter, others,
                  bar=Bar(">=", 0.75), note=note)  # fmt: skip
    mine = [n for n, name in enumerate(dev["look"]) if name == "fluorescence"]
    bright = dev.at(mine)
    return [look, near, figure(
        where, "nuclei within 25 %, fluorescence", only(counts, mine), bright["nuclei"], bright["id"], within_quarter,
        only(others, mine),
    )]  # fmt: skip


def nuclei_said(bench: Bench, dev: Part, captions: Said, index: Path) -> tuple[dict[str, list[int | None]], str]:
    """How many nuclei each caption says or, where it gives no number, the answer; and how many were asked."""
    counts = reading(captions, lambda t: words.number_said(t, words.NUCLEI))
    notes = []
    for name, evidence in (("without", None), ("with", index)):
        silent = [n for n, count in enumerate(counts[name]) if count is None]
        asked = bench.said([dev.images[n] for n in silent], evidence, [NUCLEI] * len(silent)) if silent else []
        for n, answer in zip(silent, asked, strict=True):
            counts[name][n] = words.number_said(answer, words.NUCLEI)
        still = sum(count is None for count in counts[name])
        notes.append(f"{name}: {len(silent)} captions with no number, asked; {still} still with none")
    return counts, "; ".join(notes)


def wbc(bench: Bench) -> list[Row]:
    """The class of single white cells."""
    index = bench.index("wbc", caption_template=CELL_CAPTION)
    where, (train, dev) = "wbc (dev)", bench.parts("wbc")
    others = foils.class_foils(train.vectors, train["cell"], train["id"], dev.vectors, (1, 3, 5))
    texts = bench.captions(dev.images, index)
    cells = reading(texts, lambda t: words.said(t, words.CELLS))
    rows = []
    for name, classes in (("mean over classes", dev["cell"]), ("plain", None)):
        row = figure(where, f"white-cell class, {name}", cells, dev["cell"], dev["id"], same, others, classes=classes)
        rows.append(replace(row, bar_with=Bar(">=", row.foils["3-NN"].value, "not below 3-NN")))
    unnamed = reading(texts, lambda t: not any(words.said(t, {name: stem}) for name, stem in words.CELLS.items()))
    safe = {
        name: [none or cell == true for none, cell, true in zip(unnamed[name], cells[name], dev["cell"], strict=True)]
        for name in texts
    }
    for name, flags in (("names no class, or the right one", safe), ("names no class", unnamed)):
        rows.append(figure(where, name, flags, [True] * len(dev), dev["id"], same, {}))
    return rows
