"""Results as one page that needs nothing beside itself: no script, no font, no picture from elsewhere."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from evaluation import charts
from evaluation.ablation import scores
from evaluation.ablation.arms import Arm
from evaluation.ablation.retrieval import Results
from evaluation.calibration.calibrate import REPORTED, Calibrated
from evaluation.show import TITLES
from imaging import load, thumbnail

EXAMPLES = 8
THUMBNAIL = 170
"""Of the images that are shown: how many, and their longest side in pixels."""

SHAPES = {"none": "hollow", "random": "triangle", "nearest": "circle", "oracle": "square", "swapped": "cross"}


def render(template: str, **values: Any) -> str:
    """A template of `evaluation/pages/` with these values, which are escaped where they are no markup."""
    pages = Environment(loader=PackageLoader("evaluation", "pages"), autoescape=True, undefined=StrictUndefined)
    return pages.get_template(template).render(values)


def drawing(svg: str) -> Markup:
    """A chart, which is markup already."""
    return Markup(svg)  # noqa: S704 - of `charts`, which escapes the names in it


def retrieval_page(results: Results) -> str:
    """The page of an ablation."""
    made = results.recipe
    lists = results.images.lists
    marks = [
        charts.Mark(row.name, row.figures[scores.CONTENT], _shape(arm))
        for arm, row in results.arms.items()
        if scores.CONTENT in row.figures
    ]
    return render(
        "retrieval.html",
        title=f"What retrieval adds: {results.images.name}",
        made=made,
        about=made["set"],
        recipe=json.dumps(made, indent=1),
        lists=lists,
        titles=TITLES,
        measures=[scores.CONTENT, *lists, scores.ROUGE, scores.GAIN, scores.ABSTAINED, scores.SAME],
        compared=[scores.CONTENT, *lists, scores.GAIN],
        chart=drawing(charts.intervals(marks, "Right content by arm")),
        arms=list(results.arms.values()),
        foils=list(results.foils),
        differences=list(results.differences),
        follows=[(arm.name, found) for arm, found in results.follows.items()],
        modalities=list(next(iter(results.arms.values())).by_modality),
        examples=_examples(results),
        failures=results.failures,
    )


def _shape(arm: Arm) -> str:
    return SHAPES["swapped" if arm.picture != "own" else arm.evidence]


def _examples(results: Results) -> list[dict[str, Any]]:
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
        texts = []
        for arm in arms:
            text = results.said[arm][place].text
            said = images.content.said(text)
            texts.append((arm.name, f"{sum(said[n] == v for n, v in truth.items())}/{len(truth)}", text))
        picture = base64.b64encode(thumbnail(load(case.image).picture, THUMBNAIL)).decode()
        shown.append(
            {
                "id": case.id,
                "truth": ", ".join(truth.values()),
                "reference": case.caption,
                "texts": texts,
                "picture": f"data:image/jpeg;base64,{picture}",
            }
        )
    return shown


def calibration_page(found: Calibrated) -> str:
    """The page of a calibration."""
    made, curve = found.calibration, found.curve
    drawn = [
        charts.Curve("confidence", curve.coverage, curve.risk),
        charts.Curve("random order", curve.coverage, np.full_like(curve.risk, curve.risk[-1])),
        charts.Curve("ideal order", found.best.coverage, found.best.risk),
    ]
    return render(
        "calibration.html",
        title=f"When to abstain: {made.made_from['set']}",
        about=made.made_from,
        made=made,
        found=found,
        reported=REPORTED,
        chart=drawing(charts.curves(drawn, "Risk by coverage", "coverage", "risk")),
        recipe=json.dumps(found.recipe, indent=1),
    )
