"""Asking a web API politely: no faster than it allows, again after faults that pass, never twice for the same page.

Knows nothing of any one API: a client says how a request is made and which faults may pass.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar

import tenacity

from indexer.errors import SourceError

_T = TypeVar("_T")

Say = Callable[[str], None]
"""Takes a line for whoever watches a fetch."""

PASSING_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses that a later request may not meet again."""


class PassingFaultError(Exception):
    """A request failed for a reason that may pass. `after_s` is how long the server asked to wait, if it said."""

    def __init__(self, reason: str, after_s: float | None = None) -> None:
        super().__init__(reason)
        self.after_s = after_s


@dataclass
class Manners:
    """How one API is asked: at most `per_second` requests, `attempts` for each, with growing pauses between them.

    A server's own `Retry-After` is obeyed, up to `longest_wait_s`; a longer one ends the fetch with an error that
    says so. One object serves one API, so that the pace holds over all that asks it. Not for several threads.
    """

    name: str
    per_second: float
    attempts: int = 6
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0
    _last: float = field(default=-1e9, init=False)

    def ask(self, what: str, request: Callable[[], _T], say: Say = lambda _: None) -> _T:
        """What `request` gives. It raises PassingFaultError to be called again; any other error goes through.

        Each wait for another attempt is first given to `say`, as a line.

        Raises SourceError once all attempts failed, or where the server asks for a longer wait than is allowed.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(PassingFaultError),
            before=lambda _: self._pace(),
            before_sleep=lambda state: say(self._waiting(what, state)),
            sleep=time.sleep,
            reraise=True,
        )
        try:
            return retrying(request)
        except PassingFaultError as error:
            waited = error.after_s is not None and error.after_s > self.longest_wait_s
            tries = f"asks to wait {error.after_s:.0f} s" if waited else f"failed {self.attempts} times"
            raise SourceError(
                f"{self.name}: {what} {tries}: {error}. What was fetched is kept; run again to go on"
            ) from error

    def _pace(self) -> None:
        early = self._last + 1 / self.per_second - time.monotonic()
        if early > 0:
            time.sleep(early)
        self._last = time.monotonic()

    def _waiting(self, what: str, state: tenacity.RetryCallState) -> str:
        error = state.outcome.exception() if state.outcome else None
        seconds = f"{state.upcoming_sleep:.1f}".removesuffix(".0")
        if isinstance(error, PassingFaultError) and error.after_s is not None:
            return f"{self.name}: {what}: the server asked to wait {seconds} s"
        return f"{self.name}: {what} failed: {error}; it is tried again in {seconds} s"

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.after_s if isinstance(error, PassingFaultError) else None
        if asked is not None:
            if asked > self.longest_wait_s and error is not None:
                raise error
            return asked
        growing = tenacity.wait_exponential(self.first_wait_s, self.longest_wait_s)
        return float((growing + tenacity.wait_random(0, self.first_wait_s))(state))


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """The seconds of a `Retry-After` header, in either form of RFC 9110 section 10.2.3; None where there is none."""
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


@dataclass(frozen=True)
class PageStore:
    """Pages of records on disk, in the order they were fetched, so that a fetch that was stopped goes on.

    A page counts once it is there whole: it is written beside and renamed. `cursor` is whatever the client needs
    to ask for the next page; it is kept in the page itself, so that the two cannot disagree.
    """

    folder: Path

    @classmethod
    def of(cls, root: Path, name: str, identity: Mapping[str, Any]) -> PageStore:
        """The store of one query: another query, another folder. `identity` must hold no secret."""
        text = json.dumps(identity, sort_keys=True)
        safe = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:40]
        store = cls(root / f"{safe}-{hashlib.sha256(text.encode()).hexdigest()[:12]}")
        store.folder.mkdir(parents=True, exist_ok=True)
        about = store.folder / "query.json"
        if not about.exists():
            _replace(about, json.dumps(identity, indent=2, sort_keys=True) + "\n")
        return store

    @property
    def complete(self) -> bool:
        """Whether the last page was fetched."""
        pages = self._pages()
        return bool(pages) and bool(_head(pages[-1])["last"])

    @property
    def cursor(self) -> Any:
        """What the last whole page left for the next request; None before the first page."""
        pages = self._pages()
        return _head(pages[-1])["cursor"] if pages else None

    @property
    def count(self) -> int:
        """Records in all whole pages."""
        return sum(int(_head(page)["count"]) for page in self._pages())

    def append(self, records: list[dict[str, Any]], cursor: Any, last: bool) -> None:
        """Writes the next page; `last` marks the fetch complete. `cursor` must be JSON and hold no secret."""
        number = len(self._pages()) + 1
        head = json.dumps({"count": len(records), "cursor": cursor, "last": last})
        lines = [head, *(json.dumps(record, ensure_ascii=False) for record in records)]
        _replace(self.folder / f"page-{number:06d}.jsonl", "\n".join(lines) + "\n")

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all whole pages, in order. Raises SourceError where a page was damaged since."""
        for page in self._pages():
            with page.open(encoding="utf-8") as lines:
                try:
                    head = json.loads(next(lines))
                    found = [json.loads(line) for line in lines]
                except (StopIteration, ValueError) as error:
                    raise SourceError(f"{page}: damaged. Delete it and the pages after it, and run again") from error
            if len(found) != head["count"]:
                raise SourceError(f"{page}: damaged. Delete it and the pages after it, and run again")
            yield from found

    def _pages(self) -> list[Path]:
        return sorted(self.folder.glob("page-*.jsonl"))


def _head(page: Path) -> dict[str, Any]:
    try:
        with page.open(encoding="utf-8") as lines:
            head: dict[str, Any] = json.loads(next(lines))
    except (StopIteration, ValueError) as error:
        raise SourceError(f"{page}: damaged. Delete it and the pages after it, and run again") from error
    return head


def _replace(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
