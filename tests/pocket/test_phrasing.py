import random

import pytest

from pocket.facts import CANNOT_TELL, KINDS, Facts, caption, count_words, kind_phrase
from pocket.language import read_facts
from pocket.phrasing import index_caption, questions


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "no"), (1, "one"), (4, "four"), (11, "about 11"), (30, "about 30"), (63, "about 65"), (900, "more than 200")],
)
def test_counts_are_said_as_surely_as_they_are_known(count: int, words: str) -> None:
    assert count_words(count) == words


@pytest.mark.parametrize("kind", KINDS)
def test_a_caption_says_its_own_kind_and_no_other(kind: str) -> None:
    facts = Facts(kind, red=12, white=1, nuclei=30)  # type: ignore[arg-type]
    assert [k for k in KINDS if kind_phrase(Facts(k)) in caption(facts)] == [kind]


def test_captions_of_known_facts() -> None:
    smear = Facts("smear", red=14, white=1)
    assert caption(smear) == "Blood smear, light microscopy. About 14 red cells and one white cell."
    told = Facts("smear", red=14, white=1, platelets=0, cell="monocyte")
    assert (
        caption(told)
        == "Blood smear, light microscopy. About 14 red cells, one white cell (monocyte) and no platelets."
    )
    assert (
        caption(Facts("fluorescence", nuclei=1)) == "Fluorescence microscopy. One bright nucleus on a dark background."
    )
    assert caption(Facts("ct", organ="head", plane="axial")) == "Axial CT of the head."
    assert caption(Facts("xray", organ="chest", plane="frontal")) == "Chest X-ray, frontal view."
    assert caption(Facts("unknown")) == CANNOT_TELL


@pytest.mark.parametrize("kind", KINDS)
def test_questions_of_every_kind_have_answers(kind: str) -> None:
    facts = Facts(kind, organ="head", plane="axial", red=3, white=0, nuclei=4, stain="he")  # type: ignore[arg-type]
    rng = random.Random(0)
    assert all(question and answer.endswith(".") for question, answer in questions(facts, rng))
    assert index_caption(facts, rng).endswith(".")


def test_a_radiology_caption_settles_its_kind_only_where_it_names_one() -> None:
    assert read_facts("Axial CT of the brain.") == Facts("ct", organ="head", plane="axial")
    assert read_facts("T2-weighted MRI of the lumbar spine, sagittal.") == Facts("mr", organ="spine", plane="sagittal")
    assert read_facts("CT and MRI of the brain.") == Facts("unknown", organ="head")
    assert read_facts("Ultrasound of the liver.") == Facts("unknown", organ="abdomen")
