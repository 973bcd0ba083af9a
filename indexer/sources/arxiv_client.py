"""Result pages of arXiv's search, one request each, through the `arxiv` package's client.

The client parses the feed. Pace, retries, time-outs and where the paging goes on are ours: on its own the client
has no time-out, does not see `Retry-After`, reads a feed that was cut short as if it were whole, and takes an
empty first page for the end of the results. Written for arxiv 4.0 and
https://info.arxiv.org/help/api/user-manual.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from indexer.errors import SourceError
from indexer.sources.fetching import PassingFaultError
from indexer.sources.web_api import WebApi, one_line, user_agent

if TYPE_CHECKING:
    import arxiv  # type: ignore[import-untyped]
    import requests

API_URL = "https://export.arxiv.org/api/query"

Order = Literal["relevance", "newest"]

_ATOM = "{http://www.w3.org/2005/Atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_ERRORS = "/api/errors"


@dataclass(frozen=True)
class ArxivPage:
    """One page of results.

    `unreadable` are the ids of entries that the client makes nothing of (all of the page where one has a date
    that is none), `start` and `next_start` where the page and the next one begin among the `total` results that
    the query had at that moment.
    """

    papers: tuple[arxiv.Result, ...]
    unreadable: tuple[str, ...]
    start: int
    next_start: int
    total: int


class ArxivClient:
    """The pages of one query at `url`."""

    def __init__(self, api: WebApi, url: str, query: str, order: Order) -> None:
        import arxiv

        by = arxiv.SortCriterion.Relevance if order == "relevance" else arxiv.SortCriterion.SubmittedDate
        self._search = arxiv.Search(query=query, max_results=None, sort_by=by)
        self._api = api
        self._url = url

    def page(self, start: int, size: int, expected: int) -> ArxivPage:
        """The page of at most `size` results from `start` on; `expected` is the total an earlier page gave, or 0.

        Raises SourceError where the API refuses the query or keeps failing.
        """
        import arxiv

        session = _OneRequest(self._api, start, expected)
        client = arxiv.Client(page_size=size, delay_seconds=0, num_retries=0)
        client.query_url_format = self._url + "?{}"
        client._session = session  # there is no public way to a time-out
        papers: list[arxiv.Result] = []
        try:
            for paper in client.results(self._search, offset=start):
                papers.append(paper)  # noqa: PERF402  # those before the end of the page are kept
        except _EndOfPageError:
            pass
        except ValueError:
            papers.clear()  # a date that is none: the client drops its whole page
        except arxiv.ArxivError as error:
            raise SourceError(f"arXiv: results from {start}: {one_line(str(error))}. Run again to go on") from error
        read = {paper.entry_id.strip() for paper in papers}
        unreadable = tuple(id_ for id_ in session.feed.ids if id_ not in read)
        return ArxivPage(tuple(papers), unreadable, start, start + len(session.feed.ids), session.feed.total)


@dataclass(frozen=True)
class _Feed:
    """What a feed says of itself: its entries' ids (a made-up one where an entry has none) and all results."""

    ids: tuple[str, ...]
    total: int


class _EndOfPageError(Exception):
    """The client asks for the next page."""


class _OneRequest:
    """Stands in for the client's session: makes one request, and ends the client's paging at the second."""

    def __init__(self, api: WebApi, start: int, expected: int) -> None:
        self.feed = _Feed((), 0)
        self._api = api
        self._start = start
        self._expected = expected
        self._asked = False

    def get(self, url: str, headers: dict[str, str]) -> requests.Response:
        if self._asked:
            raise _EndOfPageError
        self._asked = True
        own = {"user-agent": user_agent(headers["user-agent"])}
        return self._api.ask(f"results from {self._start}", "GET", url, self._check, headers=own)

    def _check(self, response: requests.Response) -> None:
        self.feed = feed = _read_feed(response, self._start)
        more = self._start < feed.total or (self._start > 0 and feed.total == 0 < self._expected)
        if not feed.ids and more:
            raise PassingFaultError(f"an empty page, though there are {max(feed.total, self._expected)} results")


def _read_feed(response: requests.Response, start: int) -> _Feed:
    """What the feed from result `start` on says.

    Raises PassingFaultError where it is not whole, SourceError where it is a refusal: a feed with one
    entry titled Error (section 3.4 of the manual), with status 400 or 200.
    """
    try:
        root = ElementTree.fromstring(response.content)  # noqa: S314  # expat limits what entities expand to
    except ElementTree.ParseError as error:
        if response.status_code != 200:
            address = response.url.split("?")[0]
            raise SourceError(f"arXiv: HTTP {response.status_code} from {address}. Check the url") from error
        raise PassingFaultError("an answer that is not whole XML") from error
    entries = root.findall(f"{_ATOM}entry")
    ids = tuple(
        (entry.findtext(f"{_ATOM}id") or "").strip() or f"result {number}"
        for number, entry in enumerate(entries, start)
    )
    if response.status_code != 200 or any(_ERRORS in id_ for id_ in ids):
        said = entries[0].findtext(f"{_ATOM}summary") if entries else None
        reason = one_line(said or f"HTTP {response.status_code}").rstrip(".")
        raise SourceError(f"arXiv: refuses the query: {reason}. Mend query or categories")
    if root.tag != f"{_ATOM}feed":
        raise PassingFaultError("an answer that is no Atom feed")
    total = (root.findtext(_TOTAL) or "").strip()
    return _Feed(ids, int(total) if total.isdigit() else 0)
