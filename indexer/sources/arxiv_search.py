"""Abstracts of arXiv as passages: what a query or categories find.

One paper is one document, whatever its versions. Papers that were withdrawn are failures that say so. The API
gives no licence; each paper's page does, so the licence of a passage is "see url". Full texts are not fetched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.config.web import ArxivConfig
from indexer.errors import SourceError
from indexer.sources.arxiv_client import API_URL, ArxivClient, ArxivPage
from indexer.sources.context import SourceContext
from indexer.sources.documents import Document
from indexer.sources.fetching import Manners, PageStore
from indexer.sources.passages import passages
from indexer.sources.progress import FetchProgress
from indexer.sources.web_api import WebApi, one_line
from indexer.types import Passage, SourceFailure

if TYPE_CHECKING:
    import arxiv  # type: ignore[import-untyped]

MANNERS = Manners("arXiv", per_second=1 / 3)
"""Its terms ask for no more than one request in three seconds: https://info.arxiv.org/help/api/tou.html"""

LICENSE = "see url"

_FIRST_YEAR, _LAST_YEAR = 1991, 2100
_AUTHORS_NAMED = 6
_UNREADABLE = "its entry cannot be read: no id, or a date missing or wrong, here or beside it"
_VERSION = re.compile(r"^(?P<id>.+?)(?:v(?P<version>\d+))?$")
_PAPER = r"(?:e-?print|paper|article|manuscript|preprint|submission|work)"
_WITHDRAWN_COMMENT = re.compile(rf"^\W*(?:{_PAPER} )?withdrawn\b|\b{_PAPER}\b[^.;]{{0,40}}\bwithdrawn\b", re.IGNORECASE)
_WITHDRAWN_ABSTRACT = re.compile(rf"^\W*(?:(?:this|the) )?{_PAPER}\b[^.;]{{0,40}}\bwithdrawn\b", re.IGNORECASE)


class ArxivSource:
    """Passages in the order of the results; what is fetched once stays in the folder `fetched`.

    `manners` is the pace of requests; without it the API's own is held over all such sources.
    """

    def __init__(self, config: ArxivConfig, context: SourceContext, manners: Manners | None = None) -> None:
        self.name = config.name
        self._config = config
        self._chunker = context.chunker
        self._progress = context.progress
        self._manners = manners or MANNERS

    def __len__(self) -> int:
        return sum(1 for _ in self._items())

    def __iter__(self) -> Iterator[Passage | SourceFailure]:
        return passages(self._items(), self.name, self._chunker)

    def _items(self) -> Iterator[Document | SourceFailure]:
        store = self._fetched()
        newest: dict[str, int] = {}
        for record in store.records():
            newest[record["id"]] = max(newest.get(record["id"], 0), record["version"])
        for record in store.records():
            if newest.get(record["id"]) == record["version"]:
                del newest[record["id"]]
                yield self._item(record)

    def _item(self, record: Mapping[str, Any]) -> Document | SourceFailure:
        reason = record.get("unreadable") or _withdrawn(record)
        if reason is None and not record["abstract"]:
            reason = "has no abstract"
        if reason is not None:
            return SourceFailure(self.name, record["id"], reason)
        return Document(
            id=record["id"],
            text=record["abstract"],
            title=record["title"] or None,
            license=LICENSE,
            attribution=_attribution(record),
            url=f"https://arxiv.org/abs/{record['id']}v{record['version']}",
            year=record["year"],
        )

    def _fetched(self) -> PageStore:
        """All pages of the query on disk; asks for those that are not there yet."""
        config = self._config
        identity = config.model_dump(mode="json", exclude={"fetched", "source", "page_size"})
        store = PageStore.of(Path(config.fetched), self.name, identity)
        if store.complete:
            return store
        query = search_query(config)
        with (
            FetchProgress(self.name, "results", self._progress) as progress,
            WebApi(self._manners, progress.say) as api,
        ):
            client = ArxivClient(api, config.url or API_URL, query, config.order)
            last = False
            while not last:
                cursor = store.cursor or {"start": 0, "total": 0}
                if cursor["total"]:
                    progress.at(cursor["start"], min(config.limit, cursor["total"]))
                size = min(config.page_size, config.limit - cursor["start"])
                page = client.page(cursor["start"], size, cursor["total"])
                if page.next_start == 0:
                    raise SourceError(f"arXiv: no paper matches {query}. Change query, categories or years")
                last = page.next_start >= min(config.limit, page.total) or page.next_start == page.start
                store.append(_records(page), {"start": page.next_start, "total": page.total}, last)
                progress.at(page.next_start, min(config.limit, page.total))
        return store


def search_query(config: ArxivConfig) -> str:
    """The query in the API's own language (section 5.1 of its manual)."""
    parts = [f"({config.query})"] if config.query else []
    if config.categories:
        parts.append("(" + " OR ".join(f"cat:{category}" for category in config.categories) + ")")
    if config.from_year is not None or config.to_year is not None:
        first, last = config.from_year or _FIRST_YEAR, config.to_year or _LAST_YEAR
        parts.append(f"submittedDate:[{first}01010000 TO {last}12312359]")
    return " AND ".join(parts)


def _records(page: ArxivPage) -> list[dict[str, Any]]:
    unreadable = [{"id": id_, "version": 0, "unreadable": _UNREADABLE} for id_ in page.unreadable]
    return [*(_record(paper) for paper in page.papers), *unreadable]


def _record(paper: arxiv.Result) -> dict[str, Any]:
    """A paper as it is kept on disk: its id without the version, the version beside it."""
    found = _VERSION.match(paper.get_short_id().strip())
    return {
        "id": found["id"] if found else paper.entry_id,
        "version": int(found["version"] or 1) if found else 1,
        "title": " ".join(paper.title.split()),
        "abstract": " ".join(paper.summary.split()),
        "authors": [author.name for author in paper.authors],
        "year": paper.published.year,
        "doi": paper.doi,
        "journal_ref": paper.journal_ref,
        "comment": paper.comment,
    }


def _withdrawn(record: Mapping[str, Any]) -> str | None:
    """The note of a paper that was withdrawn. The API marks it in the comment or in place of the abstract only."""
    comment = record["comment"] or ""
    if _WITHDRAWN_COMMENT.search(comment):
        return f"withdrawn: {one_line(comment)}"
    if _WITHDRAWN_ABSTRACT.search(record["abstract"]):
        return f"withdrawn: {one_line(record['abstract'])}"
    return None


def _attribution(record: Mapping[str, Any]) -> str:
    """Who wrote it, which version this is, and where it was published: "A. B, C. D, arXiv:2101.00001v3, doi:..."."""
    authors = record["authors"]
    named = [*authors[:_AUTHORS_NAMED], *(["et al."] if len(authors) > _AUTHORS_NAMED else [])]
    parts = [*named, f"arXiv:{record['id']}v{record['version']}"]
    if record["journal_ref"]:
        parts.append(" ".join(record["journal_ref"].split()))
    if record["doi"]:
        parts.append(f"doi:{record['doi']}")
    return ", ".join(parts)
