"""What a description rests on, by licence."""

from __future__ import annotations

from dataclasses import replace

import pytest

from configs import ConfigError
from indexer.types import Evidence, Example, Passage
from rag.attribution import caution, licenses_used
from rag.config import EvidenceFilter, resolve
from rag.types import evidence_json


def shown(number: int, license_: str | None, by: str | None = None) -> Evidence:
    record = Example(f"e{number}", "A text.", "s", license=license_, attribution=by, url=f"https://u:pw@h/{number}")
    return Evidence(record, 0.5, number, number)


def test_every_licence_is_listed_with_what_is_cited_first() -> None:
    evidence = [
        shown(1, "CC BY 4.0", "A"),
        shown(2, "CC BY-NC 4.0", "B"),
        shown(3, "CC BY-NC 4.0", "B"),
        shown(4, None),
    ]
    uses = licenses_used(evidence, {3})
    assert [(use.license, use.cited, use.shown) for use in uses] == [
        ("CC BY-NC 4.0", (3,), (2,)),
        ("CC BY 4.0", (), (1,)),
        (None, (), (4,)),
    ]
    assert uses[0].attributions == ("B",)
    assert uses[0].urls == ("https://h/3", "https://h/2")
    assert uses[0].terms == ("attribution", "non-commercial")
    assert uses[2].family is None


@pytest.mark.parametrize(
    ("licenses", "cited", "told"),
    [
        (["CC BY-NC 4.0"], {1}, "rests on evidence under CC BY-NC 4.0: not for commercial use"),
        (["CC BY-NC 4.0"], set(), "its prompt held evidence under CC BY-NC 4.0: not for commercial use"),
        (["CC BY-NC-SA"], {1}, "rests on evidence under CC BY-NC-SA: not for commercial use and to be shared alike"),
        (["not stated"], {1}, "rests on evidence under no known licence (not stated)"),
        (
            ["CC BY-SA 4.0", None],
            {1},
            "rests on evidence under CC BY-SA 4.0: to be shared alike; its prompt held evidence under no known licence",
        ),
        (["CC BY 4.0", "CC0", "MIT"], {1, 2}, None),
        ([], set(), None),
    ],
)
def test_what_to_heed_is_one_line(licenses: list[str | None], cited: set[int], told: str | None) -> None:
    evidence = [shown(number, name) for number, name in enumerate(licenses, start=1)]
    assert caution(licenses_used(evidence, cited)) == told


def test_evidence_says_whose_it_is_and_no_secret() -> None:
    said = evidence_json(shown(1, "CC BY 4.0", "A"))
    assert (said["attribution"], said["url"], said["title"]) == ("A", "https://h/1", None)
    passage = Evidence(Passage("p", "A text.", "s", "p", title="T"), 0.5, 1, 1)
    assert evidence_json(passage)["title"] == "T"
    assert evidence_json(replace(passage, number=2))["url"] is None


def test_allowing_what_states_no_licence_is_refused() -> None:
    with pytest.raises(ConfigError, match="'not stated' states no licence"):
        resolve(retrieval__only__allow_licenses=["not stated"])
    only: EvidenceFilter = resolve(retrieval__only__allow_licenses=["CC BY"]).retrieval.only
    assert only.filter().allow_licenses == {"CC BY"}
