"""The committed weights, through the classes that everybody else loads them with."""

from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from pocket.facts import CANNOT_TELL, kind_phrase
from pocket.generator import never_written
from pocket.render import RenderKind, render
from pocket.speak import Encoder, Speaker
from pocket.views import FIRST_FREE_SEED
from vlm.loading import Loaded

WEIGHTS = Path(__file__).parents[2] / "pocket" / "weights"
SEED = FIRST_FREE_SEED + 900


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.load(WEIGHTS / "clip")


@pytest.fixture(scope="module")
def speaker() -> Speaker:
    return Speaker.load(WEIGHTS / "vlm")


def test_both_together_are_at_most_36_mb() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*.safetensors")) <= 36e6


def test_the_encoder_gives_unit_vectors_and_knows_a_near_copy(encoder: Encoder) -> None:
    pictures = [render(kind, SEED).pixels for kind in ("smear", "fluorescence", "tissue")]
    vectors = encoder.images([*pictures, pictures[0][8:-8, 8:-8]])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    assert int((vectors[3] @ vectors[:3].T).argmax()) == 0


def test_words_find_the_kind_they_name(encoder: Encoder) -> None:
    kinds: tuple[RenderKind, ...] = ("smear", "fluorescence", "tissue")
    images = encoder.images([render(kind, SEED + 1).pixels for kind in kinds])
    words = encoder.texts(
        ["Blood smear with red cells.", "Fluorescence microscopy of nuclei.", "Stained tissue section."]
    )
    assert (images @ words.T).argmax(axis=1).tolist() == [0, 1, 2]


@pytest.mark.parametrize("evidence", [False, True])
def test_rendered_images_are_told_by_kind(speaker: Speaker, evidence: bool) -> None:
    kinds: tuple[RenderKind, ...] = ("smear", "smear", "fluorescence", "fluorescence", "tissue", "tissue")
    made = [render(kind, SEED + n) for n, kind in enumerate(kinds)]
    shown = [[render(kind, SEED + 50 + n).caption for n in range(3)] for kind in kinds] if evidence else None
    texts = speaker.say([m.pixels for m in made], shown)
    assert all(text.startswith(kind_phrase(m.facts)) for text, m in zip(texts, made, strict=True)), texts


def test_no_yes_or_no_is_written_behind_an_article(speaker: Speaker) -> None:
    """As in "Axial CT of theYes."; the recipe writes what the committed files hold."""
    spelling = Tokenizer.from_file(str(WEIGHTS / "vlm" / "tokenizer.json"))
    forbidden = never_written(spelling)
    assert [spelling.decode(ids) for ids in forbidden] == [" theYes", " theNo"]
    loaded = speaker.engine.load()
    assert isinstance(loaded, Loaded)
    assert loaded.model.generation_config.bad_words_ids == forbidden


def test_blank_and_noise_are_not_described(speaker: Speaker) -> None:
    blank = np.full((200, 300, 3), 255, np.uint8)
    assert speaker.say([blank, render("noise", SEED).pixels]) == [CANNOT_TELL] * 2


def test_a_question_of_kind_is_answered(speaker: Speaker) -> None:
    (answer,) = speaker.say([render("smear", SEED).pixels], questions=["What kind of image is this?"])
    assert answer == "Blood smear, light microscopy."


def test_with_other_evidence_or_another_image_another_caption(speaker: Speaker) -> None:
    slices = [render("slice", SEED + n).pixels for n in range(2)]
    head, spine = ["Axial CT of the head."] * 3, ["Sagittal MRI of the lumbar spine."] * 3
    told = speaker.say([*slices, render("smear", SEED).pixels], [head, spine, spine])
    assert "head" in told[0]
    assert "spine" in told[1]
    assert "MR" in told[1]
    assert told[2].startswith("Blood smear")


def test_a_caption_says_whether_a_white_cell_shows(speaker: Speaker) -> None:
    with_one = [render("closeup", SEED + n).pixels for n in range(6)]
    without = [made.pixels for made in (render("smear", SEED + n) for n in range(60)) if made.facts.white == 0][:6]
    texts = speaker.say([*with_one, *without])
    assert sum("no white cell" not in text and "white cell" in text for text in texts[:6]) >= 5, texts
    assert sum("no white cell" in text for text in texts[6:]) >= 5, texts


def test_answers_have_probabilities(speaker: Speaker) -> None:
    made = [render("closeup", SEED).pixels, render("radiograph", SEED).pixels]
    sure = speaker.sure_of("Is this a blood smear?", made, ("Yes.", "No."))
    assert 1 > sure[0] > sure[1] > 0
