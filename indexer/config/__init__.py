"""What an index is made of: the YAML of `configs/indexes/`, as types. A module for each sort of source.

Relative paths are relative to the folder the command is run in.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

import configs
from indexer.config.files import FolderConfig, JsonlConfig
from indexer.config.pubmed import PubmedBaselineConfig, PubmedConfig
from indexer.config.sets import MtsamplesConfig, Rocov2Config
from indexer.config.web import WebConfig

__all__ = ["FolderConfig", "IndexConfig", "JsonlConfig", "SourceConfig", "load_config"]

SourceConfig = Annotated[
    FolderConfig | JsonlConfig | Rocov2Config | MtsamplesConfig | WebConfig | PubmedConfig | PubmedBaselineConfig,
    Field(discriminator="kind"),
]


class IndexConfig(configs.StrictModel):
    """An index: where it goes, what it is made of, and what embeds it.

    `image_embedder` and `text_embedder` are names in `configs/embedders/` or paths of such files;
    `batch_size` is how many images are embedded and committed at a time, and four times as many passages; spaces of
    more than `exact_up_to` vectors are searched through lists of them (IVF) instead of one by one. With
    `passages_by_image` passages are embedded by the image embedder as well, so that an image finds them directly.
    """

    out: str
    sources: list[SourceConfig] = Field(min_length=1)
    image_embedder: str = "pocket-clip"
    text_embedder: str = "minilm"
    batch_size: int = Field(default=32, ge=1, le=4096)
    exact_up_to: int = Field(default=250_000, ge=0)
    passages_by_image: bool = False


def load_config(name: str) -> IndexConfig:
    """The index configuration of that name in `configs/indexes/`, or in the file of that path.

    Raises configs.ConfigError, which names the key and the near one.
    """
    return configs.load(IndexConfig, configs.find("indexes", name))
