"""A web search as passages, through Tavily: https://docs.tavily.com/documentation/api-reference/endpoint/search

Web pages are evidence of another kind than articles, so their source is always "web:tavily". Nothing asks the
web but a configuration that names this source. The key is in the environment and nowhere else: it is sent in the
request's header, and no file, record, log or message has it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer.config.web import TavilyConfig
from indexer.errors import SourceError
from indexer.sources.context import SourceContext
from indexer.sources.documents import Document
from indexer.sources.fetching import Manners, PageStore, PassingFaultError
from indexer.sources.passages import count_documents, numbered_on, passages
from indexer.sources.progress import FetchProgress
from indexer.sources.web_api import WebApi, one_line, user_agent
from indexer.types import Passage, SourceFailure

if TYPE_CHECKING:
    import requests

API_URL = "https://api.tavily.com/search"
KEY = "TAVILY_API_KEY"
LICENSE = "unknown: web page"

MANNERS = Manners("Tavily", per_second=1.5)
"""Below the 100 requests a minute of a development key: https://docs.tavily.com/documentation/rate-limits"""

_REFUSALS = {
    401: f"the key in {KEY} is not valid. Set {KEY} to one from https://app.tavily.com",
    403: f"the key in {KEY} may not ask this. Set {KEY} to one that may",
    432: "the plan's limit is used up. What was fetched is kept; run again once there are credits",
    433: "the pay-as-you-go limit is used up. What was fetched is kept; run again once it is raised",
}
"""What each status of the API's that does not pass means, and what to do."""


class TavilySource:
    """Passages in the order of queries and of each one's results; what is fetched once stays in the folder `fetched`.

    `manners` is the pace of requests; without it Tavily's is held over all such sources.
    """

    def __init__(self, config: TavilyConfig, context: SourceContext, manners: Manners | None = None) -> None:
        self.name = config.name
        self._config = config
        self._chunker = context.chunker
        self._progress = context.progress
        self._manners = manners or MANNERS

    def __len__(self) -> int:
        return count_documents(self._items())

    def __iter__(self) -> Iterator[Passage | SourceFailure]:
        return numbered_on(passages(self._items(), self.name, self._chunker))

    def _items(self) -> Iterator[Document | SourceFailure]:
        seen: set[tuple[str, str]] = set()
        for record in self._fetched().records():
            if "reason" in record:
                yield SourceFailure(self.name, record["place"], record["reason"])
            elif (record["url"], record["text"]) not in seen:
                seen.add((record["url"], record["text"]))
                yield _document(record)

    def _fetched(self) -> PageStore:
        """The results of all queries on disk, a page of the store for each; asks those that are not there yet."""
        config = self._config
        identity = config.model_dump(mode="json", exclude={"fetched"})
        store = PageStore.of(Path(config.fetched), self.name, identity)
        if store.complete:
            return store
        key = _key()
        done, total = store.cursor or 0, len(config.queries)
        with (
            FetchProgress(self.name, "searches", self._progress) as progress,
            WebApi(self._manners, progress.say) as api,
        ):
            progress.at(done, total)
            for number in range(done, total):
                records = _search(api, key, config, config.queries[number])
                store.append(records, number + 1, last=number + 1 == total)
                progress.at(number + 1, total)
        return store


def _document(record: Mapping[str, Any]) -> Document:
    """One result: a part of a web page."""
    url = record["url"]
    return Document(id=url, text=record["text"], title=record["title"], license=LICENSE, attribution=url, url=url)


def _search(api: WebApi, key: str, config: TavilyConfig, query: str) -> list[dict[str, Any]]:
    """What one query finds, as records to keep; results that cannot be used keep the reason."""
    body: dict[str, Any] = {"query": query, "max_results": config.max_results, "search_depth": "basic"}
    if config.include_domains:
        body["include_domains"] = config.include_domains
    what = f"the search {query!r}"
    answers: list[list[Any]] = []

    def check(response: requests.Response) -> None:
        _refuse(response, what, key)
        answers.append(_results(response))

    headers = {"user-agent": user_agent()}
    api.ask(what, "POST", config.url or API_URL, check, json=body, headers=headers, auth=_bearer(key))
    found = answers[-1]
    if not found:
        return [{"place": query, "reason": "the search finds nothing"}]
    return [_record(result, f"{query}: result {number}") for number, result in enumerate(found, 1)]


def _results(response: requests.Response) -> list[Any]:
    try:
        answer = response.json()
    except ValueError as error:
        raise PassingFaultError("an answer that is not JSON") from error
    results = answer.get("results") if isinstance(answer, dict) else None
    if not isinstance(results, list):
        raise PassingFaultError("an answer without results")
    return results


def _record(result: Any, place: str) -> dict[str, Any]:
    """A result as it is kept on disk: not its score, which is Tavily's own and changes."""
    if not isinstance(result, dict):
        return {"place": place, "reason": "not an object"}
    url, text, title = (" ".join(str(result.get(name) or "").split()) for name in ("url", "content", "title"))
    if not url.startswith(("https://", "http://")):
        return {"place": place, "reason": "has no web address"}
    if not text:
        return {"place": place, "reason": f"{url} has no text"}
    return {"url": url, "text": text, "title": title or None}


def _refuse(response: requests.Response, what: str, key: str) -> None:
    """Raises SourceError for a status that does not pass, with what the API says of it, the key struck out."""
    status = response.status_code
    if status == 200:
        return
    if status in _REFUSALS:
        raise SourceError(f"Tavily: {what}: HTTP {status}: {_REFUSALS[status]}")
    try:
        answer = response.json()
    except ValueError:
        answer = None
    detail = answer.get("detail", "") if isinstance(answer, dict) else ""
    said = detail.get("error", "") if isinstance(detail, dict) else detail
    reason = one_line(str(said).replace(key, "***")).rstrip(".") or "no reason given"
    raise SourceError(f"Tavily: {what}: HTTP {status}: {reason}. Mend the query or the url")


def _key() -> str:
    """The key. Raises SourceError, which does not quote it, where the environment has none that can be sent."""
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise SourceError(f"Tavily: no key. Set {KEY} in the environment, or take the source out of the config")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise SourceError(f"Tavily: {KEY} has signs in it that no key has. Set it again")
    return key


def _bearer(key: str) -> requests.auth.AuthBase:
    """Puts the key into the request's header as it is sent; a `.netrc` cannot replace it."""
    from requests.auth import AuthBase

    class Bearer(AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {key}"
            return request

    return Bearer()
