"""Sources that are files of one's own: images with a record file, texts."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

import configs

Scalar = str | int | float | bool
Where = dict[str, Scalar | list[Scalar]]
"""Field name to the value a record must have there, or to a list of which it must have one."""


class FolderFields(configs.StrictModel):
    """Which field of a record holds what, for images with captions."""

    id: str = "id"
    image: str = "image"
    caption: str | None = None
    article: str | None = None
    license: str | None = None
    attribution: str | None = None
    url: str | None = None
    concepts: str | None = None
    modality: str | None = None
    year: str | None = None


class JsonlFields(configs.StrictModel):
    """Which field of a record holds what, for texts. Several for `id` where only together they name one record."""

    id: str | list[str] = Field(default="id", min_length=1)
    text: str = "text"
    title: str | None = None
    article: str | None = None
    license: str | None = None
    attribution: str | None = None
    url: str | None = None
    year: str | None = None


class FolderConfig(configs.StrictModel):
    """A folder of images with a record file (JSONL, CSV or Parquet) beside them.

    `license`, `attribution` and `url` hold for every record that has none of its own.
    """

    holds: ClassVar[Literal["images", "passages"]] = "images"

    kind: Literal["folder"]
    path: str
    records: str = "records.jsonl"
    fields: FolderFields = FolderFields()
    caption_template: str | None = None
    where: Where = Field(default_factory=dict)
    source: str | None = None
    license: str | None = None
    attribution: str | None = None
    url: str | None = None

    @model_validator(mode="after")
    def _one_caption(self) -> FolderConfig:
        if (self.fields.caption is None) == (self.caption_template is None):
            raise ValueError("name the caption's field in fields.caption, or write a caption_template (one of the two)")
        return self

    @property
    def name(self) -> str:
        """The source's name: `source`, or the folder's."""
        return self.source or Path(self.path).resolve().name


class JsonlConfig(configs.StrictModel):
    """A JSONL file of texts, cut into passages.

    `license`, `attribution` and `url` hold for every record that has none of its own.
    """

    holds: ClassVar[Literal["images", "passages"]] = "passages"

    kind: Literal["jsonl"]
    path: str
    fields: JsonlFields = JsonlFields()
    where: Where = Field(default_factory=dict)
    source: str | None = None
    license: str | None = None
    attribution: str | None = None
    url: str | None = None

    @property
    def name(self) -> str:
        """The source's name: `source`, or the file's without its ending."""
        return self.source or Path(self.path).stem
