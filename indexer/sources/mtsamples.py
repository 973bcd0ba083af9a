"""MTSamples: transcribed medical reports of many specialties, as a CSV or Parquet file; passages of an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from indexer.config.sets import MtsamplesConfig
from indexer.errors import SourceError
from indexer.sources.chunking import Chunker
from indexer.sources.documents import Document
from indexer.sources.passages import passages
from indexer.sources.rows import BadRow, Row, declared_columns, read_rows
from indexer.sources.table import text_of
from indexer.types import Passage, SourceFailure

COLUMNS = ("description", "medical_specialty", "sample_name", "transcription", "keywords")

_HEADING = re.compile(r":\s*(?:,\s*)+")
_PARAGRAPH = re.compile(r"(?<=[.!?)])\s*,(?=\s*[A-Z0-9])")


@dataclass(frozen=True)
class Transcription:
    """One report. `id` is the number of its record in the file, counted from 0; `text` has its paragraphs on lines."""

    id: str
    text: str
    name: str | None
    specialty: str | None
    description: str | None
    keywords: tuple[str, ...]


class MtsamplesSource:
    """Passages in the order of the file; those of record 7 are `7#0`, `7#1`, ..."""

    def __init__(self, config: MtsamplesConfig, chunker: Chunker) -> None:
        self.name = config.name
        self._config = config
        self._chunker = chunker

    def __len__(self) -> int:
        return sum(1 for _ in self._documents())

    def __iter__(self) -> Iterator[Passage | SourceFailure]:
        return passages(self._documents(), self.name, self._chunker)

    def _documents(self) -> Iterator[Document | SourceFailure]:
        config = self._config
        for item in read_transcriptions(config.path, self.name):
            if isinstance(item, SourceFailure):
                yield item
                continue
            title = ": ".join(part for part in (item.specialty, item.name) if part)
            yield Document(
                item.id, item.text, title or None, config.license, attribution=config.attribution, url=config.url
            )


def read_transcriptions(path: str | Path, source: str = "mtsamples") -> Iterator[Transcription | SourceFailure]:
    """The reports of a file, or of the one CSV or Parquet file in a folder; `source` names them in failures.

    Raises SourceError where there is no such file, or it lacks a column.
    """
    file = _find(Path(path))
    columns = declared_columns(file)
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        raise SourceError(f"{file}: no column {missing[0]!r}. Columns: {', '.join(columns)}")
    for number, row in enumerate(read_rows(file, frozenset(COLUMNS))):
        yield _transcription(str(number), row, source)


def _transcription(identity: str, row: Row | BadRow, source: str) -> Transcription | SourceFailure:
    if isinstance(row, BadRow):
        return SourceFailure(source, row.place, row.reason)
    values = row.values
    text = text_of(values, "transcription")
    if text is None:
        return SourceFailure(source, identity, "its transcription is missing")
    keywords = (text_of(values, "keywords") or "").split(",")
    return Transcription(
        id=identity,
        text=on_lines(text),
        name=text_of(values, "sample_name"),
        specialty=text_of(values, "medical_specialty"),
        description=text_of(values, "description"),
        keywords=tuple(dict.fromkeys(word for keyword in keywords if (word := keyword.strip()))),
    )


def on_lines(text: str) -> str:
    """The set's commas that stand where the reports had line breaks ("FINDINGS: , Clear.,PLAN: , None.") undone."""
    return _PARAGRAPH.sub("\n", _HEADING.sub(": ", text))


def _find(path: Path) -> Path:
    if path.is_file():
        return path
    inside = (*path.glob("*"), *path.glob("data/*"))
    files = sorted(file for file in inside if file.suffix.lower() in (".csv", ".parquet"))
    if len(files) != 1:
        found = f"has {len(files)}: name the one" if files else "has none. Fetch it: python cli.py data pull mtsamples"
        raise SourceError(f"{path}: wanted is a CSV or Parquet file of MTSamples, or a folder with one; it {found}")
    return files[0]
