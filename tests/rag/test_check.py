"""Sentences are cut where they end, and cite the evidence that holds their terms."""

import pytest

from indexer.types import Evidence, Example
from rag.check import cite, split_sentences


def numbered(*texts: str) -> list[Evidence]:
    return [
        Evidence(Example(f"e{n}", text, "test"), score=0.5, rank=n, number=n) for n, text in enumerate(texts, start=1)
    ]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("A mass of 3.5 cm. No effusion.", ["A mass of 3.5 cm.", "No effusion."]),
        ("See Fig. 2 for the lesion. It is large.", ["See Fig. 2 for the lesion.", "It is large."]),
        ("Stained with e.g. Giemsa. Done.", ["Stained with e.g. Giemsa.", "Done."]),
        ("Findings: a mass.\nImpression: tumour.", ["Findings: a mass.", "Impression: tumour."]),
        ("  \n ", []),
        ("no full stop", ["no full stop"]),
    ],
)
def test_sentences(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_a_sentence_cites_the_evidence_that_holds_its_terms() -> None:
    evidence = numbered("Chest radiograph of a child.", "Blood smear with many red cells and one white cell.")
    (sentence,) = cite("Blood smear with many red cells.", evidence, 0.6)
    assert sentence.citations == (2,)
    assert sentence.support == 1.0


def test_what_no_evidence_says_is_unsupported() -> None:
    (sentence,) = cite("Axial CT of the abdomen.", numbered("Blood smear with red cells."), 0.6)
    assert sentence.citations == ()
    assert sentence.support == 0.0


@pytest.mark.parametrize(
    ("sentence", "near_miss"),
    [
        ("No effusion.", "Large pleural effusion."),
        ("About 20 red cells and one white cell.", "About 25 red cells and one white cell."),
        ("About 20 red cells and no white cells.", "About 20 red cells and one white cell."),
        ("A mass in the left lung.", "A mass in the right lung."),
    ],
)
def test_another_number_side_or_negation_is_no_support(sentence: str, near_miss: str) -> None:
    (checked,) = cite(sentence, numbered(near_miss), 0.6)
    assert (checked.citations, checked.support) == ((), 0.0)
    (checked,) = cite(sentence, numbered(near_miss, sentence), 0.6)
    assert checked.citations == (2,)


def test_the_best_evidence_comes_first_and_ties_keep_the_prompts_order() -> None:
    evidence = numbered("Red cells.", "Red cells and platelets.", "Red cells and platelets.")
    (sentence,) = cite("Red cells, platelets.", evidence, 0.5)
    assert sentence.citations == (2, 3, 1)


def test_no_evidence_at_all() -> None:
    assert cite("Anything.", [], 0.6)[0].support == 0.0
