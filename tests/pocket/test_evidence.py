import random

import pytest

from pocket.corpus import Library, image_samples, text_samples
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


@pytest.fixture
def library() -> Library:
    figures = [
        Figure(text.format(n=n), f"PMC{n}", read_facts(text)) for text in CAPTIONS.values() for n in range(4)
    ]  # fmt: skip
    kinds: tuple[Kind, ...] = ("smear", "fluorescence", "tissue", "brightfield", "ct", "mr", "xray", "unknown")
    known = {"red": 12, "white": 1, "platelets": 2}
    views = [
        View(f"{kind}/{n}", Facts(kind, organ="head" if kind in ("ct", "mr") else None,
                                  **(known if kind == "smear" else {})))
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


def test_of_names_given_equally_often_the_nearest_is_taken() -> None:
    assert agreed(["monocyte", "basophil"]) == "monocyte"
    assert agreed(["monocyte", "basophil", "basophil"]) == "basophil"


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
    for view in library.views * 20:
        setting = library.setting(view, rng)
        said = caption(setting.facts)
        assert (said == CANNOT_TELL) == (view.facts.kind == "unknown")
        if view.facts.kind not in ("ct", "mr"):
            assert setting.facts.kind == view.facts.kind
        if setting.facts.cell:
            assert any(setting.facts.cell in text.lower() for text in setting.examples)


def test_every_sample_has_a_prompt_that_ends_where_the_answer_starts(library: Library) -> None:
    rng = random.Random(2)
    samples = [*image_samples(library.views, library, rng), *text_samples(library, 40, rng)]
    assert len(samples) > len(library.views)
    assert all(sample.prompt.endswith("<|assistant|>") and sample.answer for sample in samples)
    assert all(("<image>" in sample.prompt) == (sample.view is not None) for sample in samples)
