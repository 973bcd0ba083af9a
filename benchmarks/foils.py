"""What simple methods say of the same images: the majority, the nearest neighbours, a linear probe, the question alone.

Vectors are the pocket encoder's, float32 `(n, dim)`, rows of unit length; the neighbours are those the index finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from indexer import Vectors

ALL_K = (1, 3, 5, 10)
QUESTION_ONLY = ("majority", "naive Bayes", "logistic")
FOLDS = 5
STRENGTHS = {"C": [1e-4, 1e-3, 1e-2, 1e-1, 1.0], "alpha": [1e1, 1e2, 1e3, 1e4, 1e5]}
"""Inverse strengths of the logistic probe and strengths of the ridge that cross-validation chooses from."""


def class_foils(
    known: Vectors, labels: Sequence[str], groups: Sequence[Hashable], queries: Vectors, ks: Sequence[int] = ALL_K
) -> dict[str, list[str]]:
    """What each foil says of the queries: majority, `votes`, a logistic probe."""
    said = {"majority": [_most(labels)] * len(queries)}
    return said | votes(known, labels, queries, ks) | {"probe": _probe(known, labels, groups, queries)}


def votes(known: Vectors, labels: Sequence[str], queries: Vectors, ks: Sequence[int] = ALL_K) -> dict[str, list[str]]:
    """The label that most of the k nearest have, the nearest one's where several are as frequent."""
    near = nearest(known, queries, max(ks))
    return {f"{k}-NN": [_most([labels[i] for i in row[:k]]) for row in near] for k in ks}


def count_foils(
    known: Vectors,
    counts: Sequence[float],
    groups: Sequence[Hashable],
    queries: Vectors,
    ks: Sequence[int] = ALL_K,
    log: bool = False,
) -> dict[str, list[float]]:
    """As `class_foils` for numbers: median, mean of the k nearest, ridge; with `log`, of the logarithms."""
    numbers = np.log(counts) if log else np.asarray(counts, np.float64)
    near = nearest(known, queries, max(ks))
    said = {"median": np.full(len(queries), np.median(numbers))}
    said |= {f"{k}-NN": numbers[near[:, :k]].mean(axis=1) for k in ks}
    model = make_pipeline(StandardScaler(), Ridge())
    splits = list(GroupKFold(FOLDS).split(known, groups=groups))
    search = GridSearchCV(model, {"ridge__alpha": STRENGTHS["alpha"]}, cv=splits, scoring="neg_mean_absolute_error")
    said["probe"] = search.fit(known, numbers).predict(queries)
    return {name: [float(x) for x in (np.exp(value) if log else value)] for name, value in said.items()}


def question_foils(
    questions: Sequence[str], answers: Sequence[str], groups: Sequence[Hashable], asked: Sequence[str]
) -> dict[str, list[str]]:
    """What the words of a question say of its answer, the image unseen: majority, naive Bayes, logistic regression."""
    bayes = make_pipeline(CountVectorizer(ngram_range=(1, 2)), MultinomialNB())
    logistic = GridSearchCV(
        make_pipeline(CountVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000)),
        {"logisticregression__C": [0.01, 0.1, 1.0, 10.0]},
        cv=list(GroupKFold(FOLDS).split(questions, groups=groups)),
    )
    said = (
        [_most(answers)] * len(asked),
        *(model.fit(questions, answers).predict(asked) for model in (bayes, logistic)),
    )
    return {name: list(several) for name, several in zip(QUESTION_ONLY, said, strict=True)}


def nearest(known: Vectors, queries: Vectors, k: int) -> np.ndarray:
    """int `(queries, k)`: the rows of `known` of highest cosine similarity, the best first."""
    return np.argsort(-(queries @ known.T), axis=1, kind="stable")[:, :k]


def _most(labels: Sequence[str]) -> str:
    return Counter(labels).most_common(1)[0][0]


def _probe(known: Vectors, labels: Sequence[str], groups: Sequence[Hashable], queries: Vectors) -> list[str]:
    """Logistic regression, classes weighted alike, C chosen by cross-validation over groups."""
    if len(set(labels)) == 1:
        return [labels[0]] * len(queries)
    folds = min(FOLDS, *Counter(labels).values())
    if folds < 2:
        raise ValueError(f"a class with one example cannot be cross-validated: {Counter(labels)}")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced", max_iter=500)),
        {"logisticregression__C": STRENGTHS["C"]},
        cv=list(StratifiedGroupKFold(folds).split(known, labels, groups)),
        scoring="balanced_accuracy",
    )
    return list(search.fit(known, list(labels)).predict(queries))
