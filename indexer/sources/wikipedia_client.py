"""Wikipedia's API through the `wikipedia` package, in one place because that package lives in module-level state.

It asks over http, without a time-out, `maxlag` or a look at the status, keeps its searches for ever whatever the
language, and lets BeautifulSoup guess a parser. While it is used here its address, its User-Agent, its `requests`
and its BeautifulSoup are ours, under a lock, and afterwards its own again. Its `auto_suggest`, which turns titles
into others, is off. Written for wikipedia 1.4.0, https://www.mediawiki.org/wiki/API:Etiquette and
https://www.mediawiki.org/wiki/Manual:Maxlag_parameter
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from indexer.errors import SourceError
from indexer.sources.fetching import PassingFaultError, retry_after_s
from indexer.sources.web_api import WebApi, one_line

if TYPE_CHECKING:
    import requests

MAXLAG_S = 5
_PASSING_CODES = frozenset({"maxlag", "ratelimited", "readonly", "cirrussearch-too-busy-error"})
_OPTIONS_SHOWN = 8
_LOCK = threading.RLock()


@dataclass(frozen=True)
class WikiPage:
    """A page as it was: `text` is plain, with MediaWiki's headings in it; `revision` says which state that is."""

    id: str
    title: str
    url: str
    revision: int
    text: str


@dataclass(frozen=True)
class SamePage:
    """A title that leads to a page which is known already."""

    id: str


class PageUnusableError(Exception):
    """One title or search cannot be used; the others may be."""


class WikipediaClient:
    """Pages and searches of the wiki whose API is at `url`; `user_agent` says who asks."""

    def __init__(self, api: WebApi, url: str, user_agent: str) -> None:
        self._api = api
        self._url = url
        self._user_agent = user_agent

    def search(self, text: str, results: int) -> list[str]:
        """Titles of the pages that a search finds, best first. Raises PageUnusableError where it finds none."""
        with self._package(f"the search {text!r}") as wikipedia:
            try:
                titles: list[str] = wikipedia.search(text, results=results)
            except (KeyError, TypeError) as error:
                raise PageUnusableError(f"the answer to the search has no {error}") from error
        if not titles:
            raise PageUnusableError("the search finds no page")
        return titles

    def page(self, title: str, known: Container[str]) -> WikiPage | SamePage:
        """The page of a title, behind its redirects; its text is not fetched where its id is `known`.

        A page that is moved or deleted between the two requests for it is asked for once more. Raises
        PageUnusableError where there is none, or where the title stands for several.
        """
        try:
            return self._page(title, known)
        except (KeyError, IndexError, TypeError, AssertionError):
            pass
        try:
            return self._page(title, known)
        except (KeyError, IndexError, TypeError, AssertionError) as error:
            reason = f"the API's answer is not that of a page ({type(error).__name__}: {one_line(str(error))})"
            raise PageUnusableError(reason) from error

    def _page(self, title: str, known: Container[str]) -> WikiPage | SamePage:
        with self._package(f"the page {title!r}") as wikipedia:
            try:
                page = wikipedia.page(title, auto_suggest=False)
            except wikipedia.PageError as error:
                raise PageUnusableError("there is no page of that title") from error
            except wikipedia.DisambiguationError as error:
                options = [*dict.fromkeys(error.options)]
                more = f" and {len(options) - _OPTIONS_SHOWN} more" if len(options) > _OPTIONS_SHOWN else ""
                listed = one_line("; ".join(options[:_OPTIONS_SHOWN]), 500)
                raise PageUnusableError(f"the title stands for several pages; name one: {listed}{more}") from error
            if page.pageid in known:
                return SamePage(page.pageid)
            text = page.content
            if not text.strip():
                raise PageUnusableError("the page has no text")
            return WikiPage(page.pageid, page.title, page.url, int(page.revision_id), text)

    @contextmanager
    def _package(self, what: str) -> Iterator[Any]:
        """The package's module, asking as it should for as long as the context lasts."""
        from bs4 import BeautifulSoup
        from wikipedia import wikipedia  # type: ignore[import-untyped]

        ours = {
            "API_URL": self._url,
            "USER_AGENT": self._user_agent,
            "RATE_LIMIT": False,
            "requests": _Requests(self._api, what),
            "BeautifulSoup": functools.partial(BeautifulSoup, features="html.parser"),
        }
        with _LOCK:
            theirs = {name: getattr(wikipedia, name) for name in ours}
            _set(wikipedia, ours)
            wikipedia.search.clear_cache()
            try:
                yield wikipedia
            finally:
                _set(wikipedia, theirs)
                wikipedia.search.clear_cache()


def _set(module: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(module, name, value)


class _Requests:
    """Stands in for `requests` in the package: asks through WebApi and checks what comes back."""

    def __init__(self, api: WebApi, what: str) -> None:
        self._api = api
        self._what = what

    def get(self, url: str, params: dict[str, Any], headers: dict[str, str]) -> requests.Response:
        # The package's `limit` is no parameter of the API, which would warn of it.
        sent = {name: value for name, value in params.items() if name != "limit"} | {"maxlag": MAXLAG_S}
        return self._api.ask(self._what, "GET", url, self._check, params=sent, headers=headers)

    def _check(self, response: requests.Response) -> None:
        """Raises for what the package would take for an answer: refusals, faults, and titles that are none."""
        if response.status_code != 200:
            said = one_line(response.reason or "")
            raise SourceError(
                f"{self._api.name}: HTTP {response.status_code} {said} for {self._what}. Check language, url and the "
                "contact in the environment"
            )
        try:
            answer = response.json()
        except ValueError as error:
            raise PassingFaultError("an answer that is not JSON") from error
        if not isinstance(answer, dict):
            raise PassingFaultError("an answer that is not a JSON object")
        if "error" in answer:
            code, info = str(answer["error"].get("code")), one_line(str(answer["error"].get("info")))
            if code in _PASSING_CODES or code.startswith("internal_api_error"):
                raise PassingFaultError(f"{code}: {info}", retry_after_s(response.headers))
            raise PageUnusableError(f"the API refuses it: {code}: {info}")
        query = answer.get("query")
        if isinstance(query, dict):
            self._check_titles(query)

    def _check_titles(self, query: dict[str, Any]) -> None:
        if "interwiki" in query and "pages" not in query:
            raise PageUnusableError("the title is one of another wiki")
        pages = query.get("pages")
        for page in pages.values() if isinstance(pages, dict) else ():
            if "invalid" in page:
                raise PageUnusableError(f"no title: {one_line(str(page.get('invalidreason', 'invalid')))}")
