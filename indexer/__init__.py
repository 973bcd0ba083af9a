"""What is known: sources -> records -> vectors -> an index on disk, and its search.

Importing this package imports neither torch nor FAISS nor any model library; using it does, when it must.
"""

from indexer.build import add_to_index, build_index
from indexer.change import CompactReport, RemoveReport, compact_index, remove_from_index
from indexer.config import FolderConfig, IndexConfig, JsonlConfig, load_config
from indexer.embedders import load_embedder
from indexer.errors import (
    EmbedderMismatchError,
    EmbedderUnavailableError,
    EmbedderUnsuitableError,
    IndexBusyError,
    IndexCorruptError,
    IndexerError,
    IndexIncompleteError,
    IndexNotFoundError,
    NothingIndexedError,
    QueryError,
    RecordNotFoundError,
    SourceError,
)
from indexer.index import Index, IndexInfo, SpaceInfo, open_index
from indexer.report import BuildReport
from indexer.types import (
    Embedder,
    Evidence,
    Example,
    Filter,
    Kind,
    Passage,
    Query,
    Source,
    SourceFailure,
    SourceImage,
    Vectors,
)
from indexer.verify import VerifyReport, verify_index

__all__ = [
    "BuildReport",
    "CompactReport",
    "Embedder",
    "EmbedderMismatchError",
    "EmbedderUnavailableError",
    "EmbedderUnsuitableError",
    "Evidence",
    "Example",
    "Filter",
    "FolderConfig",
    "Index",
    "IndexBusyError",
    "IndexConfig",
    "IndexCorruptError",
    "IndexIncompleteError",
    "IndexInfo",
    "IndexNotFoundError",
    "IndexerError",
    "JsonlConfig",
    "Kind",
    "NothingIndexedError",
    "Passage",
    "Query",
    "QueryError",
    "RecordNotFoundError",
    "RemoveReport",
    "Source",
    "SourceError",
    "SourceFailure",
    "SourceImage",
    "SpaceInfo",
    "Vectors",
    "VerifyReport",
    "add_to_index",
    "build_index",
    "compact_index",
    "load_config",
    "load_embedder",
    "open_index",
    "remove_from_index",
    "verify_index",
]
