"""An experiment from its file to its results: plan, describe, judge."""

from __future__ import annotations

from pathlib import Path

import configs
from evaluation.experiments import config, plan, results
from evaluation.experiments.describe import Tell, arm_folder, once, open_arms
from evaluation.experiments.looks import by_looks
from evaluation.experiments.results import Results
from evaluation.metrics.config import read_config
from evaluation.metrics.registry import named


def run_experiment(name: str, folder: Path | None, tell: Tell) -> tuple[Results, Path]:
    """Runs the experiment of that name or file, or goes on with it; its results, and the folder they are in.

    Without a folder it is `runs/experiment-NAME`. Raises ConfigError, ExperimentError and other EvaluationErrors, and
    what describing raises.
    """
    tell = once(tell)
    short = configs.find("experiments", name).stem
    asked = config.read(name)
    of_metrics = read_config(asked.metric_settings)
    named(asked.all_metrics)
    experiment = plan.plan(asked, short)
    out = folder or Path("runs") / f"experiment-{short}"
    plan.begin(experiment, out)
    describer = open_arms(experiment, out, tell)
    looks = None
    if asked.sequential is None:
        describer.describe([arm_folder(out, arm.name) for arm in experiment.arms])
    else:
        looks = by_looks(experiment, out, describer, of_metrics, tell)
    return results.judge(experiment, out, of_metrics, tell, looks), out
