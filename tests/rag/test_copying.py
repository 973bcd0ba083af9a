"""How much was taken from one caption is measured."""

from rag.check.copying import copied


def test_the_example_of_which_most_was_taken_is_named() -> None:
    text = "Axial CT of the chest shows a mass in the left upper lobe."
    found = copied(text, [(1, "A chest radiograph."), (2, "CT of the chest shows a mass, and the heart is large.")])
    assert found is not None
    assert (found.evidence, found.run) == (2, 7)
    assert found.share == round(7 / 13, 3)


def test_runs_of_a_word_or_two_are_no_copy() -> None:
    assert copied("A mass of the liver.", [(1, "The liver has a mass.")]) is None
    assert copied("", [(1, "The liver.")]) is None
    assert copied("The liver.", []) is None
