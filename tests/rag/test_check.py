"""Sentences are cut where they end, and cite the evidence that says what they say."""

import pytest

from indexer.types import Evidence, Passage
from rag.check import Checker, split_sentences
from rag.check.reading import read
from rag.check.support import contradicts, says_more
from rag.types import Sentence
from tests.rag.conftest import numbered


def cite(text: str, evidence: list[Evidence], threshold: float = 0.6) -> tuple[Sentence, ...]:
    return Checker(threshold).check(text, evidence).sentences


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
    (sentence,) = cite("Blood smear with many red cells.", evidence)
    assert sentence.citations == (2,)
    assert sentence.support == 1.0
    assert sentence.basis == "terms"


def test_what_no_evidence_says_is_unsupported() -> None:
    (sentence,) = cite("Axial CT of the abdomen.", numbered("Blood smear with red cells."))
    assert (sentence.citations, sentence.support, sentence.basis) == ((), 0.0, None)


@pytest.mark.parametrize(
    ("sentence", "near_miss"),
    [
        ("No effusion.", "Large pleural effusion."),
        ("Large pleural effusion.", "No pleural effusion is seen."),
        ("About 20 red cells and one white cell.", "About 25 red cells and one white cell."),
        ("About 20 red cells and no white cells.", "About 20 red cells and one white cell."),
        ("A mass in the left lung.", "A mass in the right lung."),
        ("A nodule of 12 mm in the lung.", "A nodule of 21 mm in the lung."),
        ("Axial CT of the liver with a cyst.", "Axial MRI of the liver with a cyst."),
        ("Coronal CT of the liver with a cyst.", "Axial CT of the liver with a cyst."),
        ("Liver tissue, Masson trichrome stain.", "Liver tissue, H&E stain."),
        ("Ulcer of the greater curvature of the stomach.", "Ulcer of the lesser curvature of the stomach."),
        ("CT of a haemorrhage in the thalamus.", "CT of a haemorrhage in the cerebellum."),
        ("The wound has closed after 72 hours in culture.", "The wound is open after 72 hours in culture."),
    ],
)
def test_another_point_in_a_like_sentence_is_no_support(sentence: str, near_miss: str) -> None:
    (checked,) = cite(sentence, numbered(near_miss))
    assert (checked.citations, checked.support) == ((), 0.0)
    (checked,) = cite(sentence, numbered(near_miss, sentence))
    assert checked.citations == (2,)


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("CT shows a cyst of the kidney.", "Computed tomography: renal cyst."),
        ("Chest X-ray with a pleural effusion.", "Radiograph of the thorax with pleural fluid."),
        ("A lesion of 2 cm in the liver.", "Hepatic mass measuring 20 mm."),
        ("Left upper lobe nodule.", "Nodule in the LUL."),
        ("A haematoma is seen.", "Hematoma."),
        ("Pleural effusion on the left.", "Bilateral pleural effusions, larger on the left."),
        ("Both hila have enlarged lymph nodes.", "Bilateral hilar lymphadenopathy."),
        ("Sclerosis next to the cartilage of the hip joint.", "Subchondral sclerosis of the hip joint."),
        ("The aneurysm is just under 5 cm wide.", "Aneurysm of 47 mm."),
    ],
)
def test_other_words_for_the_same_are_understood(sentence: str, evidence: str) -> None:
    (checked,) = cite(sentence, numbered(evidence))
    assert checked.citations == (1,)


@pytest.mark.parametrize(
    ("compound", "parts"),
    [
        ("Hydrosalpinx.", "Dilated fallopian tube filled with fluid."),
        ("Pneumomediastinum.", "Air within the mediastinum."),
        ("Nephrocalcinosis.", "Calcium deposits of the kidneys."),
        ("Appendicitis.", "Inflammation and abscess of the appendix."),
    ],
)
def test_a_compound_is_the_things_that_it_is_made_of(compound: str, parts: str) -> None:
    assert cite(compound, numbered(parts))[0].citations == (1,)
    assert cite(parts, numbered("Pericardial cyst.", compound))[0].citations == (2,)
    assert cite(f"No {compound.lower()}", numbered(parts))[0].citations == ()
    assert cite(parts, numbered(f"No {compound.lower()}"))[0].citations == ()


def test_another_word_is_another_thing_only_in_a_sentence_that_was_copied() -> None:
    evidence = numbered("CT after trauma demonstrates a grade IV splenic laceration with active extravasation.")
    copied = "CT after surgery demonstrates a grade IV splenic laceration with active extravasation."
    reworded = "On computed tomography the spleen is torn (grade IV), and contrast escape is ongoing after the injury."
    assert cite(copied, evidence)[0].citations == ()
    assert cite(reworded, evidence)[0].citations == (1,)
    moved = "On computed tomography the liver is torn (grade IV), and contrast escape is ongoing after the trauma."
    assert cite(moved, evidence)[0].citations == ()


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [("A mass in the left lung.", "A mass in the lung."), ("A nodule of 12 mm in the lung.", "A nodule in the lung.")],
)
def test_a_side_or_number_that_the_evidence_lacks_is_no_support(sentence: str, evidence: str) -> None:
    assert cite(sentence, numbered(evidence))[0].citations == ()
    said, (text,) = read(sentence).statements[0], numbered(evidence)
    assert says_more(said, read(text.text))
    assert not contradicts(said, read(text.text))


def test_the_best_evidence_comes_first_and_ties_keep_the_prompts_order() -> None:
    evidence = numbered("Red cells.", "Red cells and platelets.", "Red cells and platelets.")
    (sentence,) = cite("Red cells, platelets.", evidence, 0.5)
    assert sentence.citations == (2, 3, 1)


def test_passages_are_cited_too() -> None:
    passage = Evidence(Passage("p1", "Renal cysts are common.", "pubmed", "1"), score=0.5, rank=1, number=1)
    (sentence,) = cite("Renal cysts are common.", [passage])
    assert sentence.citations == (1,)


def test_no_evidence_at_all() -> None:
    assert cite("Anything.", [])[0].support == 0.0
    assert cite("", []) == ()
