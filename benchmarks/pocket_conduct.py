"""How the model behaves: says what it cannot tell, is not misled, knows how sure it may be; and how fast it is."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks import pocket_sets, reliability
from benchmarks import pocket_words as words
from benchmarks.pocket_bench import Bench, figure, reading, requests, same
from benchmarks.pocket_house import BATCH
from benchmarks.pocket_microscopy import WHITE_CELL, smear_crops, smear_index
from benchmarks.pocket_radiology import closed_dev, medpix_index, radiology_index
from benchmarks.pocket_sets import read
from benchmarks.pocket_table import Bar, Row
from evaluation.statistics.intervals import Estimate
from pocket.starter import write_starter
from rag.types import Description, Request

SPEED_IMAGES, SPEED_SINGLE = 128, 10
CALIBRATION = "expected calibration error, "


def starter_index(bench: Bench) -> Path:
    """The starter set, embedded by these very weights."""
    files = bench.house.work / "starter"
    if not (files / "records.jsonl").is_file():
        write_starter(files)
    passages = {"kind": "jsonl", "path": str(files / "passages.jsonl")}
    images = {"kind": "folder", "path": str(files), "fields": {"caption": "caption", "article": "article"}}
    return bench.house.index("starter", images, passages)


def unrelated(bench: Bench) -> list[Row]:
    """Blank, noise, drawings, photographs: the share that the model says it cannot describe."""
    index = starter_index(bench)
    found = {k: bench.some(some) for k, some in pocket_sets.unrelated(bench.house.work / "unrelated").items()}
    images = [path for several in found.values() for _, path in several]
    sources = [f"{kind}/{source}" for kind, several in found.items() for source, _ in several]
    kinds = [kind for kind, several in found.items() for _ in several]
    said = {
        name: [d.abstained for d in bench.house.describe(evidence, requests(images))]
        for name, evidence in (("without", None), ("with", index))
    }
    rows = []
    for kind in ("all", *found):
        mine = [n for n, name in enumerate(kinds) if kind in ("all", name)]
        rows.append(figure(
            "blank, noise, unrelated", f"says it cannot describe, {kind}",
            {name: [several[n] for n in mine] for name, several in said.items()}, mine, [sources[n] for n in mine],
            lambda abstained, _: float(abstained), {}, bar=Bar(">=", 0.95),
            classes=kinds if kind == "all" else None,
            note="mean over the kinds below; with: the starter set's captions" if kind == "all" else "",
        ))  # fmt: skip
    return rows


def misled(bench: Bench) -> list[Row]:
    """Evidence of images of another kind, from another set's index: what is right without it must stay right."""
    crops, (_, nuclei), (_, slices) = (
        smear_crops(bench, bench.splits[-1]),
        bench.parts("dsb2018"),
        bench.parts("medpix"),
    )
    radiology, smears = medpix_index(bench), smear_index(bench)
    white = [crop.truth for crop in crops]
    cases = (
        (f"white cell present/absent, {pocket_sets.CROP} px crops; evidence of radiology", radiology,
         [crop.path for crop in crops], white, [crop.field for crop in crops], _white_cell),
        ("fluorescence / stained tissue / bright-field; evidence of radiology", radiology,
         nuclei.images, nuclei["look"], nuclei["id"], lambda text: words.said(text, words.LOOKS)),
        ("CT or MR; evidence of blood smears", smears,
         slices.images, slices["kind"], slices["case"], lambda text: words.said(text, words.MODALITIES)),
    )  # fmt: skip
    return [
        figure("misleading evidence", name, reading(bench.captions(images, index), read_), truth, groups, same, {},
               classes=truth)
        for name, index, images, truth, groups, read_ in cases
    ]  # fmt: skip


def _white_cell(text: str) -> str | None:
    return words.presence_said(text, words.WHITE_CELLS)


def calibration(bench: Bench) -> list[Row]:
    """Expected calibration error of "white cell present" and of closed yes/no answers."""
    crops = smear_crops(bench, bench.splits[-1])
    yes_no = [q for q in closed_dev(bench) if words.normal(q.answer) in words.YES_NO]
    return [
        calibrated(
            bench, smear_index(bench), f"white cell present, {bench.splits[-1]} crops",
            requests([c.path for c in crops], [WHITE_CELL] * len(crops)), [c.white for c in crops],
            [c.field for c in crops],
        ),
        calibrated(
            bench, radiology_index(bench), "closed yes/no answers",
            requests([q.path for q in yes_no], [q.question for q in yes_no]),
            [words.normal(q.answer) == "yes" for q in yes_no], [q.image for q in yes_no],
        ),
    ]  # fmt: skip


def calibrated(
    bench: Bench, index: Path, name: str, asked: Sequence[Request], truth: Sequence[bool], groups: Sequence[str]
) -> Row:
    """ECE of the likelier of "Yes." and "No.", without evidence and with it."""
    errors, curves, shares = {}, {}, []
    for column_, evidence in (("without", None), ("with", index)):
        found = bench.house.probabilities(evidence, asked, ("Yes.", "No."))
        right = [(yes >= no) == true for (yes, no), true in zip(found, truth, strict=True)]
        errors[column_], curves[column_] = reliability.calibration_error([max(p) for p in found], right, groups)
        shares.append(f"{np.mean(right):.3f} {column_}")
    return Row(
        "calibration", f"{CALIBRATION}{name}", len(truth), errors["without"], errors["with"],
        Bar("<=", 0.08), Bar("<=", 0.08), note=f"accuracy {', '.join(shares)}", curves=curves,
    )  # fmt: skip


def speed(bench: Bench) -> list[Row]:
    """Images a second in batches, and seconds for one, models loaded."""
    dev = bench.some(read(bench.data / "medpix" / "records.jsonl", "dev"))[:SPEED_IMAGES]
    asked = requests([bench.data / "medpix" / r["image"] for r in dev], articles=[r["case"] for r in dev])
    bare = timed(bench, None, asked)
    rows = []
    for name, index in (("medpix", medpix_index(bench)), ("starter", starter_index(bench))):
        rate, single = timed(bench, index, asked)
        note = f"load average {os.getloadavg()[0]:.1f}"
        rows += [
            Row("speed", f"images/s in batches of {BATCH}, {name} index", len(dev), Estimate(bare[0]), Estimate(rate),
                bar_with=Bar(">=", 8.0), note=note),
            Row("speed", f"seconds for one image, {name} index", len(asked[:SPEED_SINGLE]), Estimate(bare[1]),
                Estimate(single), bar_with=Bar("<=", 0.4), note=note),
        ]  # fmt: skip
    return rows


def timed(bench: Bench, index: Path | None, asked: Sequence[Request]) -> tuple[float, float]:
    """Images a second of all in batches, and the median seconds of one at a time."""
    pipeline = bench.house.pipeline(index)
    pipeline.load()

    def seconds(some: Sequence[Request]) -> float:
        started = perf_counter()
        if not all(isinstance(outcome, Description) for outcome in pipeline.run(some)):
            sys.exit("speed: an image could not be described")
        return perf_counter() - started

    seconds(asked[:1])
    whole = sum(seconds(asked[start : start + BATCH]) for start in range(0, len(asked), BATCH))
    return len(asked) / whole, statistics.median(seconds([one]) for one in asked[:SPEED_SINGLE])
