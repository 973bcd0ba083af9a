"""What lies in an experiment's folder, read for its report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.errors import ReportError
from evaluation.metrics.scored import ABOUT, Scored, read_scores
from evaluation.report.common import estimate_of, read_json
from evaluation.report.document import Blank, Cell
from evaluation.runs import RUN, Run, read_run

EXPERIMENT, RESULTS, ARMS = "experiment.json", "results.json", "arms"

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """What lies in an experiment's folder: what was planned, what came out, the runs that are there, their scores."""

    made: Figures
    results: Figures
    runs: Mapping[str, Run]
    scored: Mapping[str, Scored]

    @property
    def arms(self) -> Figures:
        """The results of each arm."""
        arms: Figures = self.results["arms"]
        return arms

    @property
    def baseline(self) -> str:
        return str(self.results["baseline"])

    @property
    def primary(self) -> str:
        """What the primary metric is called among the comparisons."""
        return str(self.results["primary"]["name"])

    def is_score(self, metric: str) -> bool:
        """Whether it is neither the primary metric nor a cost, which has a unit."""
        return metric != self.primary and not self.results["metrics"].get(metric.partition(" over ")[0], {}).get("unit")

    def title(self, metric: str) -> str:
        """What a metric is called; a gain is `ROUGE-1 over shuffled`."""
        name, over, rest = metric.partition(" over ")
        return str(self.results["metrics"].get(name, {}).get("title", name)) + over + rest

    def figure(self, arm: str, metric: str) -> Cell:
        """An arm's figure of a metric, or of its gain over shuffled texts."""
        name, over, _ = metric.partition(" over ")
        figures = self.arms[arm]["gains_over_shuffled" if over else "figures"]
        return estimate_of(figures.get(name)) if name in figures else Blank(self.results["missing"].get(name, ""))


def read_experiment(folder: Path) -> Found:
    """Raises ReportError where it was not judged yet, RunError where an arm cannot be read."""
    made = read_json(folder / EXPERIMENT)
    if not (folder / RESULTS).is_file():
        raise ReportError(
            f"{folder} holds an experiment that was not judged yet: it has no {RESULTS}. Run it again and it goes on: "
            "python cli.py experiment run"
        )
    results = read_json(folder / RESULTS)
    folders = {name: folder / ARMS / name for name in results["arms"]}
    runs = {name: read_run(arm) for name, arm in folders.items() if (arm / RUN).is_file()}
    scored = {name: read_scores(arm) for name, arm in folders.items() if (arm / ABOUT).is_file()}
    return Found(made, results, runs, scored)
