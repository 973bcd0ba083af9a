"""Everything that can go wrong in the index, as one tree. Each message is one line: what, where, what to do."""

from __future__ import annotations


class IndexerError(Exception):
    """Base of every error the indexer raises on purpose."""


class IndexNotFound(IndexerError):
    """There is no index at the path."""


class IndexIncomplete(IndexerError):
    """A build was started and stopped before the index had its first generation."""


class IndexCorrupt(IndexerError):
    """A file of the index is missing, cut short or not what was written."""


class IndexBusy(IndexerError):
    """Another process is building the same index."""


class EmbedderMismatch(IndexerError):
    """The vectors at hand come from another embedder than the one that is asked for."""


class EmbedderUnavailable(IndexerError):
    """The embedder's files cannot be found, reached or trusted."""


class EmbedderUnsuitable(IndexerError):
    """The embedder cannot embed what it is given (texts only, or images only)."""


class SourceError(IndexerError):
    """A source as a whole cannot be read: no such file, an unknown field, no record that matches."""


class NothingIndexed(IndexerError):
    """Not one record of the sources could be indexed."""


class QueryError(IndexerError):
    """A search that cannot be answered: an unknown space, or a vector of the wrong dimension."""


class RecordNotFound(IndexerError):
    """The index has no record of that id."""
