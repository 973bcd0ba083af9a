"""Wikipedia over real HTTP: what is asked, what becomes of the answers, and what happens when it goes wrong."""

from __future__ import annotations

import json
import threading
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import wikipedia as package
from api_makers import ATTEMPTS, PASSING, first, kill_in_the_middle, quick
from index_makers import WordCounter
from wiki_server import LAGGED, Page, Wiki

import configs
from indexer import IndexConfig, Passage, SourceError, SourceFailure, load_config
from indexer.config.web import WikipediaConfig
from indexer.sources import open_source
from indexer.sources.context import SourceContext
from indexer.sources.wikipedia_pages import CONTACT, MANNERS, WikipediaSource
from indexer.sources.wikipedia_text import Section, sections
from tests.web_server import Answer, Asked, WebServer, web_server

TEXT = """A pneumothorax is air in the pleural space.


== Signs and symptoms ==
The chest hurts.


=== Clinical ===
Breath sounds are weak.


== Causes ==


=== Primary spontaneous ===
Often in tall, thin men.


== See also ==
Hemothorax


== References ==


=== Bibliography ===
A book.


== External links ==
A page."""

ADDRESS = "someone@hospital.example"


@pytest.fixture(autouse=True)
def contact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTACT, ADDRESS)


def wiki() -> Wiki:
    return Wiki(
        pages={
            "Pneumothorax": Page(48530, TEXT, 1290000001),
            "Lung": Page(18458, "The lungs are for breathing.", 1290000002),
            "Mercury": Page(18617, "Mercury may refer to:", 1290000003, ("Mercury (planet)", "Mercury (element)")),
            "Empty": Page(5, " ", 7),
        },
        redirects={"Collapsed lung": "Pneumothorax", "Lungs": "Lung"},
        searches={"air in the chest": ["Pneumothorax", "Lung", "Mercury"], "nothing": []},
    )


def source(server: WebServer, folder: Path, **more: Any) -> WikipediaSource:
    config = {"kind": "wikipedia", "url": f"{server.url}/w/api.php", "fetched": str(folder), **more}
    return WikipediaSource(WikipediaConfig.model_validate(config), SourceContext(WordCounter()), quick("Wikipedia"))


def asked_of(server: WebServer) -> list[tuple[str, str]]:
    """What was asked, in order: the title or search, and the properties."""
    return [
        (asked.fields.get("titles") or asked.fields["srsearch"], asked.fields.get("prop", "search"))
        for asked in server.asked
    ]


def test_a_page_becomes_passages_by_section(tmp_path: Path) -> None:
    with web_server(wiki()) as server:
        items = source(server, tmp_path, titles=["Pneumothorax"])
        assert (len(items), len(list(items))) == (1, 4)  # pages, passages
        passages = [item for item in items if isinstance(item, Passage)]
    assert [(passage.id, passage.title, passage.text) for passage in passages] == [
        ("wikipedia:en:48530#0", "Pneumothorax", "A pneumothorax is air in the pleural space."),
        ("wikipedia:en:48530#1", "Pneumothorax: Signs and symptoms", "The chest hurts."),
        ("wikipedia:en:48530#2", "Pneumothorax: Signs and symptoms: Clinical", "Breath sounds are weak."),
        ("wikipedia:en:48530#3", "Pneumothorax: Causes: Primary spontaneous", "Often in tall, thin men."),
    ]
    for passage in passages:
        assert (passage.source, passage.source_id) == ("wikipedia", "wikipedia:en:48530")
        assert passage.license == "CC BY-SA 4.0"
        assert passage.attribution == "Wikipedia contributors, Pneumothorax, revision 1290000001"
        assert passage.url == "https://en.wikipedia.org/wiki/Pneumothorax"


def test_the_requests_are_those_wikimedia_asks_for(tmp_path: Path) -> None:
    with web_server(wiki()) as server:
        list(source(server, tmp_path, titles=["Lung"], searches=["air in the chest"], results=2))
    assert asked_of(server) == [
        ("Lung", "info|pageprops"),
        ("Lung", "extracts|revisions"),
        ("air in the chest", "search"),
        ("Pneumothorax", "info|pageprops"),
        ("Pneumothorax", "extracts|revisions"),
    ]
    for asked in server.asked:
        assert asked.fields["maxlag"] == "5"
        assert "limit" not in asked.fields
        agent = asked.headers["user-agent"]
        assert agent.startswith("Lumenscribe-bot/")
        assert f" ({ADDRESS}) wikipedia/{version('wikipedia')} requests/" in agent
        assert "gzip" in asked.headers["accept-encoding"]
    assert server.asked[1].fields["rvprop"] == "ids"
    assert server.asked[2].fields["srlimit"] == "2"


def test_titles_that_lead_to_one_page_give_it_once(tmp_path: Path) -> None:
    titles = ["collapsed lung", "Pneumothorax", "Collapsed lung", "pneumothorax"]
    with web_server(wiki()) as server:
        items = list(source(server, tmp_path, titles=titles, searches=["air in the chest"], results=2))
    assert [item.id for item in items] == [*(f"wikipedia:en:48530#{n}" for n in range(4)), "wikipedia:en:18458#0"]
    assert [title for title, prop in asked_of(server) if prop == "extracts|revisions"] == ["Pneumothorax", "Lung"]


def test_titles_that_are_no_page_are_failures_with_the_reason(tmp_path: Path) -> None:
    titles = ["Mercury", "Purpleberry", "A[b", "de:Lunge", "Empty", "Lung"]
    with web_server(wiki()) as server:
        items = list(source(server, tmp_path, titles=titles, searches=["nothing"]))
    assert [(item.id, item.reason) for item in items if isinstance(item, SourceFailure)] == [
        ("Mercury", "the title stands for several pages; name one: Mercury (planet); Mercury (element)"),
        ("Purpleberry", "there is no page of that title"),
        ("A[b", 'no title: The requested page title contains invalid characters: "[".'),
        ("de:Lunge", "the title is one of another wiki"),
        ("Empty", "the page has no text"),
        ("nothing", "the search finds no page"),
    ]
    assert [item.id for item in items if isinstance(item, Passage)] == ["wikipedia:en:18458#0"]


def test_a_long_disambiguation_page_is_cut(tmp_path: Path) -> None:
    many = Wiki({"Ram": Page(1, "", 2, tuple(f"Ram {n}" for n in range(20)))})
    with web_server(many) as server:
        (item,) = source(server, tmp_path, titles=["Ram"])
    assert isinstance(item, SourceFailure)
    assert item.reason.endswith("Ram 6; Ram 7 and 12 more")


def test_a_refused_search_is_a_failure_and_the_rest_goes_on(tmp_path: Path) -> None:
    refusal = {"error": {"code": "cirrussearch-query-too-long", "info": "Search request is longer than 300."}}
    whole = wiki()

    def answer(asked: Asked) -> Answer:
        refused = len(asked.fields.get("srsearch", "")) > 300
        return Answer(json.dumps(refusal).encode()) if refused else whole(asked)

    with web_server(answer) as server:
        items = list(source(server, tmp_path, searches=["long " * 70, "air in the chest"], results=1))
    assert isinstance(items[0], SourceFailure)
    assert items[0].reason == "the API refuses it: cirrussearch-query-too-long: Search request is longer than 300."
    assert len(items) == 1 + 4


@pytest.mark.parametrize(
    "fault",
    [
        *PASSING,
        LAGGED,
        Answer(b'{"error": {"code": "ratelimited", "info": "You have exceeded your rate limit."}}'),
        Answer(b'{"error": {"code": "internal_api_error_DBQueryError", "info": "[x] Caught exception."}}'),
        Answer(b'{"batchcomplete": "", "query": {"pa'),
        Answer(b"[]"),
        Answer(b"<!DOCTYPE html><title>Wikimedia Error</title>", 200, "text/html"),
        Answer(b'{"batchcomplete": ""}', cut=5),
    ],
    ids=lambda answer: f"{answer.status}-{len(answer.body)}-{answer.cut}",
)
@pytest.mark.parametrize("at", ["info|pageprops", "extracts|revisions", "search"])
def test_faults_that_pass_are_asked_again(tmp_path: Path, fault: Answer, at: str) -> None:
    whole, faults = wiki(), [fault, fault]

    def answer(asked: Asked) -> Answer:
        return faults.pop() if faults and asked.fields.get("prop", "search") == at else whole(asked)

    with web_server(answer) as server:
        items = list(source(server, tmp_path, searches=["air in the chest"], results=1))
    assert len(items) == 4
    assert len(server.asked) == 3 + 2


def test_an_api_that_stays_down_keeps_what_was_fetched(tmp_path: Path) -> None:
    whole = wiki()

    def answer(asked: Asked) -> Answer:
        return whole(asked) if asked.fields["titles"] == "Pneumothorax" else Answer(b"", 503)

    with web_server(answer) as server:
        items = source(server, tmp_path, titles=["Pneumothorax", "Lung"])
        with pytest.raises(SourceError, match=f"the page 'Lung' failed {ATTEMPTS} times: HTTP 503. What was fetched"):
            len(items)
        server.answer = whole
        assert (len(items), len(list(items))) == (2, 5)  # pages, passages
    assert asked_of(server) == [
        ("Pneumothorax", "info|pageprops"),
        ("Pneumothorax", "extracts|revisions"),
        *[("Lung", "info|pageprops")] * ATTEMPTS,
        ("Lung", "info|pageprops"),
        ("Lung", "extracts|revisions"),
    ]


def test_a_server_that_asks_for_a_long_wait_is_not_waited_for(tmp_path: Path) -> None:
    with (
        web_server(lambda _: Answer(b"", 429, headers={"Retry-After": "3600"})) as server,
        pytest.raises(SourceError, match="the page 'Lung' asks to wait 3600 s"),
    ):
        len(source(server, tmp_path, titles=["Lung"]))
    assert len(server.asked) == 1


def test_a_page_that_moves_between_its_two_requests_is_asked_for_again(tmp_path: Path) -> None:
    moving = wiki()

    def answer(asked: Asked) -> Answer:
        made = moving(asked)
        moving.pages["Lung"] = Page(99, "The lungs, rewritten.", 1290000009)
        return made

    with web_server(answer) as server:
        (item,) = source(server, tmp_path, titles=["Lung"])
    assert isinstance(item, Passage)
    assert (item.id, item.text) == ("wikipedia:en:99#0", "The lungs, rewritten.")
    assert item.attribution == "Wikipedia contributors, Lung, revision 1290000009"
    assert len(server.asked) == 4


def test_a_page_that_is_deleted_between_its_two_requests_is_a_failure(tmp_path: Path) -> None:
    whole, gone = wiki(), wiki()
    del gone.pages["Lung"]

    def answer(asked: Asked) -> Answer:
        return (gone if asked.fields["prop"] == "extracts|revisions" else whole)(asked)

    with web_server(answer) as server:
        (item,) = source(server, tmp_path, titles=["Lung"])
    assert isinstance(item, SourceFailure)
    assert item.reason.startswith("the API's answer is not that of a page (KeyError")


def test_what_was_fetched_is_never_fetched_again(tmp_path: Path) -> None:
    with web_server(first([LAGGED], wiki())) as server:
        before = list(source(server, tmp_path, titles=["Lung", "Mercury"]))
        asked = len(server.asked)
        assert list(source(server, tmp_path, titles=["Lung", "Mercury"])) == before
        assert len(server.asked) == asked
        list(source(server, tmp_path, titles=["Lung", "Mercury"], language="de"))
        assert len(server.asked) > asked


KILLED = """
import sys
from indexer.config.web import WikipediaConfig
from indexer.sources.fetching import Manners
from indexer.sources.wikipedia_pages import WikipediaSource
from indexer import load_embedder
from indexer.sources.context import SourceContext
context = SourceContext(load_embedder("minilm"))
config = {"kind": "wikipedia", "searches": ["air in the chest"], "url": sys.argv[1], "fetched": sys.argv[2]}
len(WikipediaSource(WikipediaConfig.model_validate(config), context, Manners("Wikipedia", per_second=1e6)))
"""


def test_a_fetch_that_was_killed_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole, dead = wiki(), threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.fields.get("titles") == "Lung":
            dead.wait(60)
            return Answer(b"", cut=0)
        return whole(asked)

    with web_server(answer) as server:
        kill_in_the_middle(KILLED, [f"{server.url}/w/api.php", str(tmp_path)], server, requests=4)
        dead.set()
        server.answer = whole
        whole.searches.clear()  # what the search found then is what is gone on with
        items = list(source(server, tmp_path, searches=["air in the chest"]))
    assert [item.id for item in items] == [
        *(f"wikipedia:en:48530#{n}" for n in range(4)),
        "wikipedia:en:18458#0",
        "Mercury",
    ]
    assert asked_of(server)[:5] == [
        ("air in the chest", "search"),
        ("Pneumothorax", "info|pageprops"),
        ("Pneumothorax", "extracts|revisions"),
        ("Lung", "info|pageprops"),
        ("Lung", "info|pageprops"),
    ]


@pytest.mark.parametrize("value", ["", "  ", "a\nb@c.example", "müller@c.example", "me (home)"])
def test_without_a_contact_nothing_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv(CONTACT, value)
    with (
        web_server(wiki()) as server,
        pytest.raises(SourceError, match=f"^Wikipedia asks every program for a contact. Set {CONTACT}") as error,
    ):
        len(source(server, tmp_path, titles=["Lung"]))
    assert server.asked == []
    assert "c.example" not in str(error.value)


def test_the_contact_is_in_no_record_file_or_message(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with web_server(first([Answer(b"", 500)], wiki())) as server:
        items = list(source(server, tmp_path, titles=["Lung", "Mercury"]))
        server.answer = lambda _: Answer(b"Please set a user-agent", 403)
        with pytest.raises(SourceError, match=r"HTTP 403 .* for the page 'Else'. Check language, url and the") as error:
            len(source(server, tmp_path, titles=["Else"]))
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for text in (*files, str(items), str(error.value), caplog.text):
        assert ADDRESS not in text


def test_the_package_is_left_as_it_was(tmp_path: Path) -> None:
    module = package.wikipedia
    names = ("API_URL", "USER_AGENT", "RATE_LIMIT", "requests", "BeautifulSoup")
    before = [getattr(module, name) for name in names]
    with web_server(wiki()) as server:
        list(source(server, tmp_path, titles=["Mercury"], searches=["air in the chest"]))
        server.answer = lambda _: Answer(b"", 404)
        with pytest.raises(SourceError):
            len(source(server, tmp_path, titles=["Else"]))
    assert [getattr(module, name) for name in names] == before
    assert module.search._cache == {}


def test_the_api_is_asked_over_https_in_the_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    urls: list[str] = []

    class Client:
        def __init__(self, _api: object, url: str, _agent: str) -> None:
            urls.append(url)

        def page(self, title: str, _known: object) -> object:
            from indexer.sources.wikipedia_client import WikiPage

            return WikiPage("1", title, "u", 2, "Luft.")

    monkeypatch.setattr("indexer.sources.wikipedia_pages.WikipediaClient", Client)
    config = {"kind": "wikipedia", "titles": ["Lunge"], "language": "de", "fetched": str(tmp_path)}
    (item,) = WikipediaSource(WikipediaConfig.model_validate(config), SourceContext(WordCounter()))
    assert item.id == "wikipedia:de:1#0"
    assert urls == ["https://de.wikipedia.org/w/api.php"]


def test_sections_are_found_by_their_headings() -> None:
    assert list(sections(TEXT, "en")) == [
        Section((), "A pneumothorax is air in the pleural space."),
        Section(("Signs and symptoms",), "The chest hurts."),
        Section(("Signs and symptoms", "Clinical"), "Breath sounds are weak."),
        Section(("Causes", "Primary spontaneous"), "Often in tall, thin men."),
    ]
    german = "Luft.\n== Quellen ==\nEin Buch.\n== Sources ==\na = b == c\n"
    assert [section.headings for section in sections(german, "de")] == [(), ("Sources",)]
    assert [section.headings for section in sections(german, "xx")] == [(), ("Quellen",), ("Sources",)]
    assert list(sections("", "en")) == []


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "name titles, searches, or both"),
        ({"titles": [""]}, "titles"),
        ({"titles": ["a"], "language": "evil.example/"}, "language"),
        ({"titles": ["a"], "langauge": "en"}, "did you mean 'language'"),
    ],
)
def test_configs_that_cannot_be(config: dict[str, Any], message: str) -> None:
    with pytest.raises(configs.ConfigError, match=message):
        configs.parse(IndexConfig, {"out": "x", "sources": [{"kind": "wikipedia", **config}]}, "mine.yaml")


def test_the_shipped_config() -> None:
    (shipped,) = load_config("wikipedia").sources
    assert isinstance(shipped, WikipediaConfig)
    assert shipped.holds == "passages"
    opened = open_source(shipped, SourceContext(WordCounter()))
    assert isinstance(opened, WikipediaSource)
    assert opened._manners is MANNERS
