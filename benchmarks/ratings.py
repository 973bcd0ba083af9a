"""Do Bradley-Terry intervals cover, and does the store hold 50 raters at once?

Coverage: tournaments drawn from known strengths with ties, fitted by `evaluation.ratings.bradley_terry`: how many 95 %
intervals hold the truth, of strengths, of differences and of the tie parameter. Where images differ (`spread`), an
image's own preference for an arm is drawn once and shared by its raters; the truth is then what the model would say of
infinitely many images. Beside it what Wald intervals from the information alone would have covered, which take all
ratings for independent.

Store: `--raters` x `--items` answers from `--processes` processes, each rating twice submitted now and then.

python benchmarks/ratings.py --tournaments 2000
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from time import perf_counter
from typing import Any

import machine
import numpy as np

from evaluation.errors import RatingsError
from evaluation.ratings import bradley_terry
from evaluation.ratings.bradley_terry import Comparison, Strengths, fit
from evaluation.ratings.session import Session
from evaluation.ratings.store import Store, read_ratings
from evaluation.ratings.types import PREFERENCES, Answer, Arm, Item, Preferred, Task, Text

Z = 1.959964
LARGE = 400_000


@dataclass(frozen=True)
class Setting:
    """How tournaments are drawn: log-strengths, images, raters of each, tie parameter, spread of an image's effects."""

    strengths: tuple[float, ...]
    images: int
    raters: int
    tie: float
    spread: float


SETTINGS = (
    Setting((0.3, -0.3), 25, 1, -0.3, 0.0),
    Setting((0.3, -0.3), 50, 1, -0.3, 0.0),
    Setting((0.3, -0.3), 500, 1, -0.3, 0.0),
    Setting((0.3, -0.3), 100, 3, -0.3, 1.0),
    Setting((0.6, 0.0, -0.6), 60, 1, -0.7, 0.0),
    Setting((0.6, 0.0, -0.6), 200, 3, -0.3, 1.0),
    Setting((0.8, 0.4, 0.0, -0.4, -0.8), 100, 1, 0.0, 0.0),
    Setting((0.8, 0.4, 0.0, -0.4, -0.8), 100, 3, -0.7, 1.0),
    Setting((0.8, 0.4, 0.0, -0.4, -0.8), 500, 3, -0.7, 1.5),
)


def draw(setting: Setting, rng: np.random.Generator) -> list[Comparison]:
    """One tournament. Pairs take turns over the images, as `sampling.pairs` has them."""
    pairs = list(combinations(range(len(setting.strengths)), 2))
    found = []
    for image in range(setting.images):
        a, b = pairs[image % len(pairs)]
        odds = chances(setting, rng.normal(0, setting.spread, (1, 2)), a, b)[0]
        said = rng.choice(3, setting.raters, p=odds)
        found += [Comparison(f"arm {a}", f"arm {b}", PREFERENCES[outcome], image) for outcome in said]
    return found


def chances(setting: Setting, effects: np.ndarray, a: int, b: int) -> np.ndarray:
    """`(images, 3)`: first, second, tie."""
    first, second = setting.strengths[a] + effects[:, 0], setting.strengths[b] + effects[:, 1]
    odds = np.exp(np.stack([first, second, setting.tie + (first + second) / 2], axis=1))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def truth(setting: Setting) -> Strengths:
    """What the model says of infinitely many images: the fit to expected counts, here to a very large tournament."""
    if not setting.spread:
        named = {f"arm {n}": bradley_terry.Estimate(value) for n, value in enumerate(setting.strengths)}
        nothing = np.zeros((len(named), len(named)))
        return Strengths(named, {}, bradley_terry.Estimate(setting.tie), 0, 0, nothing, 1)
    rng = np.random.default_rng(1)
    pairs = list(combinations(range(len(setting.strengths)), 2))
    found: list[Comparison] = []
    each = 30_000
    for number, (a, b) in enumerate(pairs):
        odds = chances(setting, rng.normal(0, setting.spread, (LARGE, 2)), a, b).mean(axis=0)
        for outcome, share in zip(PREFERENCES, odds, strict=True):
            found += [Comparison(f"arm {a}", f"arm {b}", outcome, (number, outcome))] * round(each * share)
    return fit(found)


def coverage(setting: Setting, tournaments: int) -> dict[str, Any]:
    """Shares of intervals that hold the truth, over arms, over differences, and for the tie parameter."""
    real, rng = truth(setting), np.random.default_rng(0)
    arms, differences, ties, plain, refused = [], [], [], [], 0
    for _ in range(tournaments):
        drawn = draw(setting, rng)
        try:
            found = fit(drawn)
        except RatingsError:
            refused += 1
            continue
        arms += [holds(found.arms[name], real.arms[name].value) for name in real.arms]
        pairs = list(combinations(real.arms, 2))
        differences += [holds(found.difference(a, b), real.difference(a, b).value) for a, b in pairs]
        if found.tie and real.tie:
            ties.append(holds(found.tie, real.tie.value))
        plain += list(plain_wald(drawn, found, real))
    return {
        "setting": setting.__dict__,
        "tournaments": tournaments,
        "refused": refused,
        "strengths": round(float(np.mean(arms)), 4),
        "differences": round(float(np.mean(differences)), 4),
        "tie": round(float(np.mean(ties)), 4),
        "strengths, ratings taken for independent": round(float(np.mean(plain)), 4),
    }


def holds(interval: Any, value: float) -> bool:
    return bool(interval.low <= value <= interval.high)


def plain_wald(drawn: list[Comparison], found: Strengths, real: Strengths) -> Iterator[bool]:
    """Strengths by Wald from the inverse information alone: each rating a group of its own, and no sandwich."""
    model = bradley_terry._Model(list(found.arms), found.tie is not None)
    totals = np.zeros(len(model.design))
    for each in drawn:
        totals[model.place(each)[0]] += 1
    values = np.asarray([each.value for each in found.arms.values()])
    theta = model.contrast.T @ values
    theta = np.append(theta, found.tie.value) if found.tie else theta
    inverse = np.linalg.inv(model.information(theta, totals))
    inner = inverse[: len(values) - 1, : len(values) - 1]
    errors = np.sqrt(np.diag(model.contrast @ inner @ model.contrast.T))
    for name, value, error in zip(found.arms, values, errors, strict=True):
        yield bool(abs(value - real.arms[name].value) <= Z * error)


def store_trial(raters: int, items: int, processes: int) -> dict[str, Any]:
    """All answers at once; what is in the file afterwards, beside what was sent."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trial.sqlite"
        made = [
            Item(f"i{n}", f"r{n}", f"{n}.png", "", f"case {n}", "CT", (Text("a", f"{n} a"), Text("b", f"{n} b")))
            for n in range(items)
        ]
        Store.create(file, Task("trial", "pairwise", 0, (Arm("a", "1"), Arm("b", "2")), None, {}, {}), made)
        names = [f"rater {n}" for n in range(raters)]
        start = perf_counter()
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            sent = pool.starmap(work, [(file, name) for name in names], chunksize=1)
        seconds = perf_counter() - start
        found = read_ratings(file)
        kept = {rating.key: rating.answer.preferred for rating in found.ratings}
        with sqlite3.connect(file) as db:
            sound = db.execute("PRAGMA integrity_check").fetchone()[0]
        expected = {(name, item, 1): said for name, mine in zip(names, sent, strict=True) for item, said in mine}
        return {
            "raters": raters,
            "items": items,
            "processes": processes,
            "sent": len(expected),
            "kept": len(kept),
            "lost": len(expected.keys() - kept.keys()),
            "doubled": len(found.ratings) - len(kept),
            "changed": sum(kept[key] != said for key, said in expected.items() if key in kept),
            "seconds": round(seconds, 1),
            "answers_per_s": round(len(expected) / seconds),
            "integrity": sound,
        }


def work(file: Path, rater: str) -> list[tuple[str, Preferred]]:
    """One rater through all items; now and then an answer is sent twice."""
    rng, said = random.Random(rater), []
    with Store.open(file) as store:
        session = Session(store, rater)
        for given in store.plan(rater):
            answer = Answer(preferred=rng.choice(PREFERENCES))
            session.save(answer)
            if rng.random() < 0.1:
                session.back()
                session.save(answer)
            said.append((given.item, answer.preferred or "tie"))
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tournaments", type=int, default=2000)
    parser.add_argument("--raters", type=int, default=50)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--processes", type=int, default=8)
    given = parser.parse_args()
    trial = store_trial(given.raters, given.items, given.processes)
    print(trial)
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(coverage, [(setting, given.tournaments) for setting in SETTINGS], chunksize=1)
    for each in found:
        print(each)
    print(machine.save("ratings", {"store": trial, "coverage": found}))


if __name__ == "__main__":
    main()
