"""What the page writes of records: all of it escaped, nothing followed that is no address of the web."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from page_server import HOSTILE, SENTENCES, evidence, record

from service.page.html import cited, index_name, minutes, render, web_link

TAGS = frozenset(
    "article p span button details summary div table thead tbody tr th td dl dt dd ul ol li strong em h2 img br a "
    "section caption".split()
)


class Seen(HTMLParser):
    """Tags, attributes and words of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.words += data


def shown(**over: Any) -> Seen:
    return Seen(render("description.html", record=record(**over), title="Description", pictures={}))


def everywhere(value: Any) -> Any:
    """A record in which every text ends in what would be a script."""
    if isinstance(value, str):
        return f'{value}{HOSTILE}" onfocus="x'
    if isinstance(value, list):
        return [everywhere(one) for one in value]
    if isinstance(value, dict):
        return {key: everywhere(one) for key, one in value.items()}
    return value


def test_no_text_of_a_record_becomes_markup() -> None:
    hostile = everywhere(record() | {"question": "What?", "answer": "x", "adapter": "a"})
    seen = Seen(render("description.html", record=hostile, title=HOSTILE, pictures={}))
    assert set(seen.tags) <= TAGS
    assert "img" not in seen.tags
    assert [name for name, _ in seen.attributes if name.startswith("on")] == []
    assert seen.words.count(HOSTILE) > 15, "the texts were not shown at all"


@pytest.mark.parametrize(
    ("url", "followed"),
    [
        ("https://example.org/a?page=2&token=secret", "https://example.org/a?page=2"),
        ("http://user:word@example.org/", "http://example.org/"),
        ("javascript:alert(1)", None),
        ("JaVaScRiPt://example.org/%0aalert(1)", None),
        ("data:text/html,<script>", None),
        ("file:///etc/passwd", None),
        ("//example.org/", None),
        ("https://", None),
        ("https://[", None),
        ("", None),
        (None, None),
    ],
)
def test_only_addresses_of_the_web_are_followed_and_without_secrets(url: str | None, followed: str | None) -> None:
    assert web_link(url) == followed


def test_characters_that_turn_the_direction_of_letters_are_gone() -> None:
    turned = shown(sentences=[{"text": "left\u202eright", "citations": [], "support": 0.0, "basis": None}])
    assert "leftright" in turned.words


def test_each_sentence_shows_its_support() -> None:
    seen = shown()
    classes = [value for name, value in seen.attributes if name == "class" and value and "ls-sentence" in value]
    assert classes == ["ls-sentence is-supported"] * 2 + ["ls-sentence is-unsupported"]
    assert all(sentence in seen.words for sentence in SENTENCES)
    assert "not in the evidence" in seen.words
    assert cited(record()) == {1, 2}


def test_a_withheld_text_is_not_shown_and_an_abstention_is_plain() -> None:
    withheld = shown(withheld="Lies.", abstained=True, abstained_because="confidence 0.2 is below 0.5", sentences=[])
    assert "No description." in withheld.words
    assert "confidence 0.2 is below 0.5" in withheld.words
    assert "Lies." not in withheld.words
    assert "The model abstained." in shown(abstained=True).words


def test_labels_come_with_their_probabilities_the_likeliest_first() -> None:
    seen = shown(label_probabilities={"no": 0.2, "yes": 0.8})
    assert seen.words.index("80.0 %") < seen.words.index("20.0 %")


def test_a_path_of_this_machine_is_not_shown() -> None:
    assert "somebody" not in shown().words
    assert index_name("/data/medpix@3:ab") == "medpix@3:ab"


def test_evidence_names_source_licence_author_and_copies() -> None:
    copy = {"id": "c", "source": "elsewhere", "article": None, "license": None, "url": None}
    seen = shown(evidence=[evidence(1, "A caption.") | {"copies": [copy]}, evidence(2, "B") | {"license": None}])
    for said in ("archive", "case-1", "CC BY-NC 4.0", "A. Author", "Also in elsewhere (c)", "Licence: not stated"):
        assert said in seen.words


@pytest.mark.parametrize(("seconds", "said"), [(0.2, "1 s"), (61, "61 s"), (600, "10 min"), (7200, "2.0 h")])
def test_times_are_said_as_people_say_them(seconds: float, said: str) -> None:
    assert minutes(seconds) == said
