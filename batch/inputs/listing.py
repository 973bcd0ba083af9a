"""What every kind of input is made into before anything is asked of its images: records with fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from indexer.config.files import Where
from indexer.sources.rows import BadRow, Row
from indexer.sources.table import matches

SPLIT = "split"
"""The field that says of which split a record is, where files are named by it."""


@dataclass(frozen=True)
class Reading:
    """How an input is read this time: the `fields` that are needed, where lines for people go, which records pass."""

    fields: frozenset[str]
    note: Callable[[str], None]
    where: Where

    def splits(self, there: Iterable[str]) -> list[str]:
        """Those splits that have to be read: the ones that pass, or all where none does, so that this can be said."""
        names = list(there)
        allowed = self.where.get(SPLIT)
        return [name for name in names if allowed is None or matches(name, allowed)] or names


Rows = Callable[[Reading], Iterator[Row | BadRow]]
"""The records, each with the fields needed. One that holds an image is an ImageRef, a path, or a list of paths."""


@dataclass(frozen=True)
class Listing:
    """An input as records.

    `columns` are the fields that they have: what the file declares or, where it declares none (`declared` False), what
    its first record has. `root` is where relative paths of images start. Those of `images` hold an image themselves.
    `articles` gives, by id, the articles that another file names. Without a field for ids a record's id is its place
    where `placed`, else the path of its image.
    """

    path: Path
    columns: tuple[str, ...]
    rows: Rows
    root: Path
    declared: bool = True
    images: tuple[str, ...] = ()
    articles: Callable[[], Mapping[str, str]] = dict
    placed: bool = False
