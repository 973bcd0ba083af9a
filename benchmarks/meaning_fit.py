"""The weights of rag/check/meaning.py, and what they cite on a set that they were not fitted on.

    python benchmarks/meaning_fit.py

Of every paraphrased and foreign sentence of `evidence_sets/` that meaning is asked of: a conditional logistic model of
the text that a paraphrase was made of, then a logistic model of whether the likest text is that one. For each set both
are fitted on the other sets and put into the checker; the weights printed last are fitted on all. The word lists and
rules were written with the sets in sight, so that what is held out here is the weights alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from checks import SETS, citations, cited, read
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from rag.check import meaning
from rag.check.meaning import Meaning, likest
from rag.check.particulars import Particulars
from rag.checking import checker_of
from rag.config import resolve

NAMES = "abcdefghi"
L2, C = 1.0, 0.3
"""How strongly the weights of the two models are held near 0."""
KINDS = ("right evidence cited", "true", "paraphrased", "contradicted", "foreign")


@dataclass(frozen=True)
class Asked:
    """A sentence that meaning was asked of. `target` is the place of its text; None for a foreign one."""

    name: str
    likeness: NDArray[np.float64]
    unlisted: float
    target: int | None


@dataclass(frozen=True)
class Fit:
    """The weights of `_LIKEST`, `_SAME` and `_START`."""

    likest: NDArray[np.float64]
    same: NDArray[np.float64]
    start: float

    def put(self) -> None:
        """Makes these the weights of the checker."""
        meaning._LIKEST, meaning._SAME, meaning._START = self.likest, self.same, self.start


def main() -> None:
    meaning._KEPT = 100_000
    asked = [each for name in NAMES for each in asked_of(name)]
    held_out: dict[str, dict[str, float]] = {}
    for name in NAMES:
        fit([each for each in asked if each.name != name]).put()
        found = citations(CHECKER, SETS / name)
        held_out[name] = {kind: found[kind][0] for kind in KINDS}
        print(name, held_out[name])
    print("mean", {kind: round(float(np.mean([each[kind] for each in held_out.values()])), 4) for kind in KINDS})
    best = fit(asked)
    print(json.dumps({"likest": best.likest.tolist(), "same": best.same.tolist(), "start": best.start}))


CHECKER = checker_of(resolve().check)


def asked_of(name: str) -> list[Asked]:
    """The paraphrased and foreign sentences of a set that meaning is asked of."""
    seen: list[tuple[NDArray[np.float64], float]] = []
    support = Meaning.support

    def noting(
        self: Meaning, sentence: str, texts: Sequence[str], terms: Sequence[float], common: Sequence[Particulars],
        unlisted: float,
    ) -> list[float]:  # fmt: skip
        seen.append((self.likeness(sentence, texts, terms, common), unlisted))
        return [0.0] * len(texts)

    Meaning.support = noting  # type: ignore[method-assign]
    found = []
    for row in read(SETS / name / "citations.jsonl"):
        if row["kind"] not in ("paraphrased", "foreign"):
            continue
        seen.clear()
        cited(CHECKER, row)
        target = row["target"] - 1 if row["kind"] == "paraphrased" else None
        found += [Asked(name, likeness, unlisted, target) for likeness, unlisted in seen]
    Meaning.support = support  # type: ignore[method-assign]
    return found


def fit(asked: Sequence[Asked]) -> Fit:
    """Both models, of rounded weights."""
    made = [(each.likeness, each.target) for each in asked if each.target is not None]
    texts, targets = np.array([likeness for likeness, _ in made]), np.array([target for _, target in made])
    own = texts[np.arange(len(targets)), targets]

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        alike = texts @ weights
        total = np.logaddexp.reduce(alike, axis=1)
        shares = np.exp(alike - total[:, None])
        slope = (shares[:, :, None] * texts).sum(axis=1) - own
        return float((total - own @ weights).sum() + L2 * weights @ weights / 2), slope.sum(axis=0) + L2 * weights

    rank = np.round(minimize(loss, np.zeros(texts.shape[2]), jac=True).x, 2)
    best = [(likest(each.likeness, rank, each.unlisted), each.target) for each in asked]
    seen, right = np.array([told for (_, told), _ in best]), [place == target for (place, _), target in best]
    mean, spread = seen.mean(axis=0), seen.std(axis=0)
    model = LogisticRegression(C=C, max_iter=2000).fit((seen - mean) / spread, right)
    same = model.coef_[0] / spread
    return Fit(rank, np.round(same, 2), round(float(model.intercept_[0] - mean @ same), 2))


if __name__ == "__main__":
    main()
