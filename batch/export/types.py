"""What an export came to, and what it left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Format = Literal["imageclef", "csv", "jsonl", "parquet", "hf"]


@dataclass(frozen=True)
class Exported:
    """A file or folder that was written, and its rows.

    `left_out` counts descriptions of the run that are not among them although they were asked for; `notes` says why,
    and whatever else a person should know, a line each.
    """

    path: Path
    rows: int
    left_out: int = 0
    notes: tuple[str, ...] = ()


@dataclass
class Tally:
    """Counts of one kind, and the first id of it."""

    count: int = 0
    first: str = ""
    by_reason: dict[str, int] = field(default_factory=dict)

    def add(self, id_: str, reason: str) -> None:
        self.first = self.first or id_
        self.count += 1
        self.by_reason[reason] = self.by_reason.get(reason, 0) + 1

    def told(self) -> str:
        """ "2 abstained, 1 not described; the first is 'a'"."""
        return f"{', '.join(f'{count:,} {why}' for why, count in self.by_reason.items())}; the first is {self.first!r}"
