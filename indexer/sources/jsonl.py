"""A JSONL file of texts, cut into passages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from indexer.config import JsonlConfig
from indexer.sources.chunking import Chunker
from indexer.sources.documents import Document
from indexer.sources.passages import passages
from indexer.sources.rows import BadRow, Row
from indexer.sources.table import Table, text_of, year_of
from indexer.types import Passage, SourceFailure


class JsonlSource:
    """Passages in the order of the file; those of one text are `id#0`, `id#1`, ..."""

    def __init__(self, config: JsonlConfig, chunker: Chunker) -> None:
        self.name = config.name
        self._config = config
        self._chunker = chunker
        self._id = [config.fields.id] if isinstance(config.fields.id, str) else config.fields.id
        others = config.fields.model_dump(exclude={"id"}, exclude_none=True)
        wanted = {"fields.id" if name == self._id[0] else f"fields.id, {name}": name for name in self._id}
        wanted |= {f"fields.{key}": name for key, name in others.items()}
        self._table = Table(Path(config.path), wanted, config.where)

    def __len__(self) -> int:
        return sum(1 for _ in self._table.checked())

    def __iter__(self) -> Iterator[Passage | SourceFailure]:
        return passages(map(self._document, self._table), self.name, self._chunker)

    def _document(self, row: Row | BadRow) -> Document | SourceFailure:
        if isinstance(row, BadRow):
            return SourceFailure(self.name, row.place, row.reason)
        fields, values = self._config.fields, row.values
        parts = [part for name in self._id if (part := text_of(values, name)) is not None]
        identity = "/".join(parts) if len(parts) == len(self._id) else None
        text = text_of(values, fields.text)
        try:
            if identity is None or text is None:
                wanted = ", ".join(self._id) if identity is None else fields.text
                raise ValueError(f"{wanted} is missing")
            year = year_of(values, fields.year)
        except ValueError as error:
            return SourceFailure(self.name, identity or row.place, str(error))
        return Document(
            id=identity,
            text=text,
            title=text_of(values, fields.title),
            license=text_of(values, fields.license) or self._config.license,
            attribution=text_of(values, fields.attribution) or self._config.attribution,
            url=text_of(values, fields.url) or self._config.url,
            year=year,
            article=text_of(values, fields.article),
        )
