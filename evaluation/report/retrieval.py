"""The report of `evaluate retrieval`: of its results file, and of the images and texts where they are at hand."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evaluation.ablation.scores import TITLES
from evaluation.charts import Intervals, Mark
from evaluation.charts.drawing import SIGNS
from evaluation.report import gallery
from evaluation.report.common import estimate_of
from evaluation.report.document import (
    Block,
    Cell,
    Column,
    Document,
    Gallery,
    Group,
    Line,
    Plot,
    Said,
    Section,
    Shown,
    Table,
    Words,
)
from evaluation.report.words import counted, estimate, listed, probability
from evaluation.statistics.intervals import Estimate
from evaluation.statistics.verdicts import ALPHA

if TYPE_CHECKING:
    from evaluation.ablation.retrieval import Results

EXAMPLES = 8
"""How many images are shown."""

SHAPES = {"none": "hollow", "random": "triangle", "nearest": "circle", "oracle": "square", "swapped": "cross"}
NOTE = (
    "A text that states two values, or none, is wrong. “Above shuffled” is ROUGE-1 with the image's own reference "
    "minus the mean over the references of other articles: a constant sentence has 0 there, whatever its ROUGE-1. "
    "“Same text” is the share of texts that are word for word those of “{main}”: how the configuration itself works."
)
PAIRED = (
    "Paired by image. p is one-sided: the share of bootstrap draws in which the first is not above the second; * where "
    "it is under 0.05. Many are compared here: of twenty with no true difference one has such a p by chance."
)
FOLLOWS = (
    "Where image and evidence come from two articles and differ in content: the share of texts that state the one, and "
    "the other. A model that repeats its evidence states the right column."
)

Row = Mapping[str, Any]


def results_document(results: Results) -> Document:
    """Of an ablation that was just judged, with some of its images and texts."""
    images = Section("Some of the texts", [Words(f"{EXAMPLES} images drawn by the seed."), _examples(results)])
    return retrieval_document(results.to_json(), images)


def retrieval_document(data: Mapping[str, Any], images: Section | None = None) -> Document:
    """Of what `results.json` holds."""
    made, arms = data["recipe"], data["arms"]
    about, lists = made["set"], list(made["set"].get("judged", {}))
    measures = ["content", *lists, "rouge1", "rouge1_above_shuffled", "abstained", "same_text"]
    measured = [
        Group(_lines(arms, measures)),
        Group(_lines(data["foils"], measures), "nobody's descriptions, judged the same"),
    ]
    compared = ["content", *lists, "rouge1_above_shuffled"]
    sections = [
        Section("Right content, by what the model was shown", [
            _plot(arms, lists),
            Table("Arms and foils", "arm", _columns(measures), measured, NOTE.format(main=made["main"])),
        ]),
        Section("Differences", [
            Table("Differences between arms", "first - second", _columns(compared),
                  [Group(_lines(data["differences"], compared))], PAIRED),
        ]),
        Section("The image or the evidence?", [_follows(data["follows"])]),
        _by_modality([*arms, *data["foils"], *data["differences"]]),
        images,
    ]  # fmt: skip
    modalities = ", ".join(f"{n} {name}" for name, n in about.get("modalities", {}).items())
    return Document(
        kind="retrieval",
        title=f"What retrieval adds: {about['name']}",
        about=f"{about['images']} images of {about['articles']} articles ({modalities}). Index {made['index']}, model "
        f"{made['model']}, prompt {made['prompt']}. Truth from {about['truth']}; texts read by the word lists "
        f"{about['content']}.",
        summary=_summary(data),
        sections=[section for section in sections if section is not None],
        recipe=made,
    )


def _summary(data: Mapping[str, Any]) -> list[str]:
    made = data["recipe"]
    arms = {row["name"]: row["figures"].get("content") for row in data["arms"]}
    said = []
    main, none = estimate_of(arms.get(made["main"])), estimate_of(arms.get("none"))
    if isinstance(main, Estimate) and isinstance(none, Estimate):
        said.append(
            f"With the evidence that retrieval finds ({made['main']}) {estimate(main)} of what is known of the images "
            f"is stated rightly, without evidence {estimate(none)}."
        )
    for row in data["differences"]:
        one = estimate_of(row["figures"].get("content"))
        if row["name"] == f"{made['main']} - none" and isinstance(one, Estimate) and one.p is not None:
            sign = "a gain" if one.p < ALPHA else "no gain that this sample can show"
            said.append(f"The difference is {estimate(one)} ({probability(one.p)}, one-sided): {sign}.")
    if data["failures"]:
        said.append(f"{counted(data['failures'], 'image')} could not be described and are left out of all arms.")
    return said


def _plot(arms: Sequence[Row], lists: Sequence[str]) -> Plot:
    kept = [row for row in arms if "content" in row["figures"]]
    marks = [Mark(row["name"], Estimate(**row["figures"]["content"]), _shape(row)) for row in kept]
    note = (
        f"Share of {listed(list(lists)) or 'content'} that the text states rightly, mean over images, with 95 % "
        f"intervals (bootstrap, articles drawn whole). {SIGNS['hollow']} no evidence, {SIGNS['triangle']} random, "
        f"{SIGNS['circle']} nearest, {SIGNS['square']} oracle, {SIGNS['cross']} evidence or image of another article."
    )
    return Plot("Right content by arm", Intervals(marks, "share stated rightly"), note)


def _shape(row: Row) -> str:
    return SHAPES["swapped" if row["picture"] != "own" else row["evidence"]]


def _columns(measures: Sequence[str]) -> list[Column]:
    return [Column(TITLES.get(name, name)) for name in measures]


def _lines(rows: Sequence[Row], measures: Sequence[str]) -> list[Line]:
    return [Line(row["name"], [estimate_of(row["figures"].get(name)) for name in measures]) for row in rows]


def _follows(rows: Sequence[Row]) -> Table:
    lines = []
    for row in rows:
        cells: list[Cell] = [int(row["n"]), estimate_of(row.get("image")), estimate_of(row.get("evidence"))]
        lines.append(Line(row["arm"], cells))
    heads = [Column("differing values"), Column("what the image shows"), Column("what the evidence's image shows")]
    return Table("What texts go by", "arm", heads, [Group(lines)], FOLLOWS)


def _by_modality(rows: Sequence[Row]) -> Section | None:
    names = list(rows[0]["by_modality"]) if rows else []
    if not names:
        return None
    lines = [
        Line(row["name"], [estimate_of(row["by_modality"].get(name, {}).get("content")) for name in names])
        for row in rows
    ]
    table: Block = Table("Right content by modality", "arm", [Column(name) for name in names], [Group(lines)])
    return Section("By modality", [table])


def _examples(results: Results) -> Gallery:
    plan, images = results.plan, results.images
    arms = [
        plan.arm("none"), plan.arm("random"), plan.main, plan.arm("oracle"), plan.arm("swapped"),
        plan.arm("nearest", picture="swapped"), plan.arm("nearest", picture="blank"),
    ]  # fmt: skip
    drawn = random.Random(results.recipe["seed"]).sample(range(len(images.cases)), min(EXAMPLES, len(images.cases)))
    shown = []
    for place in sorted(drawn):
        case = images.cases[place]
        truth = {name: value for name, value in case.truth.items() if value is not None}
        said = []
        for arm in arms:
            text = results.said[arm][place].text
            found = images.content.said(text)
            right = sum(found[name] == value for name, value in truth.items()) / max(1, len(truth))
            said.append(Said(arm.name, gallery.cut(text), {"stated rightly": right} if truth else {}))
        picture, reason = gallery.picture_of(Path(case.image))
        known = ", ".join(truth.values())
        shown.append(Shown(case.id, "Drawn by the seed", picture, reason, gallery.cut(case.caption), known, said))
    return Gallery(shown)
