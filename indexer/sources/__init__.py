"""Where examples and passages come from. A new kind: a config model in `indexer/config/` and a line here."""

from __future__ import annotations

from indexer.config import FolderConfig, JsonlConfig, SourceConfig
from indexer.config.pubmed import PubmedBaselineConfig, PubmedConfig
from indexer.config.sets import MtsamplesConfig, Rocov2Config
from indexer.config.web import ArxivConfig, TavilyConfig, WikipediaConfig
from indexer.sources.arxiv_search import ArxivSource
from indexer.sources.context import SourceContext
from indexer.sources.folder import FolderSource
from indexer.sources.jsonl import JsonlSource
from indexer.sources.mtsamples import MtsamplesSource
from indexer.sources.pubmed import PubmedSource
from indexer.sources.pubmed_baseline import PubmedBaselineSource
from indexer.sources.rocov2 import Rocov2Source
from indexer.sources.tavily import TavilySource
from indexer.sources.wikipedia_pages import WikipediaSource
from indexer.types import Source

_ALONE = SourceContext()


def open_source(config: SourceConfig, context: SourceContext = _ALONE) -> Source:
    """The source a configuration describes.

    Raises SourceError where its caption template is malformed, ValueError where it holds texts and the context has no
    counter.
    """
    match config:
        case FolderConfig():
            return FolderSource(config)
        case JsonlConfig():
            return JsonlSource(config, context.chunker)
        case Rocov2Config():
            return Rocov2Source(config)
        case MtsamplesConfig():
            return MtsamplesSource(config, context.chunker)
        case ArxivConfig():
            return ArxivSource(config, context)
        case WikipediaConfig():
            return WikipediaSource(config, context)
        case TavilyConfig():
            return TavilySource(config, context)
        case PubmedConfig():
            return PubmedSource(config, context)
        case PubmedBaselineConfig():
            return PubmedBaselineSource(config, context.chunker)
