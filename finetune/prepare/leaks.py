"""What two splits share that they should not: an article, a picture, a copy of it, a question about one image."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from finetune.prepare.found import Found
from finetune.prepare.splits import in_order

EXAMPLES = 5
KINDS = ("same article", "same image", "copy of an image", "same question about the same image")


@dataclass(frozen=True, slots=True)
class Placed:
    """A record with what its images are called here, the hashes of their pixels, its group and its split."""

    record: Found
    files: tuple[str, ...]
    pixels: tuple[str, ...]
    group: str
    split: str


@dataclass(frozen=True)
class Leak:
    """So many `records` of the first split share something with the second; `examples` are pairs of ids."""

    kind: str
    splits: tuple[str, str]
    records: int
    examples: tuple[tuple[str, str], ...]


def leaks_of(placed: Sequence[Placed], pairs: Iterable[tuple[str, str]]) -> list[Leak]:
    """What is shared between splits, of each kind and each two splits. `pairs` are pixels that are copies."""
    by_kind: dict[str, dict[str, dict[str, list[str]]]] = {kind: {} for kind in KINDS}

    def add(kind: str, key: str, one: Placed) -> None:
        by_kind[kind].setdefault(key, {}).setdefault(one.split, []).append(one.record.id)

    for one in placed:
        if one.record.article:
            add("same article", one.record.article, one)
        for pixels in one.pixels:
            add("same image", pixels, one)
        if one.record.question:
            key = " ".join((*one.pixels, one.record.question.casefold()))
            add("same question about the same image", key, one)
    images = by_kind["same image"]
    copies = {f"{a} {b}": _merged(images.get(a, {}), images.get(b, {})) for a, b in pairs}
    by_kind["copy of an image"] = copies
    return [leak for kind, keyed in by_kind.items() for leak in _between(kind, keyed.values())]


def _merged(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {split: [*one.get(split, []), *other.get(split, [])] for split in {*one, *other}}


def _between(kind: str, keyed: Iterable[Mapping[str, Sequence[str]]]) -> list[Leak]:
    ids: dict[tuple[str, str], set[str]] = {}
    examples: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for splits in keyed:
        for first, second in combinations(in_order(splits), 2):
            ids.setdefault((first, second), set()).update(splits[first])
            shown = examples.setdefault((first, second), [])
            if len(shown) < EXAMPLES:
                shown.append((splits[first][0], splits[second][0]))
    return [Leak(kind, both, len(found), tuple(examples[both])) for both, found in ids.items()]
