"""The data sets that a source reads in a layout of their own: the configuration of each kind."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator

import configs


class Rocov2Config(configs.StrictModel):
    """ROCOv2, as a folder of the archive's files (its zips may stay packed) or of the hub's Parquet files.

    `splits` are read in the order they are named.
    """

    holds: ClassVar[Literal["images"]] = "images"

    kind: Literal["rocov2"]
    path: str
    splits: list[Literal["train", "valid", "test"]] = Field(default=["train", "valid", "test"], min_length=1)
    source: str | None = None

    @field_validator("splits")
    @classmethod
    def _each_once(cls, splits: list[str]) -> list[str]:
        if len(set(splits)) < len(splits):
            raise ValueError("name each split once")
        return splits

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source or "rocov2"


class MtsamplesConfig(configs.StrictModel):
    """The MTSamples reports, as their CSV or Parquet file or a folder with it, cut into passages.

    `license` is what the compiler of the file says; whoever serves the file may say nothing.
    """

    holds: ClassVar[Literal["passages"]] = "passages"

    kind: Literal["mtsamples"]
    path: str
    source: str | None = None
    license: str | None = "CC0 1.0"
    attribution: str | None = "MTSamples, compiled by Tara Boyle"
    url: str | None = "https://mtsamples.com"

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source or "mtsamples"
