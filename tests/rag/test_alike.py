"""What captions name alike: anatomy and sequences, of the part of the body that the description names."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from PIL import Image

from imaging import LoadedImage
from indexer.types import Evidence, Passage
from pocket.render import render
from pocket.views import FIRST_FREE_SEED
from rag import Pipeline, open_pipeline
from rag.alike import BEGINNING, MOST, named_alike, sentence_of
from rag.config import resolve
from rag.content import Content
from rag.retrieve import Found
from rag.types import Description, Request, Sentence, Stopwatch
from tests.rag.conftest import numbered

CONTENT = Content.load("radiology")
HEAD, ABDOMEN = "Axial MR image of the head.", "Axial CT of the abdomen."


def names(text: str, captions: Sequence[str]) -> list[str]:
    return [alike.name for alike in named_alike(text, numbered(*captions), CONTENT)]


def test_a_thing_must_be_named_by_two_captions() -> None:
    captions = ["A mass in the cerebellum, T2.", "Cerebellar mass.", "T1 image of the optic nerve."]
    assert names(HEAD, captions) == ["cerebellum"]
    assert names(HEAD, ["The cerebellum and the cerebellum."]) == []
    assert names(HEAD, captions[:1] * 3) == [], "captions of the same words are one"


def test_findings_of_other_patients_are_not_said() -> None:
    assert names(HEAD, ["A fracture with hemorrhage.", "Hemorrhage, a fracture."]) == []


def test_what_is_denied_is_not_named() -> None:
    assert names(HEAD, ["No lesion of the optic nerve.", "The optic nerve is thick."]) == ["optic nerve"]
    assert names(HEAD, ["The optic nerve is not seen.", "The optic nerve is thick."]) == []


def test_another_part_of_the_body_is_left_out() -> None:
    captions = ["The liver and the aorta.", "Aorta beside the liver."]
    assert names(ABDOMEN, captions) == ["aorta", "liver"]
    assert names(HEAD, captions) == ["aorta"]
    assert names("CT of the temporal bone.", captions) == ["aorta"]


def test_where_no_part_is_told_the_first_one_named_is_it() -> None:
    assert names("CT.", ["The liver, the kidney.", "The kidney, the liver."]) == ["kidney"]


def test_sequences_are_those_of_mr() -> None:
    captions = ["T2 of the midbrain.", "The midbrain, T2."]
    assert names(HEAD, captions) == ["midbrain", "T2"]
    assert names("Axial CT of the head.", captions) == ["midbrain"]


def test_what_the_description_says_already_is_not_said_again() -> None:
    assert names("MR image of the head with T2 weighting.", ["T2 of the head.", "Head, T2."]) == []


@pytest.mark.parametrize("text", ["Blood smear, light microscopy.", "I cannot tell what this image shows.", ""])
def test_only_of_radiology(text: str) -> None:
    assert names(text, ["The liver.", "A liver."]) == []


def test_a_long_agreement_is_cut() -> None:
    text = "Pons, thalamus, midbrain, cerebellum, optic nerve, corpus callosum."
    assert len(names(HEAD, [text, "Again. " + text])) == MOST


def test_the_sentence_cites_the_evidence_that_names_it_first_so_that_all_is_covered() -> None:
    captions = ["The optic nerve, T1.", "T2 of the midbrain.", "Midbrain, T2, optic nerve.", "The knee."]
    found = sentence_of(HEAD, numbered(*captions), CONTENT)
    assert found == Sentence("Similar images: midbrain, T2, optic nerve.", (3, 2, 1), 1.0, "terms")
    assert sentence_of(HEAD, numbered("The knee.", "The hand."), CONTENT) is None
    assert sentence_of(HEAD, [], CONTENT) is None
    assert sentence_of(HEAD, numbered(*captions), Content.load("microscopy")) is None


def test_the_nearest_caption_is_read_first_however_the_prompt_has_them() -> None:
    one, two, three = numbered("T1, pons.", "T2, midbrain.", "T2, T1, midbrain, pons.")
    found = [
        alike.name for alike in named_alike(HEAD, [three, replace(two, number=1), replace(one, number=2)], CONTENT)
    ]
    assert found == ["T2", "T1", "midbrain", "pons"]


def test_passages_are_no_similar_images() -> None:
    passages = [Evidence(Passage(f"p{n}", "The midbrain.", "x", "x"), 0.5, n, number=n) for n in (1, 2)]
    assert named_alike(HEAD, passages, CONTENT) == []


class Given:
    """Finds the same captions for every image."""

    version = "given"
    captions = ("Chest X-ray. The trachea and the aortic arch.", "Frontal chest X-ray: trachea.", "A fracture.")

    def retrieve(
        self, requests: Sequence[Request], images: Sequence[tuple[LoadedImage, ...]], kinds: set[str], clock: Stopwatch
    ) -> list[Found]:
        assert "example" in kinds
        assert (len(images), clock.seconds.get("generate")) == (len(requests), None)
        return [Found(tuple(numbered(*self.captions))) for _ in requests]

    def load(self, kinds: set[str]) -> None:
        assert "example" in kinds


@pytest.fixture(scope="module")
def chest(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("chest") / "chest.png"
    Image.fromarray(render("radiograph", FIRST_FREE_SEED + 4).pixels).save(path)
    return str(path)


def opened(*assignments: str) -> Pipeline:
    asked = [Request("a", ("a",)), Request("b", ("b",), "ask", "Why?")]
    return open_pipeline(resolve(assignments=assignments), asked, finder=Given())


def said(pipeline: Pipeline, request: Request) -> Description:
    (outcome,) = pipeline.run([request])
    assert isinstance(outcome, Description), outcome
    return outcome


def test_a_caption_ends_with_what_its_evidence_names_alike_and_an_answer_does_not(chest: str) -> None:
    pipeline, request = opened(), Request("x", (chest,))
    described = said(pipeline, request)
    assert "X-ray" in described.text
    assert described.text.endswith(f" {BEGINNING} trachea.")
    assert described.checks.sentences[-1] == Sentence(f"{BEGINNING} trachea.", (1, 2), 1.0, "terms")
    plain = said(opened("check.named_alike=false"), request)
    assert described.text == f"{plain.text} {BEGINNING} trachea."
    assert plain.confidence == described.confidence, "what the evidence says of itself makes no text surer"
    for other in (opened("prompt.language=German"), opened("check.abstain_below=1")):
        assert BEGINNING not in said(other, request).text
    assert BEGINNING not in said(pipeline, Request("y", (chest,), "ask", "What is this?")).text


def test_it_is_heard_behind_the_models_own_words(chest: str) -> None:
    *pieces, last = opened().stream(Request("x", (chest,)))
    assert isinstance(last, Description)
    assert pieces[-1] == f" {BEGINNING} trachea."
    assert "".join(map(str, pieces)) == last.text


def test_a_text_cut_short_is_left_as_it_is(chest: str) -> None:
    cut = said(opened("generation.max_new_tokens=2"), Request("x", (chest,)))
    assert cut.stop == "length"
    assert BEGINNING not in cut.text
