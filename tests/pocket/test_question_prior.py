import pytest

from pocket.question_prior import yes_shares

ENLARGED, THERE = "Is the heart enlarged?", "Is there a fracture?"


def test_answers_are_learned_from_other_images_alone() -> None:
    """The heart is enlarged in all images but one; its own "no" must not lower what is expected of it."""
    images = [f"image {n}" for n in range(16)]
    questions = [ENLARGED] * 16 + [THERE] * 16
    yes = [True] * 15 + [False] + [False] * 16
    shares = yes_shares(questions, yes, images * 2)
    assert shares[15] >= shares[:15].max()
    assert shares[:15].min() > 0.75
    assert shares[16:].max() < 0.2


def test_one_image_teaches_nothing_of_others() -> None:
    with pytest.raises(ValueError, match="two images or more"):
        yes_shares([ENLARGED, THERE], [True, False], ["a", "a"])
