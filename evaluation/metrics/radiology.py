"""Metrics of radiology reports, by RadEval, where it is installed; it fetches their models from the hub."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib import metadata

import numpy as np

from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked, Maker, Mean, Texts
from evaluation.metrics.scored import Recipe
from evaluation.statistics.intervals import Numbers


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


class Radiology(Mean):
    """A metric of RadEval (Xu et al. 2025). An empty text has 0."""

    def __init__(self, asked: Asked, config: MetricsConfig, kind: Kind) -> None:  # noqa: ARG002 - nothing to set
        if importlib.util.find_spec("radeval") is None:
            raise MissingMetricError(f"{kind.title} comes with RadEval, which is not installed: pip install radeval")
        self._kind, self._name = kind, kind.name.removeprefix("f1")
        self._references = asked.references
        self.recipes = {
            self._name: Recipe(kind.title, kind.text, f"radeval {metadata.version('radeval')}", kind.source)
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [{self._name: self._score(texts)} for texts in variants]

    def _score(self, texts: Texts) -> Numbers:
        from radeval import RadEval  # type: ignore[import-not-found]

        places = [place for place, text in enumerate(texts) if text.strip()]
        values = np.zeros(len(texts))
        if places:
            judge = RadEval(metrics=[self._kind.name], per_sample=True, show_progress=False)
            found = judge(refs=[self._references[place] for place in places], hyps=[texts[place] for place in places])
            values[places] = found[self._kind.key]
        return values


radgraph: Maker = partial(Radiology, kind=RADGRAPH)
chexbert: Maker = partial(Radiology, kind=CHEXBERT)
