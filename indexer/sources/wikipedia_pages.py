"""Pages of Wikipedia as passages: by title and by search, section by section.

One page is one document, however many titles lead to it; each passage's title names its section. The title of a
disambiguation page is a failure that lists what it may stand for: nothing is chosen for the user.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from indexer.config.web import WikipediaConfig
from indexer.errors import SourceError
from indexer.sources.context import SourceContext
from indexer.sources.documents import Document
from indexer.sources.fetching import Manners, PageStore
from indexer.sources.passages import count_documents, numbered_on, passages
from indexer.sources.progress import FetchProgress
from indexer.sources.web_api import WebApi, user_agent
from indexer.sources.wikipedia_client import PageUnusableError, SamePage, WikipediaClient
from indexer.sources.wikipedia_text import sections
from indexer.types import Passage, SourceFailure

MANNERS = Manners("Wikipedia", per_second=2)
"""Requests one after the other, as https://www.mediawiki.org/wiki/API:Etiquette asks; its limits are not published
as one number."""

LICENSE = "CC BY-SA 4.0"

CONTACT = "WIKIMEDIA_CONTACT"
"""The environment variable with the e-mail address or page of whoever runs the fetch. The User-Agent must name it:
https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy"""


class WikipediaSource:
    """Passages in the order of titles, then searches; what is fetched once stays in the folder `fetched`.

    `manners` is the pace of requests; without it Wikipedia's is held over all such sources.
    """

    def __init__(self, config: WikipediaConfig, context: SourceContext, manners: Manners | None = None) -> None:
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
        for record in self._fetched().records():
            if "reason" in record:
                yield SourceFailure(self.name, record["asked"], record["reason"])
            elif "text" in record:
                yield from self._sections(record)

    def _sections(self, record: Mapping[str, Any]) -> Iterator[Document]:
        for section in sections(record["text"], self._config.language):
            yield Document(
                id=f"wikipedia:{self._config.language}:{record['id']}",
                text=section.text,
                title=": ".join([record["title"], *section.headings]),
                license=LICENSE,
                attribution=f"Wikipedia contributors, {record['title']}, revision {record['revision']}",
                url=record["url"],
            )

    def _fetched(self) -> PageStore:
        """Everything asked for, on disk: a page of the store for each title and search, with what is still to do."""
        config = self._config
        identity = config.model_dump(mode="json", exclude={"fetched", "source"})
        store = PageStore.of(Path(config.fetched), self.name, identity)
        if store.complete:
            return store
        url = config.url or f"https://{config.language}.wikipedia.org/w/api.php"
        with FetchProgress(self.name, "pages", self._progress) as progress, WebApi(self._manners, progress.say) as api:
            steps = _Steps(WikipediaClient(api, url, _user_agent()), config.results)
            for record in store.records():
                steps.note(record)
            todo = store.cursor or {"titles": [*dict.fromkeys(config.titles)], "searches": config.searches}
            while todo["titles"] or todo["searches"]:
                most = len(todo["titles"]) + config.results * len(todo["searches"])
                progress.at(steps.done, steps.done + most)
                todo, records = steps.take(todo)
                store.append(records, todo, last=not (todo["titles"] or todo["searches"]))
            progress.at(steps.done, steps.done)
        return store


class _Steps:
    """One title or search at a time, none of it twice: knows the titles that were asked for and the pages' ids."""

    def __init__(self, client: WikipediaClient, results: int) -> None:
        self._client = client
        self._results = results
        self.done = 0
        self._titles: set[str] = set()
        self._ids: set[str] = set()

    def note(self, record: Mapping[str, Any]) -> None:
        """Knows from now on what a record is of, and counts it as done."""
        self.done += 1
        self._titles |= {record["asked"], record.get("title", record["asked"])}
        if "id" in record:
            self._ids.add(record["id"])

    def take(self, todo: Mapping[str, list[str]]) -> tuple[dict[str, list[str]], list[dict[str, Any]]]:
        """Does the first of `todo`, titles before searches. Returns what is then to do, and the records it gave."""
        if todo["titles"]:
            title, *titles = todo["titles"]
            record = self._title(title)
            self.note(record)
            return {"titles": titles, "searches": todo["searches"]}, [record]
        text, *searches = todo["searches"]
        try:
            found = self._client.search(text, self._results)
        except PageUnusableError as error:
            return {"titles": [], "searches": searches}, [{"asked": text, "reason": str(error)}]
        return {"titles": [title for title in found if title not in self._titles], "searches": searches}, []

    def _title(self, title: str) -> dict[str, Any]:
        try:
            page = self._client.page(title, self._ids)
        except PageUnusableError as error:
            return {"asked": title, "reason": str(error)}
        return {"asked": title, "same_as": page.id} if isinstance(page, SamePage) else {"asked": title, **asdict(page)}


def _user_agent() -> str:
    """Who asks. Raises SourceError, which does not quote it, where the environment names no contact."""
    contact = os.environ.get(CONTACT, "").strip()
    if not contact or not contact.isascii() or not contact.isprintable() or any(sign in contact for sign in "()"):
        raise SourceError(
            f"Wikipedia asks every program for a contact. Set {CONTACT} in the environment to an e-mail address or "
            "the address of a web page (plain letters, no brackets)"
        )
    libraries = (f"{name}/{importlib.metadata.version(name)}" for name in ("wikipedia", "requests"))
    return user_agent(f"({contact})", *libraries)
