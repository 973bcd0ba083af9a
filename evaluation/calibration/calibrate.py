"""When to abstain: descriptions of a set judged right or wrong, and how their signals tell which.

The calibration that is written is fitted on all of them; the curve that is reported is of scores that each
description got from a model which saw no other of its article.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tqdm import tqdm

from evaluation.calibration.coverage import REPORTED, Curve, ideal, risk_coverage
from evaluation.calibration.selective import fit, risk_at, threshold_for
from evaluation.errors import CalibrationError
from evaluation.runs import CHUNK_BATCHES
from evaluation.sets import Case, EvaluationSet
from evaluation.statistics.intervals import Estimate, Numbers
from rag import Pipeline, open_pipeline
from rag.confidence import Calibration
from rag.config import Settings
from rag.recipe import recipe
from rag.types import Confidence, Description, Failure


@dataclass(frozen=True)
class Judged:
    """A description's signals, the score it had when it was made, and whether all it says of content is right."""

    case: Case
    signals: Mapping[str, float]
    score: float
    right: bool


@dataclass(frozen=True)
class Calibrated:
    """A calibration, and how well confidence tells right from wrong on what it was made from.

    `curve` is of cross-fitted scores, `risk` at REPORTED coverage and `fall` the share of the errors' rate that this
    takes away, `fall_before` that of the score that the descriptions had; `alone` are the AURCs of each signal by
    itself and of the score before. `failures` are images that have no description.
    """

    calibration: Calibration
    recipe: Mapping[str, Any]
    curve: Curve
    best: Curve
    risk: Estimate
    fall: Estimate
    fall_before: Estimate
    coverage: float
    alone: Mapping[str, float]
    failures: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Figures and how they were made."""
        return {
            "recipe": dict(self.recipe),
            "calibration": self.calibration.model_dump(mode="json"),
            "risk": float(self.curve.risk[-1]),
            "aurc": self.curve.aurc,
            "aurc_ideal": self.best.aurc,
            "aurc_alone": dict(self.alone),
            "coverage": self.coverage,
            f"risk_at_{REPORTED}": asdict(self.risk),
            f"errors_taken_away_at_{REPORTED}": asdict(self.fall),
            f"errors_taken_away_at_{REPORTED}_before": asdict(self.fall_before),
            "curve": {
                "coverage": self.curve.coverage.round(5).tolist(),
                "risk": self.curve.risk.round(5).tolist(),
                "ideal": self.best.risk.round(5).tolist(),
            },
            "failures": len(self.failures),
        }


def calibrate(
    settings: Settings,
    images: EvaluationSet,
    tell: Callable[[str], None],
    coverage: float = REPORTED,
    risk: float | None = None,
) -> Calibrated:
    """Describes the set and fits. The threshold is where `coverage` of it is kept, or all that has no higher `risk`.

    Images in which nothing is known to be true are left out. Raises CalibrationError where nothing can be fitted or
    no coverage has so low a risk, and what opening the pipeline raises.
    """
    images.need_captions("evaluate calibrate")
    pipeline = open_pipeline(settings, [case.request() for case in images.cases], tell)
    judged, abstained, failures = _judged(pipeline, images, CHUNK_BATCHES * settings.batch_size)
    if not judged:
        why = next(iter(failures), f"of {len(abstained)} images the model says that it cannot tell")
        raise CalibrationError(f"set {images.name}: nothing could be described: {why}")
    signals, right = [one.signals for one in judged], [one.right for one in judged]
    groups = [one.case.group for one in judged]
    fitted = fit(signals, right, groups)
    wrong = [not one for one in right]
    curve = risk_coverage(fitted.held_out, wrong)
    kept = coverage if risk is None else curve.coverage_at(risk)
    if kept is None:
        raise CalibrationError(f"no threshold gives a risk of {risk:g}: the lowest here is {curve.risk.min():.3f}")
    calibration = Calibration(
        weights={name: round(weight, 6) for name, weight in fitted.model.weights.items()},
        bias=round(fitted.model.bias, 6),
        threshold=round(threshold_for(fitted.model.scores(signals), kept), 6),
        made_from=_about(pipeline, images, judged)
        | {"abstained": len(abstained), "coverage": round(kept, 4), "aurc": round(curve.aurc, 4)},
    )
    at, fall = risk_at(fitted.held_out, right, groups, REPORTED)
    _, before = risk_at([one.score for one in judged], right, groups, REPORTED)
    made = {**recipe(), "settings": settings.model_dump(mode="json"), "asked": {"coverage": coverage, "risk": risk}}
    alone = _alone(judged, wrong)
    return Calibrated(calibration, made, curve, ideal(wrong), at, fall, before, kept, alone, tuple(failures))


def write(found: Calibrated, file: Path) -> list[Path]:
    """Writes the calibration (YAML, or JSON where the file is named so), and beside it its page and figures."""
    from evaluation.report.calibration import calibration_document
    from evaluation.report.html import to_html

    file.parent.mkdir(parents=True, exist_ok=True)
    data = found.calibration.model_dump(mode="json")
    text = json.dumps(data, indent=1) + "\n" if file.suffix == ".json" else yaml.safe_dump(data, sort_keys=False)
    page, figures = file.with_name(f"{file.stem}.html"), file.with_name(f"{file.stem}-results.json")
    file.write_text(text, encoding="utf-8")
    page.write_text(to_html(calibration_document(found.to_json())), encoding="utf-8")
    figures.write_text(json.dumps(found.to_json(), indent=1) + "\n", encoding="utf-8")
    return [file, page, figures]


def _judged(pipeline: Pipeline, images: EvaluationSet, chunk: int) -> tuple[list[Judged], list[str], list[str]]:
    """What is known of each description, in the set's order; the ids of what the model says that it cannot tell; why
    others have none.

    What the model cannot tell is no description and has no confidence: it neither is right nor wrong.
    """
    abstained: list[str] = []
    cases = {case.id: case for case in images.cases if any(value is not None for value in case.truth.values())}
    found: dict[str, Judged] = {}
    failures = list(images.failures)
    requests = [case.request() for case in cases.values()]
    with tqdm(total=len(requests), desc="describe", leave=False, disable=None) as bar:
        for start in range(0, len(requests), chunk):
            for outcome in pipeline.run(requests[start : start + chunk]):
                if isinstance(outcome, Failure):
                    failures.append(outcome.reason)
                elif outcome.confidence is not None:
                    found[outcome.request.id] = _judge(images, cases[outcome.request.id], outcome, outcome.confidence)
                else:
                    abstained.append(outcome.request.id)
                bar.update()
    return [found[id_] for id_ in cases if id_ in found], abstained, failures


def _judge(images: EvaluationSet, case: Case, description: Description, confidence: Confidence) -> Judged:
    said = images.content.said(description.text if description.withheld is None else description.withheld)
    right = all(said[name] == value for name, value in case.truth.items() if value is not None)
    return Judged(case, confidence.signals, confidence.score, right)


def _about(pipeline: Pipeline, images: EvaluationSet, judged: Sequence[Judged]) -> dict[str, str | int | float]:
    engine = pipeline.speaker.engine
    return {
        "set": images.name,
        "truth": images.truth_from,
        "content": f"{images.content.name}@{images.content.hash[:8]}",
        "index": f"{pipeline.settings.retrieval.index}@{pipeline.retriever.version}" if pipeline.retriever else "none",
        "model": f"{engine.model}@{engine.fingerprint[:8]}",
        "adapter": engine.adapter or "none",
        "prompt": pipeline.templates["caption"].version,
        "images": len(judged),
        "articles": len({one.case.group for one in judged}),
        "right": sum(one.right for one in judged),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _alone(judged: Sequence[Judged], wrong: Sequence[bool]) -> dict[str, float]:
    """AURC of each signal by itself, and of the score that the descriptions had."""
    columns: dict[str, Numbers] = {"score before": np.asarray([one.score for one in judged])}
    columns |= {name: np.asarray([one.signals[name] for one in judged]) for name in judged[0].signals}
    return {name: risk_coverage(values, wrong).aurc for name, values in columns.items()}
