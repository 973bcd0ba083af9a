"""FAISS indexes to disk."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def write_durably(index: Any, path: Path) -> None:
    """Writes a FAISS index and makes the file durable. Raises OSError where it cannot, a full disk for one.

    The bytes go through Python: FAISS's own file writer says nothing where the last of them do not fit, and leaves a
    file that is cut short.
    """
    import faiss

    module: Any = faiss  # its type hints do not know writers
    with path.open("wb") as file:
        failed: list[OSError] = []

        def write(data: bytes) -> int:
            try:
                return file.write(data)
            except OSError as error:
                failed.append(error)
                raise

        try:
            module.write_index(index, module.PyCallbackIOWriter(write))
        except Exception as error:  # FAISS turns the writer's error into one of its own
            raise (failed[0] if failed else OSError(f"{path}: FAISS cannot write it: {error}")) from error
        file.flush()
        os.fsync(file.fileno())
