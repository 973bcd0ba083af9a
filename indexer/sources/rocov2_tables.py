"""The tables of ROCOv2 that both of its releases share: what a CUI is called, and whose each figure is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.errors import SourceError
from indexer.images import ImageRef
from indexer.sources.rows import BadRow, Row, declared_columns, read_rows

NAMES = "cui_mapping.csv"
LICENSES = "license_information.csv"

SET_LICENSE = "CC BY-NC-SA 4.0"
"""Of the set as a whole; what an image is under whose own article's licence is not known."""

MODALITIES = {
    "C0040405": "CT",
    "C0024485": "MR",
    "C0041618": "ultrasound",
    "C1306645": "X-ray",
    "C0002978": "angiography",
    "C0032743": "PET",
    "C1699633": "PET/CT",
}
"""The seven modalities that are among the set's manual concepts, in this program's words."""

_CUI = re.compile(r"C[0-9]{7}")
_LICENSE = re.compile(r"\s*(CC[ -]BY(?:-NC)?(?:-SA|-ND)?(?:[ -][0-9]\.[0-9])?)(?![\w-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a figure comes from: its article, the article's licence, who is to be named, and a link."""

    article: str | None
    license: str
    attribution: str | None
    url: str | None


@dataclass(frozen=True)
class Captioned:
    """An image of either release with what is said of it; `id` and `caption` are empty where the release has none.

    `lack` says why there is no caption, where that is more than an empty cell.
    """

    id: str
    caption: str
    cuis: list[str]
    image: ImageRef
    lack: str = ""


UNKNOWN = Origin(None, SET_LICENSE, None, None)


def read_table(path: Path, *columns: str) -> Iterator[tuple[str, ...] | BadRow]:
    """The cells of a CSV's columns, empty ones as "", without the space around them; so are the header's names.

    A row without its first cell is a BadRow. Raises SourceError where a column is missing or the file unreadable.
    """
    there = {name.strip().casefold(): name for name in declared_columns(path)} if path.is_file() else {}
    for column in columns:
        if there and column.casefold() not in there:
            raise SourceError(f"{path}: no column {column!r}. Columns: {', '.join(there.values())}")
    names = [there.get(column.casefold(), column) for column in columns]
    for row in read_rows(path, frozenset()):
        if isinstance(row, Row):
            cells = tuple([str(row.values[name] or "").strip() for name in names])
            yield cells if cells[0] else BadRow(row.place, f"{columns[0]} is missing")
        else:
            yield row


def read_pairs(path: Path, key: str, value: str) -> dict[str, str]:
    """Two columns of a CSV as a mapping; rows that cannot be used are left out."""
    return {row[0]: row[1] for row in read_table(path, key, value) if not isinstance(row, BadRow)}


def read_origins(root: Path) -> dict[str, Origin]:
    """By image id, where each figure comes from; empty where the table is not there."""
    path = root / LICENSES
    if not path.is_file():
        return {}
    rows = read_table(path, "ID", "PMCID", "Attribution", "Link")
    return {
        row[0]: Origin(row[1] or None, _license(row[2]), row[2] or None, row[3] or None)
        for row in rows
        if not isinstance(row, BadRow)
    }


def read_articles(root: Path) -> dict[str, str]:
    """By image id, the article of each figure that has one; empty where the table is not there."""
    path = root / LICENSES
    found = read_pairs(path, "ID", "PMCID") if path.is_file() else {}
    return {id_: article for id_, article in found.items() if article}


def read_names(root: Path) -> dict[str, str]:
    """What each CUI is called; empty where the table is not there."""
    path = root / NAMES
    return read_pairs(path, "CUI", "Canonical name") if path.is_file() else {}


def cuis_of(cells: Iterable[str]) -> list[str]:
    """The CUIs in the cells, `;` between them, each once. What is none ("nan" in the hub's release) is left out."""
    parts = (part.strip() for cell in cells for part in cell.split(";"))
    return list(dict.fromkeys(part for part in parts if _CUI.fullmatch(part)))


def concepts_of(cuis: Iterable[str], names: dict[str, str]) -> tuple[str, ...]:
    """Each CUI after its name, as "Plain x-ray (C1306645)"; alone where it has none."""
    return tuple(f"{names[cui]} ({cui})" if cui in names else cui for cui in cuis)


def modality_of(cuis: Iterable[str]) -> str | None:
    """The first modality among the CUIs."""
    return next((MODALITIES[cui] for cui in cuis if cui in MODALITIES), None)


def _license(attribution: str) -> str:
    """The licence that an attribution begins with, as in "CC BY-NC [Rückert et al. (2022)]"; else the set's."""
    found = _LICENSE.match(attribution)
    return found[1].upper().replace("CC-BY", "CC BY") if found else SET_LICENSE
