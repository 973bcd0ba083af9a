"""The texts of an arm judged, and what of that the verdicts are by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import numpy as np

from evaluation.errors import ExperimentError
from evaluation.experiments.config import PrimaryConfig
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.score import score_run
from evaluation.metrics.scored import SHUFFLED, Scored
from evaluation.runs import Run
from evaluation.sets import EvaluationSet
from evaluation.statistics.intervals import Numbers


def score_described(
    run: Run, without: Collection[str], metrics: list[str], config: MetricsConfig, first: int | None = None
) -> Scored:
    """Scores what a run has described of the first so many images, some left out.

    Raises ExperimentError where nothing is left.
    """
    cases = tuple(case for case in run.cases[:first] if case.id in run.records and case.id not in without)
    if not cases:
        why = next(iter(run.failures.values()), "nothing was described")
        raise ExperimentError(f"arm {run.name} has no description that could be judged: {why}")
    index = run.made["settings"]["retrieval"]["index"]
    return score_run(replace(run, cases=cases), metrics, config, Path(index) if Path(index).is_dir() else None)


def primary_name(primary: PrimaryConfig) -> str:
    """What the primary metric is called among the others."""
    return primary.metric if primary.over == "none" else f"{primary.metric} over {primary.over}"


def primary_values(scored: Scored, primary: PrimaryConfig) -> Numbers:
    """The primary metric image by image, `(n,)`, higher is better: a metric that is not is taken with a minus sign.

    Raises ExperimentError where it cannot be had.
    """
    values = scored.values.get(primary.metric)
    if values is None or np.isnan(values).all():
        why = scored.missing.get(primary.metric, "the set says nothing that it could be judged by")
        raise ExperimentError(f"primary metric {primary.metric} cannot be had here: {why}")
    if primary.over == "shuffled":
        values = values - scored.foils[SHUFFLED][primary.metric]
    return -values if scored.recipes[primary.metric].lower_is_better else values


def spread(images: EvaluationSet, scored: Scored, values: Numbers) -> Numbers:
    """`values` of the scored images as a column of all images, `(images,)`, NaN where one was not scored."""
    place = {case.id: n for n, case in enumerate(images.cases)}
    column = np.full(len(place), np.nan)
    column[[place[id_] for id_ in scored.ids]] = values
    return column
