"""By which temperature the embedded model's answers to choose from mean what they say, and whether that carries over.

    python benchmarks/label_temperature.py --data ../shared/data --work .scratch/bench

Two kinds of questions it was not trained on: the yes/no questions of `vqa_rad` dev, and "white cell present" of crops
of `bccd` dev, each without evidence and with it. The temperature is the one of `GRID` with the least negative
log-likelihood over all questions (Guo et al. 2017); beside it stands the one where both kinds count alike, however many
questions they have. Since the same questions must not choose it and judge it, images are split in `FOLDS` parts: each
part is judged by the temperature that the others choose, the same parts of both kinds together. ECE is that of
`reliability.py`. `configs/models/pocket.yaml` has what all parts together choose.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import ROOT, save
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from benchmarks import reliability
from benchmarks.pocket_bench import Bench, requests
from benchmarks.pocket_conduct import WHITE_CELL, smear_crops, smear_index
from benchmarks.pocket_house import House, folder
from benchmarks.pocket_radiology import closed_dev, radiology_index
from benchmarks.pocket_words import YES_NO, normal
from vlm.config import load_model_config

Array = NDArray[np.float64]
GRID = tuple(round(1 + 0.1 * n, 1) for n in range(21))
FOLDS = 5
LABELS = ("Yes.", "No.")


@dataclass(frozen=True)
class Asked:
    """Log odds of a yes as the model gives them, what is true, and the image of each."""

    odds: Array
    yes: NDArray[np.bool_]
    images: Sequence[str]

    def at(self, rows: NDArray[np.intp]) -> Asked:
        """These rows alone."""
        return Asked(self.odds[rows], self.yes[rows], [self.images[row] for row in rows])

    def loss(self, temperature: float) -> float:
        """The mean negative log-likelihood, in nats."""
        return float(np.mean(np.logaddexp(0, np.where(self.yes, -self.odds, self.odds) / temperature)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=folder, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help="indexes and crops are kept here")
    args = parser.parse_args()
    bench = Bench(House(ROOT / "pocket" / "weights", args.work, None), args.data, None, ("dev",))
    kinds = asked(bench)
    chosen = choose(kinds.values())
    crossed = cross_fitted(kinds)
    rows = {
        name: {
            "questions": len(kind.yes),
            "nats": {str(t): round(kind.loss(t), 4) for t in GRID},
            "ece": {
                "1": told(kind, np.ones(len(kind.yes))),
                str(chosen): told(kind, np.full(len(kind.yes), chosen)),
                "of the other parts": told(kind, crossed.temperatures[name]),
            },
        }
        for name, kind in kinds.items()
    }
    result = {
        "models": bench.house.models, "chosen": chosen, "of each part": crossed.chosen,
        "chosen, kinds counting alike": choose(kinds.values(), alike=True), "rows": rows,
    }  # fmt: skip
    for name, row in rows.items():
        print(name, row["questions"], row["ece"], flush=True)
    print(f"chosen {chosen}, of each part {crossed.chosen}")
    print(save("label_temperature", result))


def asked(bench: Bench) -> dict[str, Asked]:
    """All four: two kinds, without evidence and with it."""
    crops = smear_crops(bench, "dev")
    closed = [question for question in closed_dev(bench) if normal(question.answer) in YES_NO]
    white = requests([crop.path for crop in crops], [WHITE_CELL] * len(crops))
    findings = requests([question.path for question in closed], [question.question for question in closed])
    by_now = load_model_config("pocket").label_temperature
    found: dict[str, Asked] = {}
    for name, index, several, yes, images in (
        ("white cell", smear_index(bench), white, [c.white for c in crops], [c.field for c in crops]),
        ("closed", radiology_index(bench), findings, [normal(q.answer) == "yes" for q in closed],
         [q.image for q in closed]),
    ):  # fmt: skip
        for way, evidence in (("without", None), ("with", index)):
            chances = np.asarray(bench.house.probabilities(evidence, several, LABELS))
            odds = by_now * np.log(chances[:, 0] / chances[:, 1])
            found[f"{name}, {way}"] = Asked(odds, np.asarray(yes, bool), images)
    return found


def choose(kinds: Iterable[Asked], alike: bool = False) -> float:
    """The temperature under which the answers are likeliest."""
    several = list(kinds)
    weights = None if alike else [len(kind.yes) for kind in several]
    return min(GRID, key=lambda t: float(np.average([kind.loss(t) for kind in several], weights=weights)))


@dataclass(frozen=True)
class CrossFitted:
    """The temperature that each part was judged by, and of each question of each kind."""

    chosen: list[float]
    temperatures: dict[str, Array]


def cross_fitted(kinds: Mapping[str, Asked]) -> CrossFitted:
    """Each part's questions with the temperature that the other parts choose."""
    parts = {name: list(GroupKFold(FOLDS).split(kind.odds, groups=kind.images)) for name, kind in kinds.items()}
    temperatures = {name: np.ones(len(kind.odds)) for name, kind in kinds.items()}
    chosen = []
    for fold in range(FOLDS):
        chosen.append(choose(kind.at(parts[name][fold][0]) for name, kind in kinds.items()))
        for name in kinds:
            temperatures[name][parts[name][fold][1]] = chosen[-1]
    return CrossFitted(chosen, temperatures)


def told(kind: Asked, temperatures: Array) -> dict[str, float]:
    """ECE of the likelier answer with its interval."""
    chance = 1 / (1 + np.exp(-kind.odds / temperatures))
    right = (chance >= 0.5) == kind.yes
    error, _ = reliability.calibration_error(list(np.maximum(chance, 1 - chance)), list(right), kind.images)
    return {"value": round(error.value, 4), "low": round(error.low, 4), "high": round(error.high, 4)}


if __name__ == "__main__":
    main()
