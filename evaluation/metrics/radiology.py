"""Metrics of radiology reports, by RadEval, where it is installed; it fetches their models from the hub."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from typing import Any, Protocol

import numpy as np
from httpx import HTTPError

from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked, Maker, Mean, Texts
from evaluation.metrics.scored import Recipe
from evaluation.statistics.intervals import Numbers

_MAJOR = 2
_INSTALL = f"pip install 'radeval>={_MAJOR}'"
_FAILURES = (ImportError, OSError, HTTPError, RuntimeError, ValueError, KeyError)
"""What fetching and opening a model raises: no network, no such file, weights that do not fit, a package that its
metric needs. httpx's errors, which the hub's client lets through, are no OSError."""


@dataclass(frozen=True)
class Kind:
    """A metric of RadEval: its name there, the key of its values, and what they are."""

    name: str
    key: str
    title: str
    text: str
    source: str


RADGRAPH = Kind("radgraph", "radgraph_partial", "RadGraph F1", "entities and whether they have relations, partial",
                "Jain et al. 2021, arXiv:2106.14463; Yu et al. 2023, doi:10.1016/j.patter.2023.100802")  # fmt: skip
CHEXBERT = Kind("f1chexbert", "f1chexbert_sample_acc_5", "CheXbert", "all of five findings right, text by text",
                "Smit et al. 2020, arXiv:2004.09167")  # fmt: skip


class Judge(Protocol):
    """RadEval, set up for one metric."""

    def __call__(self, *, refs: Sequence[str], hyps: Sequence[str]) -> Mapping[str, Any]: ...


class Radiology(Mean):
    """A metric of RadEval (Xu et al. 2025). An empty text has 0.

    Its models are fetched once, when it is made. Where they cannot be had, or it fails on the texts, it raises
    MissingMetricError.
    """

    def __init__(self, asked: Asked, config: MetricsConfig, kind: Kind) -> None:  # noqa: ARG002 - nothing to set
        self._kind, self._name = kind, kind.name.removeprefix("f1")
        version = _version(kind)
        self._references = asked.references
        self._judge = _opened(kind)
        self.recipes = {self._name: Recipe(kind.title, kind.text, f"radeval {version}", kind.source)}

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [{self._name: self._score(texts)} for texts in variants]

    def _score(self, texts: Texts) -> Numbers:
        places = [place for place, text in enumerate(texts) if text.strip()]
        values = np.zeros(len(texts))
        if places:
            references, said = [self._references[place] for place in places], [texts[place] for place in places]
            try:
                values[places] = self._judge(refs=references, hyps=said)[self._kind.key]
            except _FAILURES as error:
                raise _missing(self._kind, error) from error
        return values


def _version(kind: Kind) -> str:
    """RadEval's version. Raises MissingMetricError where it is not here, or is one with another interface."""
    if importlib.util.find_spec("radeval") is None:
        raise MissingMetricError(f"{kind.title} comes with RadEval, which is not installed: {_INSTALL}")
    version = metadata.version("radeval")
    if int(version.split(".")[0]) < _MAJOR:
        raise MissingMetricError(f"{kind.title}: radeval {version} has another interface: {_INSTALL}")
    return version


def _opened(kind: Kind) -> Judge:
    try:
        from radeval import RadEval  # type: ignore[import-not-found]

        judge: Judge = RadEval(metrics=[kind.name], per_sample=True, show_progress=False)
    except _FAILURES as error:
        raise _missing(kind, error) from error
    return judge


def _missing(kind: Kind, error: Exception) -> MissingMetricError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return MissingMetricError(
        f"{kind.title}: RadEval could not compute it: {reason}. It fetches its models from the hub the first time"
    )


radgraph: Maker = partial(Radiology, kind=RADGRAPH)
chexbert: Maker = partial(Radiology, kind=CHEXBERT)
