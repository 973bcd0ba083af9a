"""Everything that can go wrong in the index, as one tree. Each message is one line: what, where, what to do."""

from __future__ import annotations


class IndexerError(Exception):
    """Base of every error the indexer raises on purpose."""


class IndexNotFoundError(IndexerError):
    """There is no index at the path."""


class IndexIncompleteError(IndexerError):
    """A build was started and stopped before the index had its first generation."""


class IndexCorruptError(IndexerError):
    """A file of the index is missing, cut short or not what was written."""


class IndexBusyError(IndexerError):
    """Another process is building the same index."""


class EmbedderMismatchError(IndexerError):
    """The vectors at hand come from another embedder than the one that is asked for."""


class EmbedderUnavailableError(IndexerError):
    """The embedder's files cannot be found, reached or trusted."""


class EmbedderUnsuitableError(IndexerError):
    """The embedder cannot embed what it is given (texts only, or images only)."""


class SourceError(IndexerError):
    """A source as a whole cannot be read: no such file, an unknown field, no record that matches."""


class NothingIndexedError(IndexerError):
    """Not one record of the sources could be indexed."""


class QueryError(IndexerError):
    """A search that cannot be answered: an unknown space, or a vector of the wrong dimension."""


class RecordNotFoundError(IndexerError):
    """The index has no record of that id."""
