"""An experiment as configs/experiments/NAME.yaml describes it: images, base settings, arms, what decides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

import configs
from evaluation.errors import ExperimentError
from evaluation.metrics.config import read_config

NAME = re.compile(r"[A-Za-z0-9][\w.=+-]{0,79}")
"""Names that are folders, too."""


def dotted(given: object) -> dict[str, Any]:
    """Settings as `a.b` -> value: from a mapping, nested or dotted, or from a list of `a.b=value` as --set has them."""
    if isinstance(given, list):
        found: dict[str, Any] = {}
        for text in given:
            key, equals, value = str(text).partition("=")
            if not (isinstance(text, str) and key and equals):
                raise ValueError(f"{text!r}: write a setting as key=value, for example prompt.length=short")
            found[key.strip()] = yaml.safe_load(value)
        return found
    if not isinstance(given, Mapping):
        raise ValueError("settings are a mapping, prompt.length: short, or a list of them, [prompt.length=short]")
    flat: dict[str, Any] = {}
    for key, value in given.items():
        below = dotted(value) if isinstance(value, Mapping) else None
        flat |= {str(key): value} if below is None else {f"{key}.{name}": inner for name, inner in below.items()}
    return flat


def _is_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} is to name a folder: letters, digits and _ . = + - alone, at most 80")
    return name


Name = Annotated[str, AfterValidator(_is_name)]
Assigned = Annotated[dict[str, Any], BeforeValidator(dotted)]
"""Settings as `a.b` -> value."""


class ImagesConfig(configs.StrictModel):
    """The images, the same for every arm: a set as `evaluate run --set` names it, and what is laid over it."""

    name: str
    where: tuple[str, ...] = ()
    """FIELD=VALUE: only such records."""
    fields: tuple[str, ...] = ()
    """OURS=THEIRS: which field of a record is which."""
    truth: tuple[str, ...] = ()
    """LIST=FIELD: what is true in a word list."""
    content: str | None = None
    """The word lists that texts are read by."""
    most: Annotated[int, Field(ge=2)] | None = None
    """So many images at most: whole articles are drawn; null is all."""
    seed: int = 0
    """Draws those, and the order of the images where the experiment stops by looks."""


def images_by_name(data: Any) -> Any:
    """A configuration in which `images: medpix` is a set by its name alone, written out."""
    if isinstance(data, dict) and isinstance(data.get("images"), str):
        return {**data, "images": {"name": data["images"]}}
    return data


class PrimaryConfig(configs.StrictModel):
    """The one metric that the verdicts are by, named before anything is measured."""

    metric: str
    over: Literal["none", "shuffled"] = "none"
    """shuffled: what counts is the gain over the arm's own texts put to other images."""
    margin: Annotated[float, Field(gt=0)] | None = None
    """The largest difference that does not matter, in the metric's unit; null: no arm can be called equivalent."""


class SequentialConfig(configs.StrictModel):
    """Looks at the primary metric on the way; an arm whose verdict is sure is described no further."""

    every: Annotated[int, Field(ge=2)]
    """Images between looks; a look waits for the end of an article."""
    reach: Annotated[float, Field(gt=0)] = 1.0
    """The largest difference that one image can have: 1 for a score from 0 to 1."""


class ExperimentConfig(configs.StrictModel):
    """A file of `configs/experiments/`.

    `settings` are laid over `configs/default.yaml`, an arm's over those. `grid` crosses factors, and makes an arm of
    each combination: a factor is a setting with a list of values, or a name with a mapping of labels to settings.
    """

    note: str = ""
    images: ImagesConfig
    settings: Assigned = Field(default_factory=dict)
    arms: dict[Name, Assigned] = Field(default_factory=dict)
    grid: dict[str, list[Any] | dict[str, Assigned]] = Field(default_factory=dict)
    baseline: Name
    """The arm that the others are compared with."""
    pairs: tuple[tuple[Name, Name], ...] = ()
    """More comparisons, second minus first, with a Holm correction of their own."""
    metrics: str | tuple[str, ...] = "default"
    """A preset or names of metrics, as `evaluate run --metrics` has them."""
    metric_settings: tuple[str, ...] = ()
    """KEY=VALUE of metrics, as `evaluate run --with` has them."""
    primary: PrimaryConfig
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    sequential: SequentialConfig | None = None

    @model_validator(mode="before")
    @classmethod
    def _images_by_name(cls, data: Any) -> Any:
        return images_by_name(data)

    @model_validator(mode="after")
    def _pairs_at_the_end(self) -> ExperimentConfig:
        if self.pairs and self.sequential:
            raise ValueError("pairs are judged on the whole sample, which a sequential experiment may not reach")
        return self

    @model_validator(mode="after")
    def _looks_leave_values_as_they_are(self) -> ExperimentConfig:
        """An image that was looked at must have the same value at the next look, or no verdict is always-valid."""
        if self.sequential and self.primary.over == "shuffled":
            raise ValueError("primary.over: shuffled deals texts out anew at each look: judge it on the whole sample")
        if self.sequential and self.primary.metric in self._metrics_with_idf():
            raise ValueError(
                f"primary.metric: {self.primary.metric} weighs words by all references (idf), which are others at each "
                "look: judge it on the whole sample, or take bertscore with metric_settings: [bertscore.idf=false]"
            )
        return self

    def _metrics_with_idf(self) -> set[str]:
        always = {"cider", "imageclef_bertscore"}
        return always | {"bertscore"} if read_config(self.metric_settings).bertscore.idf else always

    @property
    def all_metrics(self) -> list[str]:
        """The metrics and presets that are asked for, and the primary one."""
        return [*([self.metrics] if isinstance(self.metrics, str) else self.metrics), self.primary.metric]

    def all_arms(self) -> dict[str, dict[str, Any]]:
        """Every arm's own settings, dotted, by name; those of the grid first. Raises ExperimentError."""
        found: dict[str, dict[str, Any]] = {}
        levels = [_levels(factor, values) for factor, values in self.grid.items()]
        for several in product(*levels) if levels else ():
            name = "-".join(label for label, _ in several)
            found[_checked(name)] = {key: value for _, settings in several for key, value in settings.items()}
        twice = [name for name in self.arms if name.casefold() in {other.casefold() for other in found}]
        if twice:
            raise ExperimentError(f"arm {twice[0]} is in the grid already. Give the one of `arms` another name")
        found |= self.arms
        self._check(found)
        return found

    def _check(self, arms: Mapping[str, object]) -> None:
        if len(arms) < 2:
            raise ExperimentError(
                "an experiment compares two arms or more: name them under `arms`, or factors under `grid`"
            )
        if len({name.casefold() for name in arms}) < len(arms):
            raise ExperimentError(f"two arms have the same name: {', '.join(arms)}. Folders know no upper case apart")
        named = {"baseline": (self.baseline,), **{f"pairs.{n}": pair for n, pair in enumerate(self.pairs)}}
        for where, several in named.items():
            for name in several:
                if name not in arms:
                    near = configs.hint(name, list(arms)) or "."
                    raise ExperimentError(f"{where}: no arm is named {name!r}{near} Arms: {', '.join(arms)}")


def read(name: str) -> ExperimentConfig:
    """The experiment in a YAML file, or of `configs/experiments/` by name. Raises ConfigError."""
    return configs.load(ExperimentConfig, configs.find("experiments", name))


def _levels(factor: str, values: list[Any] | Mapping[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The levels of a factor: what each is called in an arm's name, and its settings."""
    if not values:
        raise ExperimentError(f"grid.{factor} has no levels")
    if isinstance(values, Mapping):
        return [(label, dict(settings)) for label, settings in values.items()]
    levels = [(_label(factor, value), {factor: value}) for value in values]
    if len(dict(levels)) < len(levels):
        raise ExperimentError(f"grid.{factor} has a level twice: {', '.join(label for label, _ in levels)}")
    return levels


def _label(factor: str, value: object) -> str:
    if isinstance(value, str):
        return Path(value).stem if value.endswith((".yaml", ".yml")) else value
    leaf = factor.rpartition(".")[2]
    plain = "default" if value is None else str(value).lower()
    return f"{leaf}={plain}"


def _checked(name: str) -> str:
    try:
        return _is_name(name)
    except ValueError as error:
        raise ExperimentError(f"grid: {error}. Write the factor as a mapping of labels to settings") from error
