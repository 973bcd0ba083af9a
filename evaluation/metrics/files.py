"""Files of others' captions, read with every fault named by its line."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.errors import MetricError
from evaluation.metrics.measures import Asked
from rag.content import Content

BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")
_NAMES = {
    "id": ("id", "image_id"),
    "caption": ("caption", "text", "answer"),
    "concepts": ("concepts", "cui", "cuis"),
    "group": ("article", "case", "pmcid", "pmc"),
    "type": ("answer_type",),
}
"""Our name -> names that a column may have, in any case; the first that is there counts."""
_SPLITS = ("modality", "organ", "source")
_SHOWN = 20


@dataclass(frozen=True)
class Captions:
    """A file that was read: captions by id in its order, the other columns by id, and what is wrong, a line each."""

    path: Path
    texts: Mapping[str, str]
    more: Mapping[str, Mapping[str, str]]
    faults: tuple[str, ...] = ()


@dataclass
class _Reading:
    """What has been read of a file so far."""

    path: Path
    texts: dict[str, str] = field(default_factory=dict)
    more: dict[str, Mapping[str, str]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def fault(self, line: int, what: str) -> None:
        self.faults.append(f"{self.path.name}:{line}: {what}")

    def take(self, line: int, row: Mapping[str, Any]) -> None:
        """Adds a row, and what is wrong with it. An empty caption is kept as such."""
        id_, caption = _text(row.get("id")), _text(row.get("caption"))
        if id_ is None:
            self.fault(line, "no id")
        elif id_ in self.lines:
            self.fault(line, f"id {id_!r} for the second time; the first is in line {self.lines[id_]}")
        else:
            if caption is None:
                self.fault(line, f"id {id_!r} has an empty caption")
            self.lines[id_] = line
            self.texts[id_] = caption or ""
            self.more[id_] = {name: text for name, value in row.items() if (text := _text(value)) is not None}


def read_captions(path: Path) -> Captions:
    """A JSONL or CSV file with `id` and `caption` (or `answer`); ImageCLEF's `ID,Caption` too, with header or without.

    Raises MetricError where the file as a whole cannot be read: it is not there, empty, or not in UTF-8.
    """
    reading = _Reading(path)
    text = _decoded(path, reading)
    rows = _csv_rows(path, text, reading) if path.suffix.lower() == ".csv" else _json_rows(text, reading)
    for line, row in rows:
        reading.take(line, row)
    if not reading.texts and not reading.faults:
        raise MetricError(f"{path}: no captions in it")
    return Captions(path, reading.texts, reading.more, tuple(reading.faults))


def pairs(
    predictions: Captions, references: Captions, lenient: bool = False, content: str = "radiology"
) -> tuple[Asked, list[str], list[str]]:
    """The references in their order, the texts for them, and what is wrong, a line each.

    `content` names the word lists that texts are read by. Raises ConfigError where there are none of that name, and
    MetricError with what is wrong; not where it is `lenient`: then a caption that is missing or empty counts as an
    empty text, and a reference that is empty, or a caption that has none, is left out.
    """
    faults = [*references.faults, *predictions.faults]
    no_caption = [id_ for id_ in references.texts if id_ not in predictions.texts]
    no_reference = [id_ for id_ in predictions.texts if id_ not in references.texts]
    faults += [f"{predictions.path.name}: no caption for id {id_!r}" for id_ in no_caption]
    faults += [f"{references.path.name}: no reference for id {id_!r}" for id_ in no_reference]
    ids = [id_ for id_, text in references.texts.items() if text]
    if faults and (not lenient or not ids):
        raise MetricError(_told(predictions, references, faults))
    return (
        _asked(ids, predictions, references, Content.load(content)),
        [predictions.texts.get(id_, "") for id_ in ids],
        faults,
    )


def _asked(ids: Sequence[str], predictions: Captions, references: Captions, content: Content) -> Asked:
    """What the records of the references say beside their captions."""

    def column(captions: Captions, name: str) -> tuple[str | None, ...]:
        return tuple(captions.more.get(id_, {}).get(name) for id_ in ids)

    folder = references.path.parent
    splits = {name: values for name in _SPLITS if any(values := column(references, name))}
    return Asked(
        ids=tuple(ids),
        references=tuple(references.texts[id_] for id_ in ids),
        groups=tuple(group or f"id {id_}" for id_, group in zip(ids, column(references, "group"), strict=True)),
        images=tuple(str(folder / image) if image else None for image in column(references, "image")),
        concepts=tuple(_codes(text) for text in column(references, "concepts")),
        said_concepts=tuple(_codes(text) for text in column(predictions, "concepts")),
        truth=tuple(content.said(references.texts[id_]) for id_ in ids),
        content=content,
        types=tuple(kind.casefold() if kind else None for kind in column(references, "type")),
        splits=splits,
        nearest=column(predictions, "nearest_caption"),
    )


def _told(predictions: Captions, references: Captions, faults: Sequence[str]) -> str:
    """The faults, a line each; of many the first."""
    head = f"{len(faults)} faults in {predictions.path.name} and {references.path.name}; nothing is scored:"
    more = [f"... and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
    return "\n".join([head, *(f"  {fault}" for fault in faults[:_SHOWN]), *more])


def _decoded(path: Path, reading: _Reading) -> str:
    """The file's text. A UTF-8 BOM is a fault, which is named and passed over; another encoding ends it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MetricError(f"{path}: cannot be read: {error.strerror}") from error
    if data.startswith(_OTHER_BOMS):
        raise MetricError(f"{path}: it is UTF-16. Save it as UTF-8 without BOM")
    if data.startswith(BOM):
        reading.fault(1, "begins with a byte order mark (BOM). Save it as UTF-8 without BOM")
        data = data[len(BOM) :]
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise MetricError(
            f"{path.name}:{line}: byte {data[error.start]:#04x} is not UTF-8. Save the file as UTF-8 without BOM"
        ) from error


def _json_rows(text: str, reading: _Reading) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, row in enumerate(text.split("\n"), start=1):
        if not row.strip():
            continue
        try:
            value = json.loads(row)
        except ValueError as error:
            reading.fault(line, f"no JSON: {error}")
            continue
        if not isinstance(value, dict):
            reading.fault(line, "no JSON object")
            continue
        yield line, _named(value)


def _csv_rows(path: Path, text: str, reading: _Reading) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] | None = None
    before = 0
    try:
        for cells in reader:
            line, before = before + 1, reader.line_num
            if not cells:
                reading.fault(line, "blank line")
                continue
            if header is None:
                header = _header(path, cells)
                if header is cells:
                    continue
            if len(cells) != len(header):
                reading.fault(line, f"{len(cells)} cells instead of {len(header)}; quote a caption that has commas")
                continue
            yield line, _named(dict(zip(header, cells, strict=True)))
    except csv.Error as error:
        reading.fault(before + 1, f"no CSV: {error}")


def _header(path: Path, cells: list[str]) -> list[str]:
    """The first row itself where it names id and caption; `id, caption` where it is a row of two cells already."""
    if {"id", "caption"} <= set(_named(dict.fromkeys(cells, ""))):
        return cells
    if len(cells) == 2:
        return ["id", "caption"]
    raise MetricError(f"{path}: its header has no id and caption: {', '.join(cells)}")


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row under our names; columns that have none of ours keep their own, in lower case."""
    lower = {str(name).strip().casefold(): value for name, value in row.items()}
    for ours, theirs in _NAMES.items():
        there = next((name for name in theirs if name in lower), None)
        if there is not None:
            lower[ours] = lower.pop(there)
    return lower


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = ";".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text.strip() or None


def _codes(text: str | None) -> tuple[str, ...] | None:
    return tuple(part.strip() for part in text.split(";") if part.strip()) if text else None
