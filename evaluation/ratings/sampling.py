"""Which images are rated, in which pairs, and in which order each rater sees them. All of it follows from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeVar

from evaluation.ratings.types import Assignment, Item, Kind

Thing = TypeVar("Thing")
FIRST_UNTIL, SECOND_FROM = 0.4, 0.6
"""A repeated item is shown in the first 40 % of a rater's items and again in the last 40 %."""


def allocate(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """How many of `total` fall to each stratum: in proportion, by largest remainder, at least one where there is room.

    No stratum gets more than it has, so that fewer than `total` come out where there are no more.
    """
    everything = sum(sizes.values())
    total = min(total, everything)
    least = 1 if total >= len(sizes) else 0
    share = {name: total * size / everything for name, size in sizes.items()}
    given = {name: min(sizes[name], max(least, int(share[name]))) for name in sizes}
    while (spare := total - sum(given.values())) != 0:
        step = 1 if spare > 0 else -1
        open_ = [name for name in sizes if (given[name] < sizes[name] if step > 0 else given[name] > least)]
        owed = max(open_, key=lambda name: (step * (share[name] - given[name]), name))
        given[owed] += step
    return given


def stratified(things: Sequence[Thing], strata: Sequence[str], total: int, rng: random.Random) -> list[Thing]:
    """A sample without replacement, of each stratum its share, in random order."""
    members: dict[str, list[Thing]] = {}
    for thing, stratum in zip(things, strata, strict=True):
        members.setdefault(stratum, []).append(thing)
    given = allocate({name: len(mine) for name, mine in members.items()}, total)
    chosen = [thing for name in sorted(members) for thing in rng.sample(members[name], given[name])]
    rng.shuffle(chosen)
    return chosen


def pairs(texts: Sequence[Mapping[str, str]], total: int) -> Iterator[tuple[int, str, str]]:
    """`(image, arm, arm)` for at most `total` items from texts by arm, an image at a time.

    Every image has one pair before any has two, and the pairs of arms take turns, so that each is seen as often.
    A pair of equal texts is passed over: there is nothing to prefer.
    """
    left = total
    couples = list(combinations(texts[0], 2)) if texts else []
    for turn in range(len(couples)):
        for image, said in enumerate(texts):
            one, other = couples[(image + turn) % len(couples)]
            if left and said[one] != said[other]:
                left -= 1
                yield image, one, other


def plan(
    items: Sequence[Item], rater: str, seed: int, kind: Kind, seen: Mapping[str, int], per_rater: int | None
) -> list[Assignment]:
    """The order in which a rater sees items; of pairs, which text is A. Another rater has another order.

    With `per_rater`, so many of the items, those that the fewest raters have been given (`seen`) first. Gold items are
    all shown, and repeated ones of those chosen a second time, far from the first.
    """
    rng = random.Random(f"{seed}/{rater}")
    drawn = [(seen.get(item.id, 0), rng.random(), item) for item in items if item.gold is None]
    drawn.sort(key=lambda each: each[:2])
    chosen = [item for *_, item in drawn[:per_rater]] + [item for item in items if item.gold is not None]
    places: list[tuple[float, Item, int]] = []
    for item in chosen:
        if item.repeated:
            places += [(rng.uniform(0, FIRST_UNTIL), item, 1), (rng.uniform(SECOND_FROM, 1), item, 2)]
        else:
            places.append((rng.random(), item, 1))
    places.sort(key=lambda each: each[0])
    return [
        Assignment(position, item.id, occasion, kind == "pairwise" and rng.random() < 0.5)
        for position, (_, item, occasion) in enumerate(places)
    ]
