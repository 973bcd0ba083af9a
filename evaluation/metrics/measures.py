"""What every metric is: made for a set of references, it judges texts for them, as often as one likes."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any, Protocol

from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.scored import Recipe
from evaluation.statistics.intervals import Estimate, Numbers
from rag.content import Content

Texts = Sequence[str]


@dataclass(frozen=True)
class Asked:
    """What the n texts are to be held against: a reference each, and what else is known of each image.

    `groups` is the article or case; `images` the file, or None; `concepts` the codes (UMLS CUIs) of the reference, or
    None where no record says them; `truth` what is true in each word list of `content`; `types` a question's type;
    `nearest` the caption of the nearest image of the index; `said_concepts` codes that the predictions came with.
    """

    ids: tuple[str, ...]
    references: tuple[str, ...]
    groups: tuple[str, ...]
    images: tuple[str | None, ...] = ()
    concepts: tuple[tuple[str, ...] | None, ...] = ()
    said_concepts: tuple[tuple[str, ...] | None, ...] = ()
    truth: tuple[Mapping[str, str | None], ...] = ()
    content: Content | None = None
    types: tuple[str | None, ...] = ()
    splits: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    nearest: tuple[str | None, ...] = ()
    embedder: str | None = None

    @property
    def is_questions(self) -> bool:
        """Whether the texts are answers: some has a type of question."""
        return any(kind is not None for kind in self.types)

    @property
    def is_documents(self) -> bool:
        """Whether the texts are fields of documents: every reference is JSON, and one is an object or a list."""
        try:
            values = [json.loads(reference) for reference in self.references]
        except ValueError:
            return False
        return any(isinstance(value, dict | list) for value in values)


class Measure(Protocol):
    """Metrics that are computed together. `recipes` names them and says how."""

    @property
    def recipes(self) -> Mapping[str, Recipe]: ...

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        """For each variant, which has a text for each reference, every metric's values, float64 (n,)."""

    def corpus(self, texts: Texts) -> Mapping[str, Estimate]:
        """The figure of all texts together, of metrics where that is not the mean of the texts' own."""


class Mean:
    """Of a measure whose figures of all texts together are the means of the texts' own: there is nothing to add."""

    def corpus(self, texts: Texts) -> Mapping[str, Estimate]:  # noqa: ARG002 - the mean is the figure
        return {}


class Maker(Protocol):
    """Makes a measure for references. Raises MissingMetricError where something that it needs is not here."""

    def __call__(self, asked: Asked, config: MetricsConfig) -> Measure: ...


def need(package: str, module: str) -> str:
    """`package VERSION` where it is installed. Raises MissingMetricError with the install line where it is not."""
    if importlib.util.find_spec(module) is None:
        raise MissingMetricError(f"{package} is not installed. Install it: pip install 'lumenscribe[eval]'")
    return f"{package} {metadata.version(package)}"


def only_of(values: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, Any]:
    """Those whose names are wanted: `content` wants `content` and `content.plane`."""
    return {name: value for name, value in values.items() if name in wanted or name.partition(".")[0] in wanted}
