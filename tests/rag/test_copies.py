"""Records that say the same are shown as one piece of evidence, with where else it stands."""

from __future__ import annotations

from indexer import Evidence, IndexInfo, Passage
from rag.show import evidence_table, index_text
from rag.types import evidence_json

FIRST = Passage("7#0", "A text.", "medquad", "7", license="CC BY 4.0")
OTHER = Passage("123#0", "A text.", "pubmed", "123", article="PMC1", license="CC0", url="https://example.org/123")


def test_copies_are_in_the_record_and_in_the_table() -> None:
    folded = Evidence(FIRST, 0.5, 1, copies=(OTHER,))
    assert evidence_json(folded)["copies"] == [
        {"id": "123#0", "source": "pubmed", "article": "PMC1", "license": "CC0", "url": "https://example.org/123"}
    ]
    assert "\n      also in pubmed (123#0)" in evidence_table([folded])


def test_without_copies_the_list_is_empty_and_the_table_says_nothing() -> None:
    assert evidence_json(Evidence(FIRST, 0.5, 1))["copies"] == []
    assert "also in" not in evidence_table([Evidence(FIRST, 0.5, 1)])


def test_info_says_how_many_are_duplicates() -> None:
    counts = {"passage": 3}
    text = index_text(IndexInfo("ix", 3, 1, "now", None, "", counts, counts, counts, counts, 0, 12, 3, (), 0))
    expected = "  duplicates: 12 records share another's vector; 3 images look like another (same perceptual hash)"
    assert expected in text.splitlines()
    assert "duplicates" not in index_text(IndexInfo("ix", 3, 1, "now", None, "", {}, {}, {}, {}, 0, 0, 0, (), 0))
