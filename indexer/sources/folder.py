"""Images in a folder, with a record file beside them that says what each shows."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from indexer.config import FolderConfig
from indexer.errors import SourceError
from indexer.images import FileImage
from indexer.sources.rows import BadRow, Row
from indexer.sources.table import Table, text_of, year_of
from indexer.types import Example, SourceFailure, SourceImage


class FolderSource:
    """Captioned images, in the order of the record file. Decodes nothing."""

    def __init__(self, config: FolderConfig) -> None:
        self.name = config.name
        self._config = config
        self._root = Path(config.path)
        self._template_fields = _template_fields(config)
        wanted = {f"fields.{key}": name for key, name in config.fields.model_dump().items() if name is not None}
        wanted |= {f"caption_template {{{name}}}": name for name in self._template_fields}
        self._table = Table(self._root / config.records, wanted, config.where)

    def __len__(self) -> int:
        if not self._root.is_dir():
            raise SourceError(f"{self._root}: no such folder (source {self.name!r}); relative to {Path.cwd()}")
        count = 0
        folders: dict[Path, None] = {}
        for row in self._table.checked():
            count += 1
            image = text_of(row.values, self._config.fields.image) if isinstance(row, Row) else None
            if image is not None:
                folders[(self._root / image).parent] = None
        if folders and not any(folder.is_dir() for folder in folders):
            raise SourceError(f"{self._table.path}: its images are in {next(iter(folders))}, which does not exist")
        return count

    def __iter__(self) -> Iterator[SourceImage | SourceFailure]:
        for row in self._table:
            yield self._record(row)

    def _record(self, row: Row | BadRow) -> SourceImage | SourceFailure:
        if isinstance(row, BadRow):
            return SourceFailure(self.name, row.place, row.reason)
        fields, values = self._config.fields, row.values
        identity = text_of(values, fields.id)
        image = text_of(values, fields.image)
        try:
            if identity is None or image is None:
                raise ValueError(f"{fields.id if identity is None else fields.image} is missing")
            example = Example(
                id=identity,
                caption=self._caption(values),
                source=self.name,
                article=text_of(values, fields.article),
                license=text_of(values, fields.license) or self._config.license,
                attribution=text_of(values, fields.attribution) or self._config.attribution,
                url=text_of(values, fields.url) or self._config.url,
                concepts=_concepts(values, fields.concepts),
                modality=text_of(values, fields.modality),
                year=year_of(values, fields.year),
            )
        except ValueError as error:
            return SourceFailure(self.name, identity or row.place, str(error))
        return SourceImage(example, FileImage(str(self._root / image)))

    def _caption(self, values: Mapping[str, Any]) -> str:
        template = self._config.caption_template
        if template is None:
            caption = text_of(values, self._config.fields.caption)
            if caption is None:
                raise ValueError(f"{self._config.fields.caption} is missing")
            return caption
        for name in self._template_fields:
            if text_of(values, name) is None:
                raise ValueError(f"caption_template asks for {{{name}}}, which is missing")
        try:
            return template.format_map(values).strip()
        except (ValueError, TypeError) as error:
            raise ValueError(f"caption_template cannot be filled: {error}") from error


def _template_fields(config: FolderConfig) -> list[str]:
    """The record fields a caption template names. Raises SourceError where it is no plain template."""
    template = config.caption_template
    if template is None:
        return []
    try:
        names = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise SourceError(f"source {config.name!r}: caption_template: {error}") from error
    for name in names:
        if not name.isidentifier():
            raise SourceError(f"source {config.name!r}: caption_template: {{{name}}} must be a field's plain name")
    return names


def _concepts(values: Mapping[str, Any], name: str | None) -> tuple[str, ...]:
    """Concepts as a list in the record, or as text with `;` between them."""
    value = values.get(name) if name is not None else None
    if value is None:
        return ()
    parts = value if isinstance(value, list | tuple) else str(value).split(";")
    return tuple(text for part in parts if (text := str(part).strip()))
