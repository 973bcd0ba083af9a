"""What belongs together, and in which split it is.

A group is what is joined by the same article (or case), the same pixels, or pictures that are copies of each other. It
is on one side. Where it goes is drawn from the seed and the name of its first record's article (or image) alone, so
that records added behind the others move none of them, unless they join two groups.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from finetune.prepare.found import Found
from finetune.prepare.options import Options
from finetune.records import LEFT_OUT

TRAIN, DEV, TEST = "train", "dev", "test"
USUAL_SHARE = 0.1

_OURS = {"training": TRAIN, "valid": DEV, "val": DEV, "validation": DEV, "development": DEV, "testing": TEST}
_ORDER = {TRAIN: 0, DEV: 1, TEST: 2}


def split_name(given: str | None) -> str | None:
    """What a source's split is called here: `valid`, `val` and `validation` are dev, any other keeps its name, as far
    as it can name a file."""
    name = re.sub(r"[^\w-]+", "-", (given or "").strip())
    name = f"{name}_" if f"{name}.jsonl" == LEFT_OUT else name
    known = name.casefold()
    return _OURS.get(known, known if known in _ORDER else name) or None


def in_order(names: Iterable[str]) -> list[str]:
    """Names of splits: train, dev, test, then the others."""
    return sorted(names, key=lambda name: (_ORDER.get(name, len(_ORDER)), name))


class Groups:
    """Which things belong together, by name (union-find)."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, name: str) -> str:
        """The name that stands for the group of `name`."""
        root = name
        while (above := self._above.get(root, root)) != root:
            root = above
        while (above := self._above.get(name, name)) != root:
            self._above[name], name = root, above
        return root

    def join(self, first: str, second: str) -> None:
        """Puts both in one group, which is known by the name of the first's."""
        first, second = self.of(first), self.of(second)
        if first != second:
            self._above[second] = first


def keys_of(record: Found, pixels: Sequence[str]) -> list[str]:
    """What joins a record with others; the first is what its split is drawn by. `pixels` are those of its images; a
    record without images is joined with those of the same words."""
    keys = [f"article {record.article}"] if record.article else []
    keys += [f"pixels {each}" for each in pixels] if pixels else [f"text {_same(record.question)}"]
    return keys


def grouped(keys: Sequence[Sequence[str]], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Of each record its group, named by the first key of the group's first record. `pairs` are pixels that are
    copies."""
    groups = Groups()
    for first, *more in keys:
        for other in more:
            groups.join(first, other)
    for one, other in pairs:
        groups.join(f"pixels {one}", f"pixels {other}")
    names: dict[str, str] = {}
    return [names.setdefault(groups.of(own[0]), own[0]) for own in keys]


@dataclass(frozen=True)
class Shares:
    """What is drawn for dev and for test."""

    dev: float
    test: float

    def split(self, group: str, seed: int) -> str:
        """The split of a group."""
        place = drawn(group, seed)
        return TEST if place < self.test else DEV if place < self.test + self.dev else TRAIN


def drawn(name: str, seed: int) -> float:
    """A number in [0, 1) of a name and the seed."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:8], "big") / 2**64


def shares(given: set[str], options: Options) -> Shares:
    """What is drawn where the source has the splits `given`: what was asked for, and 0.1 for what it lacks (a test
    split only where it has none at all). A split that is given is not drawn."""
    dev = 0.0 if DEV in given else USUAL_SHARE if options.dev is None else options.dev
    test = 0.0 if TEST in given else (0.0 if given else USUAL_SHARE) if options.test is None else options.test
    return Shares(dev, test)


def assign(splits: Sequence[str | None], groups: Sequence[str], drawing: Shares, seed: int) -> list[str]:
    """The split of each record: the given one, else that of its group: the given one of others in it, else drawn.

    A group that is in train alone may be drawn out of it, where the source has no dev or no test.
    """
    there: dict[str, set[str]] = {}
    for split, group in zip(splits, groups, strict=True):
        there.setdefault(group, set()).update({split} if split else ())
    return [_one(split, there[group], group, drawing, seed) for split, group in zip(splits, groups, strict=True)]


def beside(splits: Sequence[str], groups: Sequence[str]) -> list[int | None]:
    """Of each train record the number of the first record of its group that is in another split, if any is."""
    first: dict[str, int] = {}
    for number, (split, group) in enumerate(zip(splits, groups, strict=True)):
        if split != TRAIN:
            first.setdefault(group, number)
    return [first.get(group) if split == TRAIN else None for split, group in zip(splits, groups, strict=True)]


def sample(records: Sequence[Found], most: int, seed: int) -> list[Found]:
    """About `most` records, whole articles (or images) drawn by seed, in their order; never more."""
    keys = [record.article or (str(record.images[0]) if record.images else record.id) for record in records]
    sizes: dict[str, int] = {}
    for key in keys:
        sizes[key] = sizes.get(key, 0) + 1
    taken: set[str] = set()
    room = most
    for key in sorted(sizes, key=lambda name: drawn(name, seed)):
        if sizes[key] <= room:
            taken.add(key)
            room -= sizes[key]
    return [record for record, key in zip(records, keys, strict=True) if key in taken]


def _same(text: str) -> str:
    return hashlib.sha256(" ".join(text.casefold().split()).encode()).hexdigest()[:16]


def _one(split: str | None, others: set[str], group: str, drawing: Shares, seed: int) -> str:
    elsewhere = others - {TRAIN}
    if split is not None and (split != TRAIN or elsewhere):
        return split
    return in_order(elsewhere)[-1] if elsewhere else drawing.split(group, seed)
