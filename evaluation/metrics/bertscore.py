"""BERTScore, with any encoder: the figure moves by 0.1 with model, layer, idf and normalisation, so all are printed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.errors import MetricError, MissingMetricError
from evaluation.metrics.config import BertScoreConfig, MetricsConfig
from evaluation.metrics.measures import Asked, Mean, Texts, need
from evaluation.metrics.scored import Recipe
from evaluation.metrics.texts import imageclef
from evaluation.statistics.intervals import Numbers
from indexer.embedders import files, read_embedder

MINILM = "minilm"
OFFICIAL = "microsoft/deberta-xlarge-mnli"
"""The model of the ImageCLEF caption task."""
_NO_LIMIT = 10**6
_TOGETHER = 1_000
"""References that are scored in one call with all texts for them: each distinct text is embedded once a call."""


class BertScore(Mean):
    """BERTScore F1 (Zhang et al. 2020) by bert-score, without rescaling; an empty text has 0."""

    def __init__(self, asked: Asked, config: BertScoreConfig, name: str) -> None:
        version = need("bert-score", "bert_score")
        folder, shown = _model(config.model)
        self._name = name
        self._prepare = imageclef if config.normalise == "imageclef" else str
        self._references = [self._prepare(reference) for reference in asked.references]
        layer = _layer(config, folder)
        self._batch = config.batch_size
        self._scorer = _scorer(folder, layer, config)
        if config.idf:
            self._scorer.compute_idf(self._references)
        idf = f"idf over the {len(self._references)} references" if config.idf else "no idf"
        normalised = "ImageCLEF normalisation" if config.normalise == "imageclef" else "no normalisation"
        self.recipes = {
            name: Recipe(
                title="BERTScore",
                text=f"F1, model {shown}, layer {layer}, {idf}, {normalised}, no rescaling, "
                f"batches of {config.batch_size}",
                version=version,
                source="Zhang et al. 2020, arXiv:1904.09675",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        values = np.zeros((len(variants), len(self._references)))
        for start in range(0, len(self._references), _TOGETHER):
            block = slice(start, start + _TOGETHER)
            said = [self._prepare(text) for texts in variants for text in texts[block]]
            values[:, block] = self._score(said, self._references[block] * len(variants)).reshape(len(variants), -1)
        return [{self._name: row} for row in values]

    def _score(self, texts: Texts, references: Texts) -> Numbers:
        # bert-score asks tokenizers for an empty text in a way that newer ones do not know.
        places = [place for place, text in enumerate(texts) if text.strip() and references[place].strip()]
        values = np.zeros(len(texts))
        if places:
            said, held = [texts[place] for place in places], [references[place] for place in places]
            values[places] = self._scorer.score(said, held, batch_size=self._batch)[2].double().numpy()
        return values


def bertscore(asked: Asked, config: MetricsConfig) -> BertScore:
    """With the model that `bertscore.model` names."""
    return BertScore(asked, config.bertscore, "bertscore")


def imageclef_bertscore(asked: Asked, config: MetricsConfig) -> BertScore:
    """The ImageCLEF caption task's: its own model alone, idf over the references, its normalisation."""
    given = config.bertscore.model
    if given is None or not _is_official(given):
        raise MissingMetricError(
            f"the task's model is {OFFICIAL}. Give it, or a folder that holds it: "
            f"--with bertscore.model=FOLDER/deberta-xlarge-mnli"
        )
    # One pair at a time, as the task's scorer has it: see BertScoreConfig.
    recipe = BertScoreConfig(model=given, layer=40, idf=True, normalise="imageclef", batch_size=1)
    return BertScore(asked, recipe, "imageclef_bertscore")


def _is_official(model: str) -> bool:
    return model == OFFICIAL or Path(model).name == OFFICIAL.partition("/")[2]


def _model(name: str | None) -> tuple[str, str]:
    """Where a model is, and what it is called in a recipe. Raises MissingMetricError where it is not here."""
    if name is None:
        raise MissingMetricError(
            "BERTScore needs a model: --with bertscore.model=FOLDER (or a hub id, or minilm, which a package carries)"
        )
    if name == MINILM:
        short, config = read_embedder(MINILM)
        folder = files.local_folder(config, short)
        if folder is None:
            raise MetricError("configs/embedders/minilm.yaml names no package: minilm is the model a package carries")
        files.check_weights(folder / "model.safetensors", config, short)
        return str(folder), f"all-MiniLM-L6-v2 (package {config.package}@{files.fingerprint(config, '', folder)[:8]})"
    return name, Path(name).name if Path(name).is_dir() else name


def _layer(config: BertScoreConfig, folder: str) -> int:
    """The layer asked for, that which bert-score found best for the model, else the model's last."""
    from bert_score.utils import model2layers  # type: ignore[import-untyped]
    from transformers import AutoConfig

    try:
        last = int(AutoConfig.from_pretrained(folder).num_hidden_layers)
    except (OSError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MissingMetricError(f"BERTScore: {folder} is no encoder that transformers can read: {reason}") from error
    layer = config.layer or model2layers.get(folder) or last
    if layer > last:
        raise MetricError(f"bertscore.layer is {layer}; {folder} has {last}")
    return int(layer)


def _scorer(folder: str, layer: int, config: BertScoreConfig):  # type: ignore[no-untyped-def]  # bert-score's class
    from bert_score import BERTScorer  # type: ignore[import-untyped]
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        # Tokenising in other processes would copy this one, models and all.
        scorer = BERTScorer(folder, num_layers=layer, idf=config.idf, nthreads=0, batch_size=config.batch_size)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise MissingMetricError(f"BERTScore: the model {folder} cannot be had: {reason}") from error
    if scorer._tokenizer.model_max_length > _NO_LIMIT:  # one that does not know how long its model's texts may be
        scorer._tokenizer.model_max_length = scorer._model.config.max_position_embeddings
    return scorer
