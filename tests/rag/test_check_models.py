"""Support that terms miss is found by meaning, or by a model of entailment; models load when first needed, once."""

from pathlib import Path

import numpy as np
import pytest

from indexer import load_embedder
from rag.check import Checker
from rag.check.entailment import Entailment
from rag.check.meaning import Meaning
from rag.checking import checker_of
from rag.config import resolve
from rag.cross_encoder import CrossEncoder
from rag.errors import CheckError
from tests.rag.conftest import numbered
from tests.rag.cross_encoders import write_cross_encoder

PARAPHRASE = "The chromosomes of a dividing HeLa cell have lined up along its equator."
TEXTS = (
    "HeLa cells in mitosis, their chromosomes aligned on the metaphase plate.",
    "Radiograph of the wrist of a child.",
    "Blood smear with platelets.",
)


@pytest.fixture(scope="module")
def checker() -> Checker:
    """As the default settings make it, with the real MiniLM."""
    return checker_of(resolve().check)


def test_a_paraphrase_is_cited_by_meaning(checker: Checker) -> None:
    evidence = numbered(*TEXTS)
    assert Checker(0.6).check(PARAPHRASE, evidence).sentences[0].citations == ()
    (sentence,) = checker.check(PARAPHRASE, evidence).sentences
    assert (sentence.citations, sentence.basis) == ((1,), "meaning")
    assert 0.6 <= sentence.support <= 1.0


def test_what_nobody_says_is_not_cited_by_meaning(checker: Checker) -> None:
    (sentence,) = checker.check("A swallowed coin lies in the toddler's stomach.", numbered(*TEXTS)).sentences
    assert (sentence.citations, sentence.basis) == ((), None)


def test_meaning_does_not_excuse_a_contradiction(checker: Checker) -> None:
    said = "The enormous pleural effusion fills the left hemithorax."
    evidence = numbered("The enormous pleural effusion fills the right hemithorax.", *TEXTS)
    assert checker.check(said, evidence).sentences[0].citations == ()


def test_terms_that_decide_ask_no_model() -> None:
    meaning = Meaning(lambda: pytest.fail("the model was loaded"))
    checker = Checker(0.6, meaning)
    for said in ("Axial CT of the abdomen.", "About 15 red cells, one white cell and two platelets."):
        checker.check(said, numbered("Axial MRI of the brain.", "Axial CT of the abdomen."))


def test_meaning_is_asked_of_listed_words_only_where_they_tell_a_finding() -> None:
    checker = Checker(0.6, Meaning(lambda: pytest.fail("the model was loaded")))
    evidence = numbered("Ultrasound of the pancreas with a calculus.", "Coronal CT of the orbit with a fracture.")
    for said in ("Coronal CT of the heart.", "Axial CT of the pancreas.", "Necrosis and edema of the tongue."):
        (sentence,) = checker.check(said, evidence).sentences
        assert (sentence.citations, sentence.basis) == ((), None)
    for said in ("Necrosis and edema of the pancreas.", "No edema of the orbit.", "CT of a bewildering heart."):
        with pytest.raises(pytest.fail.Exception, match="the model was loaded"):
            checker.check(said, evidence)


def test_entailment_takes_the_place_of_meaning(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "nli", ["entailment", "neutral", "contradiction"], bias=[1.0, 0.0, 0.0])
    model = CrossEncoder(str(folder), "check.nli")
    scores = model.probabilities([("kidney stone", "left kidney"), ("liver", "cyst")])
    assert scores.shape == (2, 3)
    assert np.allclose(scores.sum(axis=1), 1.0)
    entailed = Entailment(model).entailed("left kidney", ["kidney stone", "liver"])
    fresh = model.probabilities([("kidney stone", "left kidney"), ("liver", "left kidney")])
    assert entailed == [float(row[0]) if row[0] > row[2] else 0.0 for row in fresh]
    said, texts = "an unlisted thing", ("stone", "cyst")
    best = max(entailed := Entailment(model).entailed(said, texts))
    (sentence,) = Checker(best - 1e-6, entailment=Entailment(model)).check(said, numbered(*texts)).sentences
    assert (sentence.basis, sentence.citations[0]) == ("entailment", 1 + entailed.index(best))


def test_a_model_without_the_labels_is_refused(tmp_path: Path) -> None:
    folder = write_cross_encoder(tmp_path / "other", ["yes", "no"])
    with pytest.raises(CheckError, match="has one named entailment and one named contradiction"):
        Entailment(CrossEncoder(str(folder), "check.nli")).entailed("a", ["b"])
    with pytest.raises(CheckError, match=r"no such folder\. Give a folder, or ORGANISATION/NAME@COMMIT"):
        CrossEncoder(str(tmp_path / "none"), "retrieval.reranker").scores([("a", "b")])
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckError, match="cannot be loaded"):
        CrossEncoder(str(tmp_path / "empty"), "check.nli").scores([("a", "b")])


def test_an_embedder_of_images_is_no_model_of_meaning() -> None:
    settings = resolve(assignments=["check.text_embedder=pocket-clip"]).check
    with pytest.raises(CheckError, match=r"check\.text_embedder pocket-clip"):
        checker_of(settings).check(PARAPHRASE, numbered(*TEXTS))


def test_one_model_is_shared_by_all_who_name_it() -> None:
    first = load_embedder("minilm")
    assert load_embedder("minilm") is first
