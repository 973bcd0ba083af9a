"""Models that read two texts at once: rerankers, and models of natural language inference.

A name is a folder, or ORGANISATION/NAME@COMMIT on the hub. Safetensors only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from imaging.loading import LOADING
from rag.errors import CheckError
from vlm.quiet import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_ON_HUB = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)@(?P<commit>[0-9a-f]{40})")
_BATCH = 32


class CrossEncoder:
    """A sequence classification model, loaded at its first use."""

    def __init__(self, name: str, setting: str) -> None:
        self.name = name
        self._setting = setting
        self._model: PreTrainedModel | None = None
        self._tokenizer: Any = None

    @property
    def labels(self) -> list[str]:
        """The model's labels in the order of its scores."""
        named: dict[int, str] = {
            int(place): str(label) for place, label in (self._loaded().config.id2label or {}).items()
        }
        return [named[place] for place in sorted(named)]

    def scores(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Logits of each pair, float32 `(pairs, labels)`. The longer text of a pair is cut where both do not fit."""
        import torch

        model = self._loaded()
        found = []
        for start in range(0, len(pairs), _BATCH):
            first, second = zip(*pairs[start : start + _BATCH], strict=True)
            inputs = self._tokenizer(list(first), list(second), padding=True, truncation=True, return_tensors="pt")
            with torch.inference_mode():
                found.append(model(**inputs.to(model.device)).logits.float().cpu().numpy())
        return np.concatenate(found) if found else np.empty((0, len(self.labels)), np.float32)

    def probabilities(self, pairs: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """The labels' probabilities of each pair, float32 `(pairs, labels)`, rows that sum to 1."""
        logits = self.scores(pairs)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)

    def _loaded(self) -> PreTrainedModel:
        if self._model is None:
            with LOADING:
                if self._model is None:
                    model, self._tokenizer = self._load()
                    self._model = model  # last: who sees it asks for the tokenizer next
        return self._model

    def _load(self) -> tuple[PreTrainedModel, Any]:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        hub = _ON_HUB.fullmatch(self.name)
        if not hub and not Path(self.name).is_dir():
            raise CheckError(
                f"{self._setting} {self.name}: no such folder. Give a folder, or ORGANISATION/NAME@COMMIT with the "
                "commit's 40 hex digits"
            )
        where: dict[str, Any] = {"local_files_only": True}
        if hub:
            where = {"revision": hub["commit"]}
        source = hub["repository"] if hub else self.name
        try:
            with quiet():
                tokenizer = AutoTokenizer.from_pretrained(source, **where)
                model = AutoModelForSequenceClassification.from_pretrained(source, use_safetensors=True, **where)
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise CheckError(f"{self._setting} {self.name}: cannot be loaded: {reason}") from error
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval(), tokenizer
