"""How likely a question's answer is "yes" by its words alone: what may be said of disease without having seen it.

Two hundred patients teach which questions people ask and how those mostly end, and hardly what a finding looks like: a
kernel over questions and the encoder's vectors of their images answers held-out images' questions no better than the
questions alone do. So that is what the generator is taught to be sure of.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import feature_extraction, linear_model, model_selection, pipeline  # type: ignore[import-untyped]

FOLDS, STRENGTH = 8, 2.0
_SUREST = 0.95


def yes_shares(questions: Sequence[str], yes: Sequence[bool], images: Sequence[Hashable]) -> NDArray[np.float64]:
    """The chance `(n,)` of a yes to each question, learned from the questions of other images; between 0.05 and 0.95.

    Ridge regression on tf-idf of words and pairs of words; `FOLDS` parts, no image in two. Raises ValueError for
    fewer images than two.
    """
    folds = min(FOLDS, len(set(images)))
    if folds < 2:
        raise ValueError(f"yes_shares needs the questions of two images or more, not {folds}")
    parts = model_selection.GroupKFold(folds)
    found = model_selection.cross_val_predict(_model(), questions, np.asarray(yes, float), groups=images, cv=parts)
    return _clipped(found)


def _model() -> Any:
    words = feature_extraction.text.TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    return pipeline.make_pipeline(words, linear_model.Ridge(alpha=STRENGTH))


def _clipped(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(np.asarray(shares, np.float64), 1 - _SUREST, _SUREST)
