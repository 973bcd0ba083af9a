import random

import pytest

from pocket.corpus import Library, Question, image_samples, text_samples
from pocket.evidence import Told, agreed, read, templated, vote
from pocket.facts import CANNOT_TELL, Facts, Kind, caption
from pocket.features import View
from pocket.language import Figure, read_facts

HEAD = Facts("mr", organ="head", plane="axial")
CAPTIONS = {
    "ct": "Axial CT of the abdomen shows a cyst in the liver, part {n}.",
    "mr": "Sagittal T2-weighted MRI of the lumbar spine with oedema, part {n}.",
    "xray": "Chest radiograph with effusion, part {n}.",
}


SMEAR = Facts("smear", red=12, white=1, platelets=2, cell="basophil")
ASKED = (
    ("Is there a mass?", "yes", "CLOSED"),
    ("Is this an axial image?", "yes", "CLOSED"),
    ("Where?", "left", "OPEN"),
)


@pytest.fixture
def library() -> Library:
    figures = [
        Figure(text.format(n=n), f"PMC{n}", read_facts(text)) for text in CAPTIONS.values() for n in range(4)
    ]  # fmt: skip
    kinds: tuple[Kind, ...] = ("smear", "fluorescence", "tissue", "brightfield", "ct", "mr", "xray", "unknown")
    organs = {"ct": "head", "mr": "head", "xray": "chest"}
    views = [
        View(f"{kind}/{n}", SMEAR if kind == "smear" else Facts(kind, organ=organs.get(kind)),
             ASKED if kind in organs else ())
        for kind in kinds for n in range(2)
    ]  # fmt: skip
    return Library(views, figures, [("Title", "Some background text.")], [[0, 1]] * len(figures))


def test_most_captions_decide_and_the_image_has_one_vote() -> None:
    spine = Facts("mr", organ="spine", plane="sagittal")
    assert vote(HEAD, [spine, spine, Facts("ct")]) == spine
    assert vote(HEAD, [Facts("unknown"), Facts("unknown", organ="head")]) == HEAD
    assert vote(HEAD, []) == HEAD


def test_without_an_image_captions_decide_alone() -> None:
    assert vote(None, [Facts("ct", organ="neck"), Facts("ct"), HEAD]) == Facts("ct", organ="neck", plane="axial")
    assert vote(None, []) == Facts("unknown")


def test_only_the_image_says_what_is_an_x_ray() -> None:
    chest = Facts("xray", organ="chest", plane="frontal")
    assert vote(chest, [HEAD, HEAD, HEAD]) == chest
    assert vote(HEAD, [chest, chest, chest]).kind == "mr"


def test_the_nearest_caption_is_outvoted_by_three_others_and_not_by_two() -> None:
    assert agreed(["monocyte", "basophil", "basophil"]) == "monocyte"
    assert agreed(["monocyte", "basophil", "basophil", "basophil"]) == "basophil"
    assert agreed(["monocyte", "basophil", "blast", "basophil", "basophil"]) == "monocyte"


def test_a_labelled_caption_settles_what_its_label_says() -> None:
    told = templated(Facts("ct", organ="chest", plane="coronal"), "A mass.", random.Random(0))
    assert told.facts == Facts("ct", organ="chest", plane="coronal")
    assert "CT" in told.text
    assert "oronal" in told.text
    assert "A mass." in told.text


def test_a_caption_read_by_its_words_alone() -> None:
    assert read("There is a mass.") == Told("There is a mass.", Facts("unknown"))


def test_the_answer_to_learn_is_what_image_and_evidence_settle(library: Library) -> None:
    rng = random.Random(1)
    for view in [*library.views] * 20:
        setting = library.setting(view, rng)
        said = caption(setting.facts)
        assert (said == CANNOT_TELL) == (view.facts.kind == "unknown")
        if view.facts.kind not in ("ct", "mr"):
            assert setting.facts.kind == view.facts.kind
        if setting.facts.cell is not None:
            assert any(setting.facts.cell in text.lower() for text in setting.examples)


def test_every_sample_has_a_prompt_that_ends_where_the_answer_starts(library: Library) -> None:
    rng = random.Random(2)
    samples = [*image_samples(library.views, library, rng), *text_samples(library, 40, rng, free=0.3)]
    assert len(samples) > len(library.views)
    turns = [turn for sample in samples for turn in sample.turns]
    assert all(turn.asked.endswith("<|assistant|>") and turn.answer for turn in turns)
    assert all(("<image>" in sample.opening) == (sample.view is not None) for sample in samples)


def test_a_cell_that_no_caption_names_is_not_named(library: Library) -> None:
    rng = random.Random(3)
    smear = library.by_kind["smear"][0]
    alone = [setting for setting in (library.setting(smear, rng) for _ in range(200)) if not setting.examples]
    assert alone
    assert all("basophil" not in caption(setting.facts) for setting in alone)


def test_the_image_settles_its_own_plane_but_not_its_disease(library: Library) -> None:
    rng = random.Random(4)
    head = library.by_kind["ct"][0]
    turns = [turn for _ in range(100) for turn in library.asked(head, head.facts, rng)]
    plane, mass, where = (
        {(turn.answer, turn.doubt > 0) for turn in turns if turn.asked == question}
        for question in ("Is this an axial image?", "Is there a mass?", "Where?")
    )
    assert plane <= {("Yes.", False), ("No.", False)}
    assert mass == {("Yes.", True), ("No.", True)}
    assert where == {("I cannot tell from this image.", False)}


def test_people_ask_nothing_of_a_body_part_that_evidence_settles_otherwise(library: Library) -> None:
    rng = random.Random(5)
    head = library.by_kind["ct"][0]
    knee = Facts("ct", organ="knee")
    assert not any(turn.asked == "Is there a mass?" for _ in range(50) for turn in library.asked(head, knee, rng))


def test_the_words_of_a_question_settle_its_answer_and_the_image_adds_a_little() -> None:
    question = Question("Is there a mass?", "Yes.", yes=0.2)
    assert question.turn(own=0).doubt == pytest.approx(0.8)
    assert question.turn(own=0.25).doubt == pytest.approx(0.6)
    assert Question("Is there a mass?", "No.", yes=0.2).turn(own=0).doubt == pytest.approx(0.2)
    assert Question("Is this axial?", "Yes.").turn(own=0).doubt == 0


def test_a_dark_field_without_a_nucleus_cannot_be_told() -> None:
    dark, seen = (View(f"fluorescence/{n}", Facts("fluorescence", nuclei=n)) for n in (0, 3))
    library = Library([dark, seen], [], [])
    assert [view.facts.kind for view in library.views] == ["unknown", "fluorescence"]
