"""Metrics whose models no package carries: computed where the model's folder is given, blank with the reason else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import MissingMetricError
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked, Mean, Texts, need
from evaluation.metrics.scored import Recipe
from evaluation.metrics.texts import imageclef
from evaluation.statistics.intervals import Numbers
from indexer.embedders.files import sha256_of
from rag.check.sentences import split_sentences

_BATCH = 16
_CONTEXT_WORDS = 350
_ALIGNED = "ALIGNED"


class PairModel:
    """A classifier of pairs of texts from a folder of safetensors, by transformers. Nothing is fetched."""

    def __init__(self, folder: str | None, metric: str, what: str) -> None:
        if folder is None:
            raise MissingMetricError(f"{metric} needs its model: --with {metric.lower()}.model=FOLDER ({what})")
        path = Path(folder)
        weights = path / "model.safetensors"
        if not weights.is_file():
            raise MissingMetricError(f"{metric}: {path} has no model.safetensors; it must hold {what}")
        self._path = path
        self.shown = f"{path.name}@{sha256_of(weights)[:8]}"
        self._tokenizer, self._model = self._open(metric)

    @property
    def labels(self) -> list[str]:
        """The names of its outputs, in order."""
        names: Mapping[int, str] = self._model.config.id2label
        return [names[place] for place in sorted(names)]

    def logits(self, pairs: Sequence[tuple[str, str]]) -> Numbers:
        """Outputs for each pair, float64 `(pairs, labels)`; the first text is cut where both are too long."""
        import torch

        rows = []
        limit = int(getattr(self._model.config, "max_position_embeddings", 512))
        for start in range(0, len(pairs), _BATCH):
            first, second = zip(*pairs[start : start + _BATCH], strict=True)
            inputs = self._tokenizer(
                list(first), list(second), padding=True, truncation=True, max_length=min(512, limit - 2),
                return_tensors="pt",
            )  # fmt: skip
            with torch.inference_mode():
                rows.append(self._model(**inputs).logits.double().numpy())
        return np.concatenate(rows)

    def _open(self, metric: str) -> tuple[Any, Any]:
        from transformers import AutoModelForSequenceClassification, AutoTokenizer
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._path, local_files_only=True)
            model = AutoModelForSequenceClassification.from_pretrained(
                self._path, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise MissingMetricError(f"{metric}: transformers cannot open {self._path}: {reason}") from error
        return tokenizer, model.eval()


class Bleurt(Mean):
    """BLEURT (Sellam et al. 2020) of texts in ImageCLEF normalisation; the model has one output."""

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:
        self._model = PairModel(config.bleurt.model, "BLEURT", "a checkpoint that transformers opens, with one output")
        if len(self._model.labels) != 1:
            raise MissingMetricError(f"BLEURT: {config.bleurt.model} has {len(self._model.labels)} outputs, not one")
        self._references = [imageclef(reference) for reference in asked.references]
        self.recipes = {
            "bleurt": Recipe(
                title="BLEURT",
                text=f"model {self._model.shown}, ImageCLEF normalisation",
                version=need("transformers", "transformers"),
                source="Sellam et al. 2020, arXiv:2004.04696",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [
            {"bleurt": self._model.logits(list(zip(self._references, map(imageclef, texts), strict=True)))[:, 0]}
            for texts in variants
        ]


class AlignScore(Mean):
    """AlignScore (Zha et al. 2023), nli_sp: how far the reference supports what a text says.

    The reference is cut into pieces of about 350 words, the text into sentences; of each sentence its best piece's
    probability of ALIGNED counts, and the mean over sentences is the score. An empty text has 0.
    """

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:
        self._model = PairModel(
            config.alignscore.model, "AlignScore", f"a RoBERTa with its 3-way head, one label named {_ALIGNED}"
        )
        labels = self._model.labels
        if _ALIGNED not in labels:
            raise MissingMetricError(
                f"AlignScore: {config.alignscore.model} has no label {_ALIGNED}; it has {', '.join(labels)}"
            )
        self._place = labels.index(_ALIGNED)
        self._pieces = [pieces(reference) for reference in asked.references]
        self.recipes = {
            "alignscore": Recipe(
                title="AlignScore",
                text=f"nli_sp, the reference as context, model {self._model.shown}",
                version=need("transformers", "transformers"),
                source="Zha et al. 2023, arXiv:2305.16739",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [{"alignscore": self._score(texts)} for texts in variants]

    def _score(self, texts: Texts) -> Numbers:
        pairs, owners = [], []
        for place, text in enumerate(texts):
            for sentence in split_sentences(text):
                pairs += [(piece, sentence) for piece in self._pieces[place]]
                owners.append((place, len(self._pieces[place])))
        values = np.zeros(len(texts))
        if not pairs:
            return values
        logits = self._model.logits(pairs)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        aligned = (odds / odds.sum(axis=1, keepdims=True))[:, self._place]
        best: list[list[float]] = [[] for _ in texts]
        start = 0
        for place, count in owners:
            best[place].append(float(aligned[start : start + count].max()))
            start += count
        return np.asarray([np.mean(several) if several else 0.0 for several in best])


def pieces(context: str) -> list[str]:
    """A text in pieces of whole sentences of about 350 words."""
    found: list[list[str]] = [[]]
    for sentence in split_sentences(context):
        if found[-1] and sum(len(part.split()) for part in found[-1]) + len(sentence.split()) > _CONTEXT_WORDS:
            found.append([])
        found[-1].append(sentence)
    return [" ".join(piece) for piece in found]
