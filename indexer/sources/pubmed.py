"""Abstracts of PubMed as passages: what a search finds, fetched in pages that a stopped fetch goes on behind."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from indexer.config.pubmed import PubmedConfig
from indexer.errors import SourceError
from indexer.sources.context import SourceContext
from indexer.sources.documents import Document
from indexer.sources.entrez import NCBI, EntrezClient, History, HistoryGoneError, Page
from indexer.sources.fetching import Manners, PageStore
from indexer.sources.passages import passages
from indexer.sources.pmids import PmidSet
from indexer.sources.progress import FetchProgress
from indexer.sources.pubmed_plan import MOST_PAGED, PAGE_RECORDS, Part, Plan
from indexer.sources.pubmed_records import Record
from indexer.types import Passage, SourceFailure

log = logging.getLogger(__name__)

_SEARCHES_A_PAGE = 3


class PubmedSource:
    """Passages in the order NCBI gives the records, in parts from new to old where there are more than 9,999.

    The first call of `len` or `iter` fetches; afterwards the records are in the folder `fetched`, one of its own
    for each search, and NCBI is not asked again. Records without an abstract are counted in a log line and left
    out: a third of PubMed has none, and nothing is wrong with them. Retracted ones are failures, or marked.
    """

    def __init__(self, config: PubmedConfig, context: SourceContext, manners: Manners | None = None) -> None:
        self.name = config.name
        self._config = config
        self._chunker = context.chunker
        self._progress = context.progress
        self._manners = manners

    def __len__(self) -> int:
        return sum(1 for record in self._records() if self._item(record) is not None)

    def __iter__(self) -> Iterator[Passage | SourceFailure]:
        return passages(self._items(), self.name, self._chunker)

    def _items(self) -> Iterator[Document | SourceFailure]:
        total = bare = 0
        for record in self._records():
            total += 1
            bare += isinstance(record, Record) and not record.document.text
            item = self._item(record)
            if item is not None:
                yield item
        if bare:
            log.warning("%s: %d of %d records have no abstract and are left out", self.name, bare, total)

    def _item(self, record: Record | SourceFailure) -> Document | SourceFailure | None:
        """What is to be indexed of a record, or why not; None where it has no abstract."""
        if isinstance(record, SourceFailure):
            return record
        if reason := record.left_out(self._config.retracted):
            return SourceFailure(self.name, record.document.id, reason)
        if not record.document.text.strip():
            return None
        return record.with_mesh() if self._config.mesh else record.document

    def _records(self) -> Iterator[Record | SourceFailure]:
        store = self._fetched()
        for row in store.records():
            if "failure" in row:
                yield SourceFailure(self.name, row["id"], row["failure"])
                continue
            try:
                yield Record.from_row(row)
            except (KeyError, TypeError) as error:
                raise SourceError(
                    f"{store.folder}: not pages of PubMed, or of a version that did not note what was retracted. "
                    f"Delete the folder and run again"
                ) from error

    def _fetched(self) -> PageStore:
        """The store with all pages in it. Raises SourceError; what was fetched until then is in it, too."""
        config = self._config
        identity = {
            "kind": "pubmed",
            "term": config.term,
            "limit": config.limit,
            "from_year": config.from_year,
            "to_year": config.to_year,
        }
        store = PageStore.of(Path(config.fetched), f"pubmed-{config.term}", identity)
        if not store.complete:
            with FetchProgress(self.name, "records", self._progress) as progress:
                _Fetch(config, store, self._manners, progress).run()
        return store


class _Fetch:
    """One fetch, from where the last one of the same search stopped to its end."""

    def __init__(
        self, config: PubmedConfig, store: PageStore, manners: Manners | None, progress: FetchProgress
    ) -> None:
        self._client = EntrezClient(config.url or NCBI, manners, progress.say)
        self._progress = progress
        self._limit = config.limit
        self._term = _term(config)
        self._name = config.name
        self._store = store
        cursor = store.cursor
        self._plan = Plan.from_cursor(cursor) if cursor is not None else Plan([Part()], config.limit)
        self._gone = 0  # times in a row that NCBI had forgotten its search
        self._known = PmidSet()
        for row in store.records():
            if "failure" not in row:
                self._known.add(int(row["id"]))

    def run(self) -> None:
        plan = self._plan
        while plan.todo and plan.left != 0:
            history = plan.history or self._search(plan.todo[0])
            self._show()
            wanted = plan.wanted(history)
            if wanted > MOST_PAGED:
                plan.split()
            elif plan.start >= wanted:
                plan.finish_part()
            else:
                self._take_page(history, min(PAGE_RECORDS, wanted - plan.start))
        self._show()
        self._say_what_is_missing()
        self._store.append([], plan.to_cursor(), last=True)

    def _show(self) -> None:
        counted = self._plan.counted or 0
        self._progress.at(min(self._limit - self._plan.left, counted), min(self._limit, counted))

    def _search(self, part: Part) -> History:
        """Searches a part, and keeps the search in the plan. The first is for the whole term."""
        history = self._client.search(part.term(self._term), part.bounds())
        if self._plan.counted is None:
            if not history.count:
                raise SourceError(f"PubMed: no record matches {self._term}. Try the term on pubmed.ncbi.nlm.nih.gov")
            self._plan.counted = history.count
        self._plan.history = history
        return history

    def _take_page(self, history: History, size: int) -> None:
        """Stores the next page. Where NCBI has forgotten the search, makes it anew and goes on where it was."""
        try:
            page = self._client.page(history, self._plan.start, size)
        except HistoryGoneError as gone:
            self._search_again(history, gone)
            return
        rows = self._new_rows(page)
        self._plan.took(size, len(rows))
        self._gone = 0
        self._store.append(rows, self._plan.to_cursor(), last=False)

    def _search_again(self, before: History, gone: HistoryGoneError) -> None:
        self._gone += 1
        if self._gone >= _SEARCHES_A_PAGE:
            raise SourceError(
                f"PubMed: NCBI loses its searches: {gone}. What was fetched is kept; run again to go on"
            ) from None
        now = self._search(self._plan.todo[0])
        if now.count != before.count:
            log.warning(
                "%s: NCBI counts %d records now and counted %d when the fetch of them began, of which %d are "
                "fetched; records may be missing or new among them",
                self._name,
                now.count,
                before.count,
                self._plan.start,
            )

    def _new_rows(self, page: Page) -> list[dict[str, Any]]:
        rows = [record.to_row() for record in page.records if self._known.add(record.pmid)]
        place = f"records {self._plan.start + 1} on"
        return [*rows, *({"id": place, "failure": reason} for reason in page.failures)]

    def _say_what_is_missing(self) -> None:
        counted, fetched = self._plan.counted or 0, self._store.count
        if self._plan.left == 0:
            if fetched < counted:
                log.warning("%s: %d of %d records fetched: the limit", self._name, fetched, counted)
        elif fetched != counted:
            log.warning(
                "%s: NCBI counted %d records and gave %d; the others were removed or merged meanwhile, or are new",
                self._name,
                counted,
                fetched,
            )


def _term(config: PubmedConfig) -> str:
    if config.from_year is None and config.to_year is None:
        return config.term
    first, last = config.from_year or 1000, config.to_year or 3000  # how PubMed writes an open end
    return f"({config.term}) AND {first}:{last}[pdat]"
