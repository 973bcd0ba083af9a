"""An experiment judged: figures by arm and metric, comparisons with the baseline, verdicts, what each arm cost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.experiments.costs import Cost, cost_of
from evaluation.experiments.describe import Tell, read_runs
from evaluation.experiments.looks import Looks
from evaluation.experiments.plan import Experiment
from evaluation.experiments.scoring import primary_name, primary_values, score_once, spread
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.scored import Recipe, Scored
from evaluation.plain import plain
from evaluation.runs import Run
from evaluation.statistics.compare import Comparison, compare_all, compare_pairs
from evaluation.statistics.intervals import Estimate, Numbers
from evaluation.statistics.verdicts import Judged
from rag.recipe import recipe

RESULTS = "results.json"


@dataclass(frozen=True)
class ArmResult:
    """One arm. `figures` are metric -> mean with its interval, `gains` metric -> gain over its own texts shuffled.

    `n` images were judged; `failures` is how many could not be described in this arm. `made` is what it was made with:
    model, adapter, prompt, index. `texts_changed` is of how many images it says something else than the baseline.
    """

    name: str
    n: int
    failures: int
    texts_changed: int
    figures: Mapping[str, Estimate]
    gains: Mapping[str, Estimate]
    cost: Cost
    made: Mapping[str, Any]
    stopped_after: int | None = None


@dataclass(frozen=True)
class Results:
    """What came out. `comparisons` are metric -> arm -> comparison with the baseline, of the primary one first; `pairs`
    those that were asked for besides, of the primary metric. `foils` are foil -> metric -> figure."""

    experiment: Experiment
    arms: Mapping[str, ArmResult]
    foils: Mapping[str, Mapping[str, Estimate]]
    comparisons: Mapping[str, Mapping[str, Judged]]
    pairs: tuple[tuple[str, str, Comparison], ...]
    recipes: Mapping[str, Recipe]
    missing: Mapping[str, str]
    left_out: tuple[str, ...]
    looks: Looks | None = None

    @property
    def primary(self) -> str:
        """What the primary metric is called here: with what is taken off it."""
        return primary_name(self.experiment.config.primary)

    @property
    def verdicts(self) -> Mapping[str, str]:
        """Arm -> verdict of the primary metric."""
        return {arm: found.verdict for arm, found in self.comparisons[self.primary].items()}

    def to_json(self) -> dict[str, Any]:
        """Figures and how they were made; no text of the data or of a model."""
        experiment, config = self.experiment, self.experiment.config
        hashes = {arm.name: arm for arm in experiment.arms}
        return {
            "name": experiment.name,
            "note": config.note,
            **recipe(),
            "set": {
                "name": experiment.images.name,
                "images": len(experiment.images.cases),
                "articles": len({case.group for case in experiment.images.cases}),
                "left_out": len(self.left_out),
            },
            "baseline": config.baseline,
            "primary": {**config.primary.model_dump(), "name": self.primary, "alpha": config.alpha},
            "verdicts": dict(self.verdicts),
            "arms": {
                name: {
                    "changed": dict(hashes[name].changed),
                    "settings_hash": hashes[name].hash,
                    **arm.made,
                    "n": arm.n,
                    "failures": arm.failures,
                    "texts_changed": arm.texts_changed,
                    "stopped_after": arm.stopped_after,
                    "figures": plain(arm.figures),
                    "gains_over_shuffled": plain(arm.gains),
                    "cost": arm.cost.to_json(),
                }
                for name, arm in self.arms.items()
            },
            "foils": plain(self.foils),
            "comparisons": plain(self.comparisons),
            "pairs": [{"first": first, "second": second, **plain(found)} for first, second, found in self.pairs],
            "looks": None if self.looks is None else plain(self.looks.to_json()),
            "metrics": plain(self.recipes),
            "missing": dict(self.missing),
        }


def judge(
    experiment: Experiment, folder: Path, config: MetricsConfig, tell: Tell, looks: Looks | None = None
) -> Results:
    """Scores what was said in every arm, and compares. Images that failed in any arm are left out of all.

    Where arms stopped by looks, only the primary metric is compared, as the last look saw it. Raises ExperimentError
    where the primary metric cannot be had, or nothing was described in some arm.
    """
    runs = read_runs(experiment, folder)
    failed = {id_ for run in runs.values() for id_ in run.failures}
    scored = {}
    for name, run in runs.items():
        tell(f"scoring {name}")
        scored[name] = score_once(run, failed, experiment.config.all_metrics, config)
    columns = _columns(experiment, scored)
    baseline = experiment.config.baseline
    some = scored[baseline]
    return Results(
        experiment=experiment,
        arms={
            name: _arm(one, runs[name], runs[baseline], looks.stopped.get(name) if looks else None)
            for name, one in scored.items()
        },
        foils=_foils(some),
        comparisons=_compared(experiment, columns, some) if looks is None else {next(iter(columns)): looks.last},
        pairs=_pairs(experiment, next(iter(columns.values()))),
        recipes=some.recipes,
        missing=some.missing,
        left_out=tuple(sorted(failed)),
        looks=looks,
    )


def write(results: Results, folder: Path) -> Path:
    """Writes `results.json`, and returns it."""
    file = folder / RESULTS
    file.write_text(json.dumps(results.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def _columns(experiment: Experiment, scored: Mapping[str, Scored]) -> dict[str, dict[str, Numbers]]:
    """Metric -> arm -> values of all images in the set's order, NaN where an arm has none; the primary one first."""
    primary, images = experiment.config.primary, experiment.images
    columns = {
        primary_name(primary): {name: spread(images, one, primary_values(one, primary)) for name, one in scored.items()}
    }
    for metric in next(iter(scored.values())).values:
        if metric not in columns and all(metric in one.values for one in scored.values()):
            columns[metric] = {name: spread(images, one, one.values[metric]) for name, one in scored.items()}
    return columns


def _compared(
    experiment: Experiment, columns: Mapping[str, Mapping[str, Numbers]], some: Scored
) -> dict[str, dict[str, Comparison]]:
    """Every metric's arms with the baseline; the margin is the primary metric's, so others are never equivalent.

    Costs, which have a unit, are not judged: seconds say as much of the machine, and fewer tokens are not better.
    """
    config, groups = experiment.config, [case.group for case in experiment.images.cases]
    primary = primary_name(config.primary)
    return {
        metric: compare_all(
            arms, config.baseline, groups, alpha=config.alpha,
            margin=config.primary.margin if metric == primary else None,
            lower_is_better=metric != primary and some.recipes[metric].lower_is_better,
        )
        for metric, arms in columns.items()
        if metric == primary or not some.recipes[metric].unit
    }  # fmt: skip


def _arm(scored: Scored, run: Run, baseline: Run, stopped: int | None) -> ArmResult:
    figures = {metric: found for metric in scored.values if (found := scored.estimate(metric)) is not None}
    gains = {metric: found for metric in scored.values if (found := scored.gain(metric)) is not None}
    made = {key: run.made[key] for key in ("model", "adapter", "prompt", "index")}
    changed = sum(run.text(id_) != baseline.text(id_) for id_ in scored.ids)
    return ArmResult(run.name, len(scored.ids), len(run.failures), changed, figures, gains, cost_of(run), made, stopped)


def _foils(scored: Scored) -> dict[str, dict[str, Estimate]]:
    """The foils' figures, those of the baseline's images and, where they are shuffled, its texts."""
    return {
        foil: {metric: found for metric in values if (found := scored.foil(foil, metric)) is not None}
        for foil, values in scored.foils.items()
    }


def _pairs(experiment: Experiment, arms: Mapping[str, Numbers]) -> tuple[tuple[str, str, Comparison], ...]:
    """The pairs that were asked for, Holm-corrected among themselves."""
    config, groups = experiment.config, [case.group for case in experiment.images.cases]
    found = compare_pairs(arms, config.pairs, groups, alpha=config.alpha, margin=config.primary.margin)
    return tuple((first, second, each) for (first, second), each in zip(config.pairs, found, strict=True))
