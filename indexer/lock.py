"""One writer at a time."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from indexer.errors import IndexBusyError, IndexerError
from indexer.manifest import build_command

LOCK = "build.lock"


@contextmanager
def locked(path: Path, config_file: str | None, *, rebuild: bool = False) -> Iterator[None]:
    """Holds the index in folder `path` for this writer alone; of a disk that fails it says what is left and what to do.

    Raises IndexBusyError where another holds it, IndexerError for what the disk or SQLite raised inside.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path / LOCK, timeout=0)
    try:
        with lock:
            yield
    except Timeout:
        raise IndexBusyError(
            f"index {path}: another build is writing to it ({path / LOCK} is held). Wait for its end"
        ) from None
    except (OSError, sqlite3.Error) as error:
        raise IndexerError(
            f"index {path}: writing stopped: {error}. What was done is kept; mend it and go on: "
            f"{build_command(config_file, rebuild=rebuild)}"
        ) from error
