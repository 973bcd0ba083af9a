"""What texts say, not how: the concepts that they name, and what is right in them by word lists."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from configs import ROOT
from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked, Mean, Texts
from evaluation.metrics.scored import Recipe
from evaluation.statistics.intervals import Numbers
from indexer.embedders import files
from rag.check.lexicon import Kind
from rag.check.reading import read

KINDS: tuple[Kind, ...] = (
    "modality", "plane", "view", "sequence", "phase", "stain", "anatomy", "cell", "finding", "quality",
)  # fmt: skip
WORDS = ROOT / "checks" / "words.yaml"


class WordConcepts(Mean):
    """F1 of the concepts that two texts name, by the lists of configs/checks/words.yaml.

    A concept that a text denies is another one than the concept itself, and so is each side. NaN where the reference
    names none.
    """

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        self._references = [concepts(reference) for reference in asked.references]
        self.recipes = {
            "concept_f1": Recipe(
                title="concept F1",
                text=f"concepts of configs/checks/words.yaml ({', '.join(KINDS)}, sides), denied ones apart; no UMLS",
                version=f"words.yaml@{files.sha256_of(WORDS)[:8]}",
                source="docs/evaluation.md",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [
            {
                "concept_f1": np.asarray(
                    [f1(concepts(text), held) for text, held in zip(texts, self._references, strict=True)]
                )
            }
            for texts in variants
        ]


class Codes(Mean):
    """F1 of the concept codes (UMLS CUIs) that predictions came with and that references have in their records.

    Foils have no codes of their own and no figure.
    """

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        if not any(asked.concepts):
            raise MissingMetricError(
                "no reference has the codes of its concepts: a field `concepts` (or `cui`) has them; for a set name it "
                "with --field concepts=cui"
            )
        if not any(asked.said_concepts):
            raise MissingMetricError("texts have no codes: predictions with a field `concepts` (or `cui`) have them")
        self._values = np.asarray(
            [
                f1(said or (), held) if held is not None else np.nan
                for said, held in zip(asked.said_concepts, asked.concepts, strict=True)
            ]
        )
        self.recipes = {
            "cui_f1": Recipe(
                title="CUI F1",
                text="codes of the predictions and of the records, as sets",
                version="",
                source="ImageCLEFmedical caption, concept detection",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [{"cui_f1": self._values}, *({"cui_f1": np.full(len(self._values), np.nan)} for _ in variants[1:])]


class RightContent(Mean):
    """Whether a text states rightly what is true of its image, list by list (`rag.content`), and their mean."""

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        lists = () if asked.content is None else tuple(asked.content.lists)
        self._lists = [name for name in lists if any(truth.get(name) is not None for truth in asked.truth)]
        if asked.content is None or not self._lists:
            raise MissingMetricError(
                "nothing that the word lists have is known of the images: take other lists with --content; for a set "
                "say which fields hold what is true with --truth"
            )
        self._content, self._truth = asked.content, asked.truth
        lists_version = f"configs/content/{asked.content.name}.yaml@{asked.content.hash[:8]}"
        self.recipes = {
            "content": Recipe("content", "mean over an image's known lists of: says the true value", lists_version)
        } | {
            f"content.{name}": Recipe(
                name, "says the true value and no other; nothing or several is wrong", lists_version
            )
            for name in self._lists
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [self._score(texts) for texts in variants]

    def _score(self, texts: Texts) -> dict[str, Numbers]:
        right = np.full((len(texts), len(self._lists)), np.nan)
        for place, (text, truth) in enumerate(zip(texts, self._truth, strict=True)):
            said = self._content.said(text)
            for column, name in enumerate(self._lists):
                if truth.get(name) is not None:
                    right[place, column] = said[name] == truth[name]
        known = ~np.isnan(right)
        count = known.sum(axis=1)
        both = np.where(count > 0, np.where(known, right, 0).sum(axis=1) / np.maximum(count, 1), np.nan)
        return {"content": both} | {f"content.{name}": right[:, column] for column, name in enumerate(self._lists)}


def concepts(text: str) -> frozenset[str]:
    """Concepts that a text names, `no NAME` those that it denies, and the sides that it gives."""
    said = read(text)
    affirmed, denied = said.names(*KINDS), said.names(*KINDS, denied=True)
    return affirmed | {f"no {name}" for name in denied} | {side.name for side in said.sides}


def f1(said: Collection[str], true: Collection[str]) -> float:
    """F1 of two sets; NaN where nothing is true."""
    if not true:
        return float("nan")
    return 2 * len(set(said) & set(true)) / (len(set(said)) + len(set(true)))
