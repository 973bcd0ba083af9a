"""The texts of an arm judged, and what of that the verdicts are by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np

from evaluation.errors import ExperimentError
from evaluation.experiments.config import PrimaryConfig
from evaluation.metrics.concepts import WORDS
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.score import score_run
from evaluation.metrics.scored import FOILS, SHUFFLED, Scored, read_scores, write_scores
from evaluation.runs import Run
from evaluation.sets import EvaluationSet
from evaluation.statistics.intervals import Numbers
from indexer.embedders.files import sha256_of
from indexer.manifest import hash_json

KEY = "scores.key"
"""What `scores.jsonl` was made of, as a hash."""


def score_described(
    run: Run,
    without: Collection[str],
    metrics: list[str],
    config: MetricsConfig,
    first: int | None = None,
    foils: Collection[str] = FOILS,
) -> Scored:
    """Scores what a run has described of the first so many images, some left out, and such foils as are named.

    Raises ExperimentError where nothing is left.
    """
    cases = tuple(case for case in run.cases[:first] if case.id in run.records and case.id not in without)
    if not cases:
        why = next(iter(run.failures.values()), "nothing was described")
        raise ExperimentError(f"arm {run.name} has no description that could be judged: {why}")
    named = run.made["settings"]["retrieval"]["index"]
    index = Path(named) if Path(named).is_dir() else None
    return score_run(replace(run, cases=cases), metrics, config, index, foils=foils)


def score_primary(run: Run, primary: PrimaryConfig, config: MetricsConfig, first: int | None = None) -> Scored:
    """As `score_described`: the primary metric alone, with no foil but that which it is judged over."""
    over = (SHUFFLED,) if primary.over == "shuffled" else ()
    return score_described(run, (), [primary.metric], config, first, over)


def score_once(run: Run, without: Collection[str], metrics: list[str], config: MetricsConfig) -> Scored:
    """As `score_described`, and written into the run's folder; read from there where the same was scored before.

    Where a metric is blank it is tried again: what it lacks may have been installed since.
    """
    texts = [(case.id, run.text(case.id)) for case in run.cases if case.id in run.records and case.id not in without]
    asked = [
        metadata.version("lumenscribe"), run.key, texts, sorted(metrics), config.model_dump(mode="json"),
        sha256_of(WORDS),
    ]  # fmt: skip
    key, file = hash_json(asked), run.folder / KEY
    if file.is_file() and file.read_text(encoding="utf-8").strip() == key:
        return read_scores(run.folder)
    file.unlink(missing_ok=True)
    scored = score_described(run, without, metrics, config)
    write_scores(scored, run.folder)
    if scored.missing.keys() <= set(FOILS):  # a foil that is missing is no blank
        file.write_text(key + "\n", encoding="utf-8")
    return scored


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
