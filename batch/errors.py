"""What can go wrong with a batch. Every message is one line: what, where, what to do."""

from __future__ import annotations


class BatchError(Exception):
    """Base of this room's errors."""


class InputError(BatchError):
    """What is to be described cannot be read."""


class NoRun(BatchError):  # noqa: N818 - the name says what is wrong, as in the rest of the tree
    """The folder holds no run, or none of that name."""


class RunDamaged(BatchError):  # noqa: N818
    """A file of the run is not what it should be, and cannot be done again by itself."""


class RunBusy(BatchError):  # noqa: N818
    """Another process is writing to the folder."""


class RunStopped(BatchError):  # noqa: N818
    """The run cannot go on: a disk that is full, a server that died. What was done is kept."""


class ExportError(BatchError):
    """The descriptions cannot be written as asked."""
