"""How many items each file of a folder gave when it was last read, kept in a small JSON file in that folder."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

NAME = ".item-counts.json"


class FileCounts:
    """Counts by file; a file that has changed since (size, time) has none. `reading` tells ways of reading apart.

    Where the folder cannot be written to, counts are kept for the life of the object only.
    """

    def __init__(self, folder: Path, reading: str) -> None:
        self._folder = folder
        self._reading = reading
        self._counts: dict[str, list[int]] = {}
        with suppress(OSError, ValueError):  # absent or damaged: nothing is known
            found = json.loads((folder / NAME).read_text(encoding="utf-8"))
            self._counts = {str(key): [int(value) for value in values] for key, values in dict(found).items()}

    def get(self, path: Path) -> int | None:
        """Items of a file as it is now; None where they were not counted."""
        state = self._counts.get(self._key(path), [])
        return state[2] if len(state) == 3 and state[:2] == _stamp(path) else None

    def put(self, path: Path, items: int) -> None:
        """Notes the items of a file."""
        if self.get(path) == items:
            return
        self._counts[self._key(path)] = [*_stamp(path), items]
        part = self._folder / f"{NAME}.part"
        with suppress(OSError):  # a read-only folder is as good to read from
            part.write_text(json.dumps(self._counts, indent=0, sort_keys=True) + "\n", encoding="utf-8")
            part.replace(self._folder / NAME)

    def _key(self, path: Path) -> str:
        return f"{path.relative_to(self._folder)} {self._reading}"


def _stamp(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]
