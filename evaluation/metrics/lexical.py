"""ROUGE, BLEU and chrF: words and letters in common, by the libraries that the field uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked, Mean, Texts, need
from evaluation.metrics.scored import Recipe
from evaluation.metrics.texts import imageclef
from evaluation.statistics.intervals import LEVEL, Estimate, Numbers, sums_drawn

ORDERS = (1, 2, 3, 4)


class Rouge(Mean):
    """ROUGE-1 and ROUGE-L, F of precision and recall (Lin 2004), by rouge-score without stemming.

    `name` is put before the metrics' names; `normalised` texts are those of the ImageCLEF caption task.
    """

    def __init__(self, asked: Asked, kinds: Mapping[str, str], normalised: bool = False) -> None:
        version = need("rouge-score", "rouge_score")
        from rouge_score import rouge_scorer  # type: ignore[import-untyped]

        self._references = asked.references
        self._names = kinds
        self._prepare = imageclef if normalised else str
        self._scorer = rouge_scorer.RougeScorer(list(kinds), use_stemmer=False, tokenizer=_Cached())
        how = "ImageCLEF normalisation, " if normalised else ""
        self.recipes = {
            name: Recipe(
                title="ROUGE-1" if kind == "rouge1" else "ROUGE-L",
                text=f"F1, {how}no stemming, words are runs of a-z and 0-9 in lower case",
                version=version,
                source="Lin 2004, https://aclanthology.org/W04-1013",
            )
            for kind, name in kinds.items()
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [self._score(texts) for texts in variants]

    def _score(self, texts: Texts) -> dict[str, Numbers]:
        rows = [
            self._scorer.score(self._prepare(reference), self._prepare(text))
            for reference, text in zip(self._references, texts, strict=True)
        ]
        return {name: np.asarray([row[kind].fmeasure for row in rows]) for kind, name in self._names.items()}


class _Cached:
    """rouge-score's own tokenizer, asked once for each text: references come again with every foil."""

    def __init__(self) -> None:
        from rouge_score.tokenizers import DefaultTokenizer  # type: ignore[import-untyped]

        self.tokenize = lru_cache(maxsize=200_000)(DefaultTokenizer(use_stemmer=False).tokenize)


class Bleu:
    """BLEU-1 to BLEU-4 (Papineni et al. 2002) by sacrebleu, as fractions of 1.

    Of one text, orders that it is too short for do not count, and counts of 0 are smoothed (exp). The figure of all
    texts together is the usual one, of their summed counts.
    """

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        version = need("sacrebleu", "sacrebleu")
        from sacrebleu.metrics.bleu import BLEU

        self._references, self._groups = asked.references, asked.groups
        self._bleu = BLEU(lowercase=True, tokenize="13a", effective_order=True)
        self._counted = lru_cache(maxsize=400_000)(self._count)
        self.recipes = {
            f"bleu{order}": Recipe(
                title=f"BLEU-{order}",
                text="lower case, tokens 13a, smoothing exp and effective order for one text; 0 to 1",
                version=version,
                source="Papineni et al. 2002, https://aclanthology.org/P02-1040; Post 2018, arXiv:1804.08771",
            )
            for order in ORDERS
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [self._score(texts) for texts in variants]

    def corpus(self, texts: Texts) -> Mapping[str, Estimate]:
        rows = [self._counted(text, reference) for text, reference in zip(texts, self._references, strict=True)]
        counts = np.asarray(rows, dtype=np.float64)
        drawn = sums_drawn(counts, self._groups)
        found = {}
        for order in ORDERS:
            values = [self._value(row, order, single=False) for row in drawn.round().astype(int).tolist()]
            low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            own = self._value(counts.sum(axis=0).astype(int).tolist(), order, single=False)
            found[f"bleu{order}"] = Estimate(own, float(low), float(high))
        return found

    def _score(self, texts: Texts) -> dict[str, Numbers]:
        rows = [self._counted(text, reference) for text, reference in zip(texts, self._references, strict=True)]
        return {f"bleu{order}": np.asarray([self._value(row, order, single=True) for row in rows]) for order in ORDERS}

    def _count(self, text: str, reference: str) -> tuple[int, ...]:
        """Matches of orders 1 to 4, n-grams of orders 1 to 4, words of the text and of the reference."""
        found = self._bleu.sentence_score(text, [reference])
        return (*found.counts, *found.totals, found.sys_len, found.ref_len)

    def _value(self, row: Sequence[int], order: int, single: bool) -> float:
        from sacrebleu.metrics.bleu import BLEU

        found = BLEU.compute_bleu(
            correct=list(row[:order]), total=list(row[4 : 4 + order]), sys_len=row[8], ref_len=row[9],
            smooth_method="exp", effective_order=single, max_ngram_order=order,
        )  # fmt: skip
        return float(found.score / 100)


class Chrf(Mean):
    """chrF (Popovic 2015) by sacrebleu: F2 of character n-grams up to 6, as a fraction of 1."""

    def __init__(self, asked: Asked, config: MetricsConfig) -> None:  # noqa: ARG002 - there is nothing to set
        version = need("sacrebleu", "sacrebleu")
        from sacrebleu.metrics.chrf import CHRF

        self._references = asked.references
        self._chrf: Any = CHRF()
        self.recipes = {
            "chrf": Recipe(
                title="chrF",
                text="characters to 6-grams, no words, beta 2, spaces left out, case kept; 0 to 1",
                version=version,
                source="Popovic 2015, https://aclanthology.org/W15-3049",
            )
        }

    def score(self, variants: Sequence[Texts]) -> list[dict[str, Numbers]]:
        return [{"chrf": self._score(texts)} for texts in variants]

    def _score(self, texts: Texts) -> Numbers:
        pairs = zip(texts, self._references, strict=True)
        return np.asarray([self._chrf.sentence_score(text, [reference]).score / 100 for text, reference in pairs])


def rouge(asked: Asked, config: MetricsConfig) -> Rouge:  # noqa: ARG001 - there is nothing to set
    """ROUGE-1 and ROUGE-L of the texts as they stand."""
    return Rouge(asked, {"rouge1": "rouge1", "rougeL": "rougeL"})


def imageclef_rouge(asked: Asked, config: MetricsConfig) -> Rouge:  # noqa: ARG001 - there is nothing to set
    """ROUGE-1 of the ImageCLEF caption task."""
    return Rouge(asked, {"rouge1": "imageclef_rouge1"}, normalised=True)
