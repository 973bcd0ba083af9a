"""What every kind of input is made into before anything is asked of its images: records with fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from indexer.sources.rows import BadRow, Row

Note = Callable[[str], None]
"""Takes a line for people about what was left out or chosen."""

Rows = Callable[[frozenset[str], Note], Iterator[Row | BadRow]]
"""The records with these fields at least. A field that holds an image is an ImageRef, a path, or a list of paths."""


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
