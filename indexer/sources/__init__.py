"""Where examples and passages come from. A new kind: a config model in `indexer/config.py` and a line here."""

from __future__ import annotations

from indexer.config import FolderConfig, JsonlConfig, SourceConfig
from indexer.sources.folder import FolderSource
from indexer.sources.jsonl import JsonlSource
from indexer.types import Source


def open_source(config: SourceConfig) -> Source:
    """The source a configuration describes. Raises SourceError where its caption template is malformed."""
    match config:
        case FolderConfig():
            return FolderSource(config)
        case JsonlConfig():
            return JsonlSource(config)
