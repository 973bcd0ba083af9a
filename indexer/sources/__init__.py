"""Where examples and passages come from. A new kind: a config model in `indexer/config/` and a line here."""

from __future__ import annotations

from indexer.config import FolderConfig, JsonlConfig, SourceConfig
from indexer.config.pubmed import PubmedBaselineConfig, PubmedConfig
from indexer.config.sets import MtsamplesConfig, Rocov2Config
from indexer.config.web import ArxivConfig, TavilyConfig, WikipediaConfig
from indexer.sources.arxiv_search import ArxivSource
from indexer.sources.folder import FolderSource
from indexer.sources.jsonl import JsonlSource
from indexer.sources.mtsamples import MtsamplesSource
from indexer.sources.pubmed import PubmedSource
from indexer.sources.pubmed_baseline import PubmedBaselineSource
from indexer.sources.rocov2 import Rocov2Source
from indexer.sources.tavily import TavilySource
from indexer.sources.wikipedia_pages import WikipediaSource
from indexer.types import Source


def open_source(config: SourceConfig) -> Source:
    """The source a configuration describes. Raises SourceError where its caption template is malformed."""
    match config:
        case FolderConfig():
            return FolderSource(config)
        case JsonlConfig():
            return JsonlSource(config)
        case Rocov2Config():
            return Rocov2Source(config)
        case MtsamplesConfig():
            return MtsamplesSource(config)
        case ArxivConfig():
            return ArxivSource(config)
        case WikipediaConfig():
            return WikipediaSource(config)
        case TavilyConfig():
            return TavilySource(config)
        case PubmedConfig():
            return PubmedSource(config)
        case PubmedBaselineConfig():
            return PubmedBaselineSource(config)
