"""An experiment made ready: its images in their order, each arm's settings resolved, the folder that holds it.

`experiment.json` is written before anything is described. What a verdict depends on cannot be changed after that: with
another configuration the folder refuses, and names the difference.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evaluation.errors import ExperimentError
from evaluation.experiments.config import ExperimentConfig, ImagesConfig
from evaluation.runs import set_hash
from evaluation.sets import Case, EvaluationSet, read_set
from indexer.manifest import hash_json
from rag.config import Settings, resolve, undotted
from rag.differing import changes
from rag.recipe import recipe

EXPERIMENT, ARMS = "experiment.json", "arms"
FREE = {"note", "metrics"}
"""What may be changed later: the verdicts do not depend on it. On metrics' settings (model, shuffles, seed) they do."""


@dataclass(frozen=True)
class Arm:
    """One arm: what it changes in the experiment's settings (`a.b` -> value), and all of its settings."""

    name: str
    changed: Mapping[str, Any]
    settings: Settings

    @property
    def hash(self) -> str:
        """16 hex digits of all its settings."""
        return hash_json(self.settings.model_dump(mode="json"))[:16]


@dataclass(frozen=True)
class Experiment:
    """An experiment ready to run; every arm describes `images`."""

    name: str
    config: ExperimentConfig
    images: EvaluationSet
    arms: tuple[Arm, ...]

    @property
    def decided(self) -> dict[str, Any]:
        """All that the descriptions and the verdicts depend on."""
        config = self.config.model_dump(mode="json", exclude=FREE | {"arms", "grid", "settings"})
        arms = {arm.name: arm.settings.model_dump(mode="json") for arm in self.arms}
        return {**config, "arms": arms, "set": set_hash(self.images)}


def plan(config: ExperimentConfig, name: str) -> Experiment:
    """Reads the set and resolves the arms. Raises ExperimentError, ConfigError, SetError and SourceError."""
    arms = tuple(_arm(arm, config.settings, own, name) for arm, own in config.all_arms().items())
    seen: dict[str, str] = {}
    for arm in arms:
        same = seen.setdefault(arm.hash, arm.name)
        if same != arm.name:
            raise ExperimentError(f"arms {same} and {arm.name} have the same settings: there is nothing to compare")
    return Experiment(name, config, drawn(config.images, shuffle=config.sequential is not None), arms)


def drawn(asked: ImagesConfig, shuffle: bool = False) -> EvaluationSet:
    """The images that a configuration asks for. With `shuffle`, or where there are to be fewer, articles are in random
    order, the images of one together. Raises ConfigError, SetError and SourceError."""
    images = read_set(asked.name, asked.where, asked.fields, asked.truth, asked.content)
    if asked.most is None and not shuffle:
        return images
    cases = by_article(images.cases, asked.seed)
    if asked.most is not None and asked.most < len(cases):
        kept = 0
        for group in _groups(cases):
            if kept and kept + len(group) > asked.most:
                break
            kept += len(group)
        cases = cases[:kept]
    return replace(images, cases=tuple(cases))


def by_article(cases: Sequence[Case], seed: int) -> list[Case]:
    """The images with their articles in random order, those of one article together."""
    groups = _groups(cases)
    random.Random(seed).shuffle(groups)
    return [case for group in groups for case in group]


def begin(experiment: Experiment, folder: Path) -> None:
    """Writes `experiment.json` where there is none. Raises ExperimentError where it is another experiment's."""
    file = folder / EXPERIMENT
    if file.is_file():
        was = read_experiment(folder)["decided"]
        # As they come back from a file, so that both are compared in the same form.
        differing = changes(was, json.loads(json.dumps(experiment.decided)))
        if differing:
            told = "; ".join(map(str, differing[:3]))
            raise ExperimentError(f"{folder} holds another experiment: {told}. Give another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "name": experiment.name,
        "hash": hash_json(experiment.decided)[:16],
        **recipe(),
        "config": experiment.config.model_dump(mode="json"),
        "arms": {
            arm.name: {
                "changed": dict(arm.changed),
                "settings_hash": arm.hash,
                "settings": arm.settings.model_dump(mode="json"),
            }
            for arm in experiment.arms
        },
        "decided": experiment.decided,
    }
    file.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_experiment(folder: Path) -> dict[str, Any]:
    """What `experiment.json` holds. Raises ExperimentError where there is none, or none that can be read."""
    file = folder / EXPERIMENT
    if not file.is_file():
        raise ExperimentError(f"{folder} holds no experiment: it has no {EXPERIMENT}")
    try:
        made: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        made["decided"]["arms"].keys()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ExperimentError(f"{file} cannot be read: {error}. Give another folder with --out") from error
    return made


def _arm(name: str, base: Mapping[str, Any], changed: Mapping[str, Any], experiment: str) -> Arm:
    settings = resolve(undotted({**base, **changed}), described=f"experiment {experiment}, arm {name}")
    return Arm(name, changed, settings)


def _groups(cases: Sequence[Case]) -> list[list[Case]]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    return list(groups.values())
