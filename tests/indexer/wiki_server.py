"""A small MediaWiki: pages, redirects and searches behind the API that the `wikipedia` package asks.

Its answers have the form that the package reads, `format=json` in formatversion 1 (pages by id, `missing` and
`invalid` as empty strings, text under `*`), as recorded by the package's own tests
(https://github.com/goldsmith/Wikipedia/blob/04858d6653bb082848690db9fcc9eb9ea31aa122/tests/request_mock_data.py) and
described at https://www.mediawiki.org/wiki/API:Query, https://www.mediawiki.org/wiki/Extension:TextExtracts#API,
https://www.mediawiki.org/wiki/API:Search and, for a server that lags,
https://www.mediawiki.org/wiki/Manual:Maxlag_parameter
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.web_server import Answer, Asked

WIKI = "https://en.wikipedia.org/wiki/"

LAGGED = Answer(
    json.dumps(
        {
            "error": {
                "code": "maxlag",
                "info": "Waiting for 10.192.32.99: 5.21 seconds lagged.",
                "host": "10.192.32.99",
                "lag": 5.21,
                "*": "See https://en.wikipedia.org/w/api.php for API usage",
            },
            "servedby": "mw1349",
        }
    ).encode(),
    headers={"Retry-After": "0", "X-Database-Lag": "5"},
)


@dataclass
class Page:
    """A page; `options` are what a disambiguation page lists."""

    id: int
    text: str = ""
    revision: int = 1001
    options: tuple[str, ...] = ()


@dataclass
class Wiki:
    """Answers as MediaWiki would. `redirects` leads from title to title, `searches` from a text to titles."""

    pages: dict[str, Page]
    redirects: dict[str, str] = field(default_factory=dict)
    searches: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Answer:
        fields = asked.fields
        assert (asked.method, asked.path, fields["format"]) == ("GET", "/w/api.php", "json")
        assert fields["action"] == "query"
        if fields.get("list") == "search":
            return self._search(fields)
        answer = {
            "info|pageprops": self._info,
            "extracts|revisions": self._text,
            "revisions": self._html,
        }[fields["prop"]]
        return answer(fields)

    def _search(self, fields: dict[str, str]) -> Answer:
        titles = self.searches.get(fields["srsearch"], [])[: int(fields["srlimit"])]
        hits = [{"ns": 0, "title": title, "pageid": number} for number, title in enumerate(titles, 1)]
        return _json({"batchcomplete": "", "continue": {"sroffset": 10, "continue": "-||"}, "query": {"search": hits}})

    def _info(self, fields: dict[str, str]) -> Answer:
        asked = fields["titles"]
        if set(asked) & set("[]{}|"):
            reason = 'The requested page title contains invalid characters: "[".'
            return _pages({"-1": {"title": asked, "invalidreason": reason, "invalid": ""}})
        if asked.startswith("de:"):
            return _json({"batchcomplete": "", "query": {"interwiki": [{"title": asked, "iw": "de"}]}})
        more: dict[str, Any] = {}
        title = asked[:1].upper() + asked[1:]
        if title != asked:
            more["normalized"] = [{"from": asked, "to": title}]
        if title in self.redirects:
            more["redirects"] = [{"from": title, "to": self.redirects[title]}]
            title = self.redirects[title]
        page = self.pages.get(title)
        found = {"ns": 0, "title": title, "contentmodel": "wikitext", "pagelanguage": "en"}
        found |= {"fullurl": WIKI + title.replace(" ", "_")}
        if page is None:
            return _pages({"-1": {**found, "missing": ""}}, **more)
        found |= {"pageid": page.id, "lastrevid": page.revision, "length": len(page.text)}
        if page.options:
            found["pageprops"] = {"disambiguation": ""}
        return _pages({str(page.id): found}, **more)

    def _text(self, fields: dict[str, str]) -> Answer:
        title = fields["titles"]
        page = self.pages.get(title)
        if page is None:
            return _pages({"-1": {"ns": 0, "title": title, "missing": ""}})
        found = {"pageid": page.id, "ns": 0, "title": title, "extract": page.text}
        return _pages({str(page.id): {**found, "revisions": [{"revid": page.revision, "parentid": 1}]}})

    def _html(self, fields: dict[str, str]) -> Answer:
        title = fields["titles"]
        page = self.pages[title]
        items = "\n".join(f'<li><a href="/wiki/X" title="{name}">{name}</a>, a thing</li>' for name in page.options)
        html = f'<div class="mw-parser-output"><p><b>{title}</b> may refer to:\n</p><ul>{items}</ul></div>'
        revision = {"contentformat": "text/x-wiki", "contentmodel": "wikitext", "*": html}
        return _pages({str(page.id): {"pageid": page.id, "ns": 0, "title": title, "revisions": [revision]}})


def _pages(pages: dict[str, Any], **more: Any) -> Answer:
    return _json({"batchcomplete": "", "query": {**more, "pages": pages}})


def _json(answer: Any) -> Answer:
    return Answer(json.dumps(answer).encode(), 200, "application/json; charset=utf-8")
