"""What limits closed questions: how far the words of a question carry, and whether an image adds to them.

    python benchmarks/pocket_closed.py --data ../shared/data --work .scratch/bench

Yes/no questions of `vqa_rad`. Learned from ever more train images (the mean of draws, whole images at a time):

- `words`: kernel ridge regression on tf-idf of words and pairs of words (`pocket.question_prior`'s kernel).
- `words and image`: the same kernel times (1 + the Gaussian kernel of the pocket encoder's vectors of the images), so
  that an answer may hold for like images alone. The kernel's width is chosen by cross-validation over train images.
- `words and body part`: the same kernel, twice as strong within a body part as across; a shuffled image brings its own.
  An image that tells its body part for certain, and nothing else, could add this much.

Printed are accuracy on dev, and what is lost there when images are shuffled (mean of 20 shufflings).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from machine import ROOT, save
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupKFold

from benchmarks import pocket_sets, pocket_words
from benchmarks.pocket_house import House, folder
from pocket import scenes
from pocket.question_prior import FOLDS, STRENGTH

Array = NDArray[np.float64]
IMAGES, DRAWS, SHUFFLES = (25, 50, 100, 196), 5, 20
WIDTHS = (1.0, 3.0, 8.0)


@dataclass(frozen=True)
class Asked:
    """Questions: their texts, their images' names, body parts, vectors `(n, dim)`, answers, 1 for yes and -1 for no."""

    texts: list[str]
    images: list[str]
    organs: list[str]
    vectors: Array
    answers: Array

    def at(self, rows: Sequence[int]) -> Asked:
        texts, images, organs = ([names[n] for n in rows] for names in (self.texts, self.images, self.organs))
        return Asked(texts, images, organs, self.vectors[list(rows)], self.answers[list(rows)])

    def shuffled(self, seed: int) -> Asked:
        """The same questions, each image's asked of another image."""
        names = sorted(set(self.images))
        swap = pocket_sets.derangement(names, seed)
        first = {name: self.images.index(name) for name in names}
        other = [first[swap[name]] for name in self.images]
        return Asked(self.texts, self.images, [self.organs[n] for n in other], self.vectors[other], self.answers)


Answer = Callable[[Asked, Asked], Array]
"""From what is known, what is said of what is asked `(n,)`: above 0 is yes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=folder, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help="vectors are kept here")
    args = parser.parse_args()
    house = House(ROOT / "pocket" / "weights", args.work, None)
    train, dev = (read(house, args.data, split) for split in ("train", "dev"))
    ways: dict[str, Answer] = {
        "words": answered, "words and image": partial(answered, width=best_width(train)),
        "words and body part": partial(answered, parts=True),
    }  # fmt: skip
    rows = []
    for images in IMAGES:
        names = sorted(set(train.images))
        several = 1 if images >= len(names) else DRAWS
        for way, answer in ways.items():
            found = [one(train, dev, names, images, draw, answer) for draw in range(several)]
            right, lost = np.mean(found, axis=0)
            rows.append({"images": images, "way": way, "dev": round(float(right), 3), "lost": round(float(lost), 3)})
            print(rows[-1], flush=True)
    said = [1.0 if answer > 0 else -1.0 for answer in dev.answers]
    majority = float(np.mean(np.asarray(said) == np.sign(train.answers.mean())))
    print(save("pocket_closed", {"questions": {"train": len(train.texts), "dev": len(dev.texts)},
                                 "majority": round(majority, 3), "rows": rows}))  # fmt: skip


def read(house: House, data: Path, split: str) -> Asked:
    asked = [q for q in pocket_sets.closed_questions(data, split) if pocket_words.normal(q.answer) in ("yes", "no")]
    paths = sorted({q.path for q in asked})
    organs = {scene.path.stem: scene.facts.organ or "" for scene in scenes.radiology(data, split)}
    of = dict(zip(paths, np.asarray(house.vectors(paths), np.float64), strict=True))
    return Asked(
        [q.question for q in asked], [q.image for q in asked], [organs[q.image] for q in asked],
        np.stack([of[q.path] for q in asked]),
        np.asarray([1.0 if pocket_words.normal(q.answer) == "yes" else -1.0 for q in asked]),
    )  # fmt: skip


def one(train: Asked, dev: Asked, names: Sequence[str], images: int, draw: int, answer: Answer) -> tuple[float, float]:
    """Accuracy on dev, and what shuffling its images costs, learned from some of the train images."""
    chosen = set(np.random.default_rng(draw).permutation(names)[:images].tolist())
    known = train.at([n for n, name in enumerate(train.images) if name in chosen])
    right = accuracy(answer(known, dev), dev)
    others = [accuracy(answer(known, dev.shuffled(seed)), dev) for seed in range(SHUFFLES)]
    return right, right - float(np.mean(others))


def best_width(train: Asked) -> float:
    """The image kernel's width with the least squared error on held-out images."""

    def error(width: float) -> float:
        found = np.zeros(len(train.texts))
        for known, asked in GroupKFold(FOLDS).split(train.texts, groups=train.images):
            found[asked] = answered(train.at(known.tolist()), train.at(asked.tolist()), width)
        return float(((found - train.answers) ** 2).mean())

    return min(WIDTHS, key=error)


def answered(known: Asked, asked: Asked, width: float | None = None, parts: bool = False) -> Array:
    """What kernel ridge regression says `(n,)`: above 0 is yes."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(known.texts)
    left, right = words.transform(asked.texts), words.transform(known.texts)
    own, cross = (right @ right.T).toarray(), (left @ right.T).toarray()
    if width is not None:
        mean = known.vectors.mean(axis=0)
        a, b = (unit(part.vectors - mean) for part in (asked, known))
        own = own * (1 + np.exp(-width * (2 - 2 * b @ b.T))) / 2
        cross = cross * (1 + np.exp(-width * (2 - 2 * a @ b.T))) / 2
    if parts:
        a, b = (np.asarray(part.organs) for part in (asked, known))
        own, cross = own * (1 + (b[:, None] == b)), cross * (1 + (a[:, None] == b))
    mean_answer = known.answers.mean()
    weights = np.linalg.solve(own + STRENGTH * np.eye(len(own)), known.answers - mean_answer)
    return np.asarray(cross @ weights + mean_answer)


def unit(vectors: Array) -> Array:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def accuracy(said: Array, asked: Asked) -> float:
    return float(np.mean((said > 0) == (asked.answers > 0)))


if __name__ == "__main__":
    main()
