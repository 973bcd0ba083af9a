"""Sequential stopping: looks at the primary metric on the way, and arms with a verdict are described no further."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.experiments.describe import Describer, Tell, arm_folder, read_runs
from evaluation.experiments.plan import Experiment
from evaluation.experiments.scoring import primary_values, score_primary, spread
from evaluation.metrics.config import MetricsConfig
from evaluation.sets import EvaluationSet
from evaluation.statistics.intervals import Numbers
from evaluation.statistics.sequential import Look, look_all


@dataclass(frozen=True)
class Looks:
    """What was seen at each look: after how many images, and of each arm. `stopped` is arm -> images at its verdict."""

    taken: tuple[tuple[int, Mapping[str, Look]], ...]
    stopped: Mapping[str, int]

    @property
    def last(self) -> Mapping[str, Look]:
        """Arm -> how it stood when the last was stopped."""
        return self.taken[-1][1]

    def to_json(self) -> list[dict[str, Any]]:
        """Each look: after how many images, and how the arms stood."""
        return [{"images": images, "arms": dict(arms)} for images, arms in self.taken]


def by_looks(experiment: Experiment, folder: Path, describer: Describer, config: MetricsConfig, tell: Tell) -> Looks:
    """Describes every arm from look to look, until each has a verdict or there are no more images.

    Run again it comes to the same: what was described is looked at anew, in the same steps. The verdicts are
    always-valid, so their alpha holds however often one looks (`evaluation.statistics.sequential`).
    """
    asked = experiment.config.sequential
    if asked is None:
        raise ValueError("an experiment without looks")
    baseline = experiment.config.baseline
    going = [arm.name for arm in experiment.arms if arm.name != baseline]
    stopped: dict[str, int] = {}
    values: dict[str, Numbers] = {}
    taken = []
    for end in look_ends(experiment.images, asked.every):
        at_work = [baseline, *going]
        describer.describe([arm_folder(folder, name) for name in at_work], end)
        values |= _values(experiment, folder, at_work, end, config)
        found = look_all(
            values, baseline, [case.group for case in experiment.images.cases],
            planned=len({case.group for case in experiment.images.cases}), reach=asked.reach,
            margin=experiment.config.primary.margin, alpha=experiment.config.alpha,
        )  # fmt: skip
        taken.append((end, found))
        for name in [name for name in going if found[name].stop]:
            going.remove(name)
            stopped[name] = end
            tell(f"{name}: {found[name].verdict} after {end} images")
        if not going:
            break
    return Looks(tuple(taken), stopped)


def look_ends(images: EvaluationSet, every: int) -> list[int]:
    """After how many images there is a look: so many more each time, and then to the end of the article."""
    ends: list[int] = []
    cases = images.cases
    for place in range(1, len(cases) + 1):
        due = place - (ends[-1] if ends else 0) >= every
        if place == len(cases) or (due and cases[place].group != cases[place - 1].group):
            ends.append(place)
    return ends


def _values(
    experiment: Experiment, folder: Path, arms: list[str], end: int, config: MetricsConfig
) -> dict[str, Numbers]:
    """The primary metric of these arms' first `end` images, in the set's order, NaN beyond."""
    primary, runs = experiment.config.primary, read_runs(experiment, folder)
    found = {}
    for name in arms:
        scored = score_primary(runs[name], primary, config, end)
        found[name] = spread(experiment.images, scored, primary_values(scored, primary))
    return found
