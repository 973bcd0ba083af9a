"""From what was said to figures: right content, words in common with the reference, each with its interval.

Of every text a row of numbers, one a measure, NaN where there is nothing to judge; figures are means of them, with
95 % bootstrap intervals in which articles are drawn whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from evaluation import rouge
from evaluation.sets import EvaluationSet
from evaluation.statistics.intervals import Estimate, Numbers, estimate

CONTENT, ROUGE, GAIN, ABSTAINED, SAME = "content", "rouge1", "rouge1_above_shuffled", "abstained", "same_text"
"""Measures beside the content of each list: the mean over an image's lists; ROUGE-1 with its own reference, and this
minus that of the texts of other articles; whether it abstained; whether the text is the one of the main arm."""

TITLES = {
    CONTENT: "content", ROUGE: "ROUGE-1", GAIN: "above shuffled", ABSTAINED: "abstained", SAME: "same text",
}  # fmt: skip
"""What the measures are called; a list's is its own name."""

Measures = Mapping[str, Numbers]
Figures = dict[str, Estimate]


@dataclass(frozen=True)
class Row:
    """The figures of an arm, a foil, or of a paired difference; and of each modality alone."""

    name: str
    figures: Figures
    by_modality: Mapping[str, Figures] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        alone = {name: figures_json(figures) for name, figures in self.by_modality.items()}
        return {"name": self.name, "figures": figures_json(self.figures), "by_modality": alone}


def figures_json(figures: Mapping[str, Estimate | None]) -> dict[str, dict[str, float]]:
    """Each figure's value, ends and p, to five digits."""
    return {
        name: {key: float(f"{value:.5g}") for key, value in asdict(one).items() if value is not None}
        for name, one in figures.items()
        if one is not None
    }


class Judge:
    """Judges texts about the images of a set, a text an image, in the set's order."""

    def __init__(self, images: EvaluationSet) -> None:
        self._images = images
        self._references = [case.caption for case in images.cases]
        self._groups = [case.group for case in images.cases]
        modalities = [case.modality for case in images.cases]
        names = [name for name in dict.fromkeys(modalities) if name is not None]
        self.modalities = {name: np.asarray([m == name for m in modalities]) for name in names if len(names) > 1}

    def measure(self, texts: Sequence[str]) -> dict[str, Numbers]:
        """Content and words of each text."""
        content = np.asarray([self._right(place, text) for place, text in enumerate(texts)])
        known = ~np.isnan(content)
        count = known.sum(axis=1)
        both = np.where(count > 0, np.where(known, content, 0).sum(axis=1) / np.maximum(count, 1), np.nan)
        scores = rouge.table(texts, self._references)
        return {
            CONTENT: both,
            **{name: content[:, column] for column, name in enumerate(self._images.lists)},
            ROUGE: np.diagonal(scores).astype(np.float64),
            GAIN: np.asarray(rouge.above_shuffled(texts, self._references, self._groups)),
        }

    def row(self, name: str, measures: Measures, test: bool = False) -> Row:
        """The figures of measures; with `test`, the p of each for "not above 0"."""
        return Row(
            name,
            self._figures(measures, np.ones(len(self._groups), bool), test),
            {modality: self._figures(measures, mine, test) for modality, mine in self.modalities.items()},
        )

    def difference(self, name: str, first: Measures, second: Measures) -> Row:
        """First minus second, image by image."""
        return self.row(name, {key: first[key] - second[key] for key in first if key in second}, test=True)

    def _right(self, place: int, text: str) -> list[float]:
        said, truth = self._images.content.said(text), self._images.cases[place].truth
        return [
            float(said[name] == truth.get(name)) if truth.get(name) is not None else np.nan
            for name in self._images.lists
        ]

    def _figures(self, measures: Measures, mine: Numbers, test: bool) -> Figures:
        figures = {}
        for name, values in measures.items():
            rows = np.flatnonzero(mine & ~np.isnan(values))
            if len(rows):
                figures[name] = estimate(values[rows], [self._groups[row] for row in rows], test=test)
        return figures


@dataclass(frozen=True)
class Follows:
    """What a text goes by where the image and the evidence are of two articles and differ in content.

    Shares of the image's and of the evidence's values among `n` such pairs of image and list.
    """

    n: int
    image: Estimate | None
    evidence: Estimate | None

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {"n": self.n, **figures_json({"image": self.image, "evidence": self.evidence})}


def follows(
    images: EvaluationSet,
    texts: Sequence[str],
    shown: Sequence[Mapping[str, str | None]],
    evidence: Sequence[Mapping[str, str | None]],
) -> Follows:
    """`shown` and `evidence` are what is true of the image that each text was written for, and of its evidence's."""
    by_image, by_evidence, groups = [], [], []
    for case, text, own, other in zip(images.cases, texts, shown, evidence, strict=True):
        said = images.content.said(text)
        for name in images.lists:
            first, second = own.get(name), other.get(name)
            if first is not None and second is not None and first != second:
                by_image.append(float(said[name] == first))
                by_evidence.append(float(said[name] == second))
                groups.append(case.group)
    if not groups:
        return Follows(0, None, None)
    return Follows(len(groups), estimate(by_image, groups), estimate(by_evidence, groups))
