"""The report of `evaluate calibrate`: risk by coverage, and what the calibration is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from evaluation.calibration.coverage import REPORTED
from evaluation.charts import Curve, Curves
from evaluation.report.common import estimate_of
from evaluation.report.document import Blank, Block, Column, Document, Group, Line, Plot, Section, Table, Words
from evaluation.report.words import counted, estimate, number, percent
from evaluation.statistics.intervals import Estimate

CURVE = (
    "Coverage: the share of descriptions that is kept, the most confident first. Risk: the share of these that is "
    "wrong. The scores are cross-fitted: each description's comes from a model that saw no other of its article."
)
NO_CURVE = "the file has no curve, since an older program wrote it: run evaluate calibrate again"


def calibration_document(data: Mapping[str, Any]) -> Document:
    """Of what the `-results.json` beside a calibration holds."""
    made, about = data["calibration"], data["calibration"]["made_from"]
    risk, fall = estimate_of(data[f"risk_at_{REPORTED}"]), estimate_of(data[f"errors_taken_away_at_{REPORTED}"])
    reported = percent(REPORTED)
    figures = [
        Line("risk where nothing is held back", [data["risk"]]),
        Line(f"risk at {reported} coverage", [risk]),
        Line("share of the errors' rate that this takes away", [fall]),
        Line("the same by the score before", [estimate_of(data[f"errors_taken_away_at_{REPORTED}_before"])]),
        Line("AURC, mean risk over all coverages", [data["aurc"]]),
        Line("AURC of the ideal order", [data["aurc_ideal"]]),
        Line("AURC of a random order", [data["risk"]]),
    ]
    signals = [Line(name, [weight, data["aurc_alone"].get(name, Blank())]) for name, weight in made["weights"].items()]
    signals += [Line("score before", [Blank(), data["aurc_alone"]["score before"]])]
    blocks: list[Block] = [_plot(data)] if data.get("curve") else []
    blocks.append(Table("Risk", "figure", [Column("value")], [Group(figures)]))
    score = (
        f"A description's score is the logistic function of {number(made['bias'])} plus its weighted signals; below "
        f"{number(made['threshold'])} it abstains, which keeps {percent(data['coverage'])} of these images."
    )
    weights = Table(
        "Signals and their weights", "signal", [Column("weight"), Column("AURC by itself")], [Group(signals)]
    )
    said = [f"Nothing held back, {number(data['risk'])} of the descriptions state something wrong."]
    if isinstance(risk, Estimate) and isinstance(fall, Estimate):
        said.append(
            f"With only the surest {reported} kept it is {estimate(risk)}, which takes {estimate(fall)} of the errors' "
            "rate away."
        )
    if data["failures"]:
        said.append(f"{counted(data['failures'], 'image')} could not be described.")
    return Document(
        kind="calibration",
        title=f"When to abstain: {about['set']}",
        about=f"{about['images']} descriptions of {about['articles']} articles, {about['right']} right in all that is "
        f"known to be true of their image. Index {about['index']}, model {about['model']}, prompt {about['prompt']}. "
        f"Truth from {about['truth']}; texts read by the word lists {about['content']}.",
        summary=said,
        sections=[Section("Risk and coverage", blocks), Section("The calibration", [Words(score), weights])],
        recipe=data["recipe"],
        unmeasured={} if data.get("curve") else {"risk by coverage": NO_CURVE},
    )


def _plot(data: Mapping[str, Any]) -> Plot:
    coverage = np.asarray(data["curve"]["coverage"])
    drawn = [
        Curve("confidence", coverage, np.asarray(data["curve"]["risk"])),
        Curve("random order", coverage, np.full(len(coverage), data["risk"])),
        Curve("ideal order", coverage, np.asarray(data["curve"]["ideal"])),
    ]
    return Plot("Risk by coverage", Curves(drawn, "coverage", "risk"), CURVE)
