"""Successive halving: which candidates are tried on how many images.

Karnin, Koren and Somekh, Almost optimal exploration in multi-armed bandits (ICML 2013); Jamieson and Talwalkar,
Non-stochastic best arm identification and hyperparameter optimization (AISTATS 2016). In each round every candidate
that is left is tried on more images, the same for all, and the worse ones go; what a candidate was tried on before
counts. Rounds grow by the factor by which candidates fall, so that each costs about the same and the last sees all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True)
class Round:
    """So many candidates are tried on the first so many images, and so many of them stay."""

    candidates: int
    images: int
    stay: int


def rounds(candidates: int, groups: Sequence[str], keep_one_in: int) -> list[Round]:
    """The rounds until one candidate is left. Images, whose groups these are in their order, end with a group."""
    falls = [candidates]
    while falls[-1] > 1:
        falls.append(ceil(falls[-1] / keep_one_in))
    count = len(falls) - 1
    return [
        Round(falls[n], _whole(ceil(len(groups) / keep_one_in ** (count - 1 - n)), groups), falls[n + 1])
        for n in range(count)
    ]


def stay(scores: Mapping[str, float], how_many: int) -> list[str]:
    """The best, in the order they were in; of equal ones the first, so that the start yields to nothing but better."""
    best = sorted(scores, key=lambda name: -scores[name])[:how_many]  # sorted keeps the order of equals
    return [name for name in scores if name in best]


def _whole(images: int, groups: Sequence[str]) -> int:
    while images < len(groups) and groups[images] == groups[images - 1]:
        images += 1
    return images
