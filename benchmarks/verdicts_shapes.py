"""What values of two arms look like: shapes for simulations, with a true difference that is known.

Images come one to six an article or singly. Arms share how hard an article and an image is, and each has luck of its
own with both, so differences of one article go together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import gamma

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr, ndtri

Numbers = NDArray[np.float64]
Arms = Callable[[np.random.Generator, "Layout", int, Numbers], list[Numbers]]
CUTS = np.asarray([-1.4, -0.6, 0.2, 1.1])
"""Of the latent quality of a text, between ratings 1 to 5."""


@dataclass(frozen=True)
class Layout:
    """Sizes of the groups `(groups,)` and the group of each image `(n,)`."""

    sizes: NDArray[np.intp]
    group: NDArray[np.intp]

    def sums(self, values: Numbers) -> Numbers:
        """Over each group, `(groups, m)` of `(n, m)`."""
        starts = np.r_[0, self.sizes.cumsum()[:-1]]
        return np.add.reduceat(values, starts, axis=0)


@dataclass(frozen=True)
class Shape:
    """`arms(rng, layout, m, shifts)` gives a first arm and one more a row of shifts `(arms, m)`: values `(n, m)` each.

    `margins` are differences that equivalence is tested at; `reach` is the most that an image can differ by. Without
    `null` the arms are the same at a shift of 0, word for word.
    """

    arms: Arms
    clustered: bool
    right_or_wrong: bool
    margins: tuple[float, ...]
    reach: float
    null: bool = True


def layout(rng: np.random.Generator, n: int, clustered: bool) -> Layout:
    """n images, one to six an article where they are clustered, each number as likely."""
    if not clustered:
        return Layout(np.ones(n, dtype=np.intp), np.arange(n))
    sizes: list[int] = []
    while sum(sizes) < n:
        sizes.append(min(int(rng.integers(1, 7)), n - sum(sizes)))
    found = np.asarray(sizes, dtype=np.intp)
    return Layout(found, np.repeat(np.arange(len(found)), found))


def _latent(rng: np.random.Generator, where: Layout, m: int, arms: int, agree: float) -> list[Numbers]:
    """Standard normal qualities of each arm's texts, which correlate by `agree` between arms."""

    def nested(by_article: float) -> Numbers:
        article = rng.normal(size=(len(where.sizes), m))[where.group]
        return np.sqrt(by_article) * article + np.sqrt(1 - by_article) * rng.normal(size=(len(where.group), m))

    shared = nested(0.5)
    return [np.sqrt(agree) * shared + np.sqrt(1 - agree) * nested(0.4) for _ in range(arms)]


def _right(share: float, agree: float) -> Arms:
    def arms(rng: np.random.Generator, where: Layout, m: int, shifts: Numbers) -> list[Numbers]:
        wanted = [np.full(m, share), *np.clip(share + shifts, 1e-6, 1 - 1e-6)]
        found = _latent(rng, where, m, len(wanted), agree)
        return [(quality < ndtri(each)).astype(np.float64) for quality, each in zip(found, wanted, strict=True)]

    return arms


def _scores(rng: np.random.Generator, where: Layout, m: int, shifts: Numbers) -> list[Numbers]:
    """Like ROUGE: skewed, mean 0.17, and one in eight is 0."""
    found = []
    for quality in _latent(rng, where, m, 1 + len(shifts), 0.5):
        values = expit(0.95 * quality - 1.8)
        found.append(np.where(rng.random(values.shape) < 0.12, 0.0, values))
    return [found[0], *(values + shift for values, shift in zip(found[1:], shifts, strict=True))]


def _ratings(rng: np.random.Generator, where: Layout, m: int, shifts: Numbers) -> list[Numbers]:
    """1 to 5; the mean is moved by moving the latent quality."""
    moves = np.linspace(-4, 4, 801)
    means = ndtr(moves[:, None] - CUTS).sum(axis=1)
    latent = np.interp(np.vstack([np.zeros(m), shifts]) + ndtr(-CUTS).sum(), means, moves)
    found = _latent(rng, where, m, len(latent), 0.5)
    return [
        1.0 + (quality + move > CUTS[:, None, None]).sum(axis=0) for quality, move in zip(found, latent, strict=True)
    ]


def _rare(rng: np.random.Generator, where: Layout, m: int, shifts: Numbers) -> list[Numbers]:
    """The second changes one article in twenty, much, always upwards; the rest stays word for word."""
    (first,) = _scores(rng, where, m, np.zeros((0, m)))
    hit = (rng.random((len(where.sizes), m)) < 0.05)[where.group] & (rng.random(first.shape) < 0.8)
    gain = rng.lognormal(0, 0.5, first.shape) / (0.05 * 0.8 * np.exp(0.125))
    return [first, *(first + hit * gain * shift for shift in shifts)]


def _skewed(rng: np.random.Generator, where: Layout, m: int, shifts: Numbers) -> list[Numbers]:
    """Differences that are all above 0 with a long tail, skewness 4."""
    (first,) = _scores(rng, where, m, np.zeros((0, m)))
    return [first, *(first + rng.exponential(size=first.shape) ** 1.5 / gamma(2.5) * shift for shift in shifts)]


def _normal(rng: np.random.Generator, where: Layout, m: int, shifts: Numbers) -> list[Numbers]:
    found = [rng.normal(size=(len(where.group), m)) for _ in range(1 + len(shifts))]
    return [found[0], *(values + shift for values, shift in zip(found[1:], shifts, strict=True))]


SHAPES = {
    "right or wrong": Shape(_right(0.6, 0.7), False, True, (0.05, 0.1), 1.0),
    "right or wrong, 1-6 an article": Shape(_right(0.6, 0.7), True, True, (0.05, 0.1), 1.0),
    "rarely wrong, 1-6 an article": Shape(_right(0.93, 0.6), True, True, (0.04, 0.06), 1.0),
    "normal": Shape(_normal, False, False, (0.2, 0.4), 12.0),
    "scores like ROUGE, 1-6 an article": Shape(_scores, True, False, (0.02, 0.04), 1.1),
    "ratings 1-5": Shape(_ratings, False, False, (0.2, 0.4), 4.0),
    "ratings 1-5, 1-6 an article": Shape(_ratings, True, False, (0.2, 0.4), 4.0),
    "few images change, 1-6 an article": Shape(_rare, True, False, (0.02, 0.04), 40.0, null=False),
    "skewed differences": Shape(_skewed, False, False, (0.02, 0.04), 5.0, null=False),
}
