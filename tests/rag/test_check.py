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
        ("CT of an aneurysm of the posterior cerebral artery.", "CT of an aneurysm of the middle cerebral artery."),
        ("Echocardiogram with an atrial septal defect.", "Echocardiogram with a ventricular septal defect."),
        ("CT of a type A dissection of the aorta.", "CT of a type B dissection of the aorta."),
        ("CT of a grade II laceration of the spleen.", "CT of a grade IV laceration of the spleen."),
        ("Radiograph of a fracture of the 5th metatarsal.", "Radiograph of a fracture of the 2nd metatarsal."),
        ("Lymphoma cells are positive for CD3.", "Lymphoma cells are positive for CD20."),
        ("Blood smear with hyposegmented neutrophils.", "Blood smear with hypersegmented neutrophils."),
        ("Gram-positive rods in a wound swab.", "Gram-negative rods in a wound swab."),
        ("Actin filaments of fibroblasts in green.", "Actin filaments of fibroblasts in red."),
        ("Angiogram of the carotid artery of a woman.", "Angiogram of the carotid artery of a man."),
        ("Neutrophils are confined to the mucosa.", "Transmural infiltration of the mucosa by neutrophils."),
        ("A mass in the temporal lobe, not surrounded by edema.", "A mass in the temporal lobe, surrounded by edema."),
        ("Congo red stain without birefringence.", "Congo red stain with apple-green birefringence."),
        ("Transmission electron micrograph of cilia.", "Scanning electron micrograph of cilia."),
        ("A dilated common bile duct of the liver.", "A normal common bile duct of the liver."),
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
        ("A calculus of less than 1 cm in the ureter.", "Ureteral calculus of 6 mm."),
        ("AP radiograph of the pelvis.", "Anteroposterior radiograph of the pelvis."),
        ("Acid-fast bacilli, both single and in clumps.", "Acid-fast bacilli, singly and in clumps."),
        ("Cartilage with proteoglycan loss.", "Loss of proteoglycan in the cartilage."),
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


def test_evidence_is_not_cited_where_a_conflict_with_it_is_told() -> None:
    """A side that the text names as well, but of another thing."""
    text = "Radiograph with bowel in the left hemithorax and a shift of the heart to the right."
    sentence = "Radiograph with bowel in the left hemithorax and a shift of the heart to the left."
    said = read(sentence).statements[0]
    assert not contradicts(said, read(text))
    checks = Checker(0.6).check(sentence, numbered(text))
    assert [conflict.kind for conflict in checks.conflicts] == ["side"]
    assert checks.sentences[0].citations == ()


def test_a_structure_in_the_place_of_another_is_another_however_much_more_the_evidence_says() -> None:
    more = ", biopsy of a 40-year-old with fever, ascites and weight loss, H&E, x200"
    (checked,) = cite(
        "Granuloma of the kidney with giant cells.", numbered(f"Granuloma of the liver with giant cells{more}.")
    )
    assert checked.citations == ()
    (checked,) = cite(
        "Granuloma of the liver with giant cells.", numbered(f"Granuloma of the liver with giant cells{more}.")
    )
    assert checked.citations == (1,)


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
