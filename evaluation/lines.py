"""JSON lines that grow while a run is at work: a run that was stopped may have left half a line at their end."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def read_lines(file: Path) -> Iterator[dict[str, Any]]:
    """The whole lines of a file, none where there is no file. Half a line at its end is passed over.

    Raises ValueError for a line that is no JSON.
    """
    if not file.is_file():
        return
    text = file.read_text(encoding="utf-8")
    yield from (json.loads(line) for line in text[: text.rfind("\n") + 1].split("\n") if line)


def write_lines(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes a file anew, a line a row."""
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def mend(file: Path) -> None:
    """Takes half a line off the end of a file, so that lines can be added."""
    if not file.is_file():
        return
    with file.open("rb+") as lines:
        lines.truncate(lines.read().rfind(b"\n") + 1)
