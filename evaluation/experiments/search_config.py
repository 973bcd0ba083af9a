"""A prompt search as a file of configs/experiments/ describes it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

import configs
from evaluation.experiments.candidates import ChoiceConfig
from evaluation.experiments.config import Assigned, ImagesConfig, Name, PrimaryConfig, images_by_name
from evaluation.experiments.proposals import ProposalsConfig

TEMPLATE = "prompt.template"


class SearchConfig(configs.StrictModel):
    """Wordings of the prompt `start`, tried by successive halving on a part of the images.

    The winner is held against the start on the others, which nothing was chosen by.
    """

    note: str = ""
    images: ImagesConfig
    settings: Assigned = Field(default_factory=dict)
    start: str
    """The template to begin with, and to be better than."""
    choices: dict[Name, ChoiceConfig] = Field(default_factory=dict)
    """Slots of the start, by name."""
    proposals: ProposalsConfig | None = None
    most: Annotated[int, Field(ge=2, le=1024)] = 16
    """Combinations of choices that are tried at most; where there are more they are drawn."""
    keep_one_in: Annotated[int, Field(ge=2, le=8)] = 2
    """After a round, one candidate in so many stays, and the next round has so many times the images."""
    confirm: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """Share of the articles that is kept for the confirmation."""
    primary: PrimaryConfig
    metric_settings: tuple[str, ...] = ()
    """KEY=VALUE of the metric, as `evaluate run --with` has them."""
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    winner: Name
    """What the winner's template is to be called."""
    seed: int = 0

    @model_validator(mode="before")
    @classmethod
    def _images_by_name(cls, data: Any) -> Any:
        return images_by_name(data)

    @model_validator(mode="after")
    def _has_something_to_try(self) -> SearchConfig:
        if not self.choices and self.proposals is None:
            raise ValueError("give choices, proposals or both: else there is nothing but the start to try")
        if TEMPLATE in self.settings:
            raise ValueError(f"settings.{TEMPLATE} is what is searched for: name the template to begin with as `start`")
        return self


def read(name: str) -> SearchConfig:
    """The search in a YAML file, or of `configs/experiments/` by name. Raises ConfigError."""
    return configs.load(SearchConfig, configs.find("experiments", name))
