"""How a PubMed search is paged through: which part of it is next, and how a part that is too large is halved.

PubMed gives the first 9,999 records of a search and no more, from its history too: `retstart` beyond 9,998 is an
error, and a page across that border is cut short without a word (https://www.ncbi.nlm.nih.gov/books/NBK25499/;
https://github.com/biopython/biopython/issues/4189, https://github.com/cyanheads/pubmed-mcp-server/issues/95).
Knows nothing of requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from indexer.sources.entrez import History
from indexer.sources.pmids import LARGEST_PMID

MOST_PAGED = 9_999
PAGE_RECORDS = 200

_FIRST_DAY = date(1800, 1, 1)


@dataclass(frozen=True)
class Part:
    """Part of a search: the records that entered PubMed within `days`, of them those with PMIDs within `pmids`.

    Both with their ends; None where not bounded. The date of entry and not of publication, because a record
    published in "2015" counts as published on 1 January 2015, and such days are too large themselves.
    """

    days: tuple[date, date] | None = None
    pmids: tuple[int, int] | None = None

    def halves(self, today: date | None = None) -> tuple[Part, Part]:
        """The part in two, the newer first. A single day is parted by PMID, as nothing finer is known of it."""
        if self.days is None:
            # A day more: it may be tomorrow already where the server is.
            return Part((_FIRST_DAY, (today or datetime.now(UTC).date()) + timedelta(days=1))).halves()
        first, last = self.days
        if first < last:
            middle = first + (last - first) // 2
            return Part((middle + timedelta(days=1), last)), Part((first, middle))
        low, high = self.pmids or (1, LARGEST_PMID)
        cut = (low + high) // 2
        return Part(self.days, (cut + 1, high)), Part(self.days, (low, cut))

    def term(self, term: str) -> str:
        """The search term of this part of a search for `term`."""
        return f"({term}) AND {self.pmids[0]}:{self.pmids[1]}[UID]" if self.pmids else term

    def bounds(self) -> tuple[str, str] | None:
        """The days as E-utilities write them."""
        return (f"{self.days[0]:%Y/%m/%d}", f"{self.days[1]:%Y/%m/%d}") if self.days else None


@dataclass
class Plan:
    """What is still to be fetched: the parts `todo`, of the first of them the records from `start` on.

    `left` is how many records may still be fetched, `counted` how many NCBI said the whole search has (None: not
    asked yet), `history` the first part's search as NCBI keeps it (None: to be made).
    """

    todo: list[Part]
    left: int
    start: int = 0
    counted: int | None = None
    history: History | None = None

    def wanted(self, history: History) -> int:
        """How many of the first part's records are wanted, of those before `start` all."""
        return min(history.count, self.start + self.left)

    def split(self) -> None:
        """Halves the first part, and begins with the newer half."""
        self.todo[:1] = self.todo[0].halves()
        self.start, self.history = 0, None

    def finish_part(self) -> None:
        """Goes on to the next part."""
        del self.todo[0]
        self.start, self.history = 0, None

    def took(self, asked: int, new: int) -> None:
        """Notes a page: records asked for, and those of them that were not known."""
        self.start += asked
        self.left -= new

    def to_cursor(self) -> dict[str, Any]:
        """As a JSON object."""
        history = self.history
        return {
            "todo": [
                {"days": [day.isoformat() for day in part.days or ()], "pmids": list(part.pmids or ())}
                for part in self.todo
            ],
            "left": self.left,
            "start": self.start,
            "counted": self.counted,
            "history": [history.web_env, history.query_key, history.count] if history else None,
        }

    @classmethod
    def from_cursor(cls, cursor: dict[str, Any]) -> Plan:
        """From what `to_cursor` gave."""
        return cls(
            todo=[_part(part["days"], part["pmids"]) for part in cursor["todo"]],
            left=cursor["left"],
            start=cursor["start"],
            counted=cursor["counted"],
            history=History(*cursor["history"]) if cursor["history"] else None,
        )


def _part(days: list[str], pmids: list[int]) -> Part:
    first_last = (date.fromisoformat(days[0]), date.fromisoformat(days[1])) if days else None
    return Part(first_last, (pmids[0], pmids[1]) if pmids else None)
