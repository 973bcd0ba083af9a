"""What is read from a sentence: what it denies, its sides, its numbers."""

import pytest

from rag.check.lexicon import lexicon
from rag.check.reading import read


def denied(text: str) -> set[str]:
    return set(read(text).names("anatomy", "finding", "cell", "word", denied=True))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("No pleural effusion, consolidation or pneumothorax.", {"effusion", "consolidation", "pneumothorax"}),
        ("No effusion, but a consolidation.", {"effusion"}),
        ("No fracture of the femur.", {"fracture"}),
        ("Without evidence of metastasis.", {"metastasis"}),
        ("Effusion in the left lung is absent.", {"effusion"}),
        ("The haematoma has resolved.", {"hematoma"}),
        ("Thrombus could not be demonstrated in the vein.", {"thrombus"}),
        ("A mass without calcification.", {"calcification"}),
        ("No other lesion.", set()),
        ("No change in the mass.", set()),
        ("A hernia cannot be excluded.", set()),
        ("CT without contrast shows a mass.", set()),
        ("Crystals with negative birefringence.", set()),
        ("Loss of the Purkinje cells.", set()),
        ("A mass not associated with edema.", {"edema"}),
        ("Gram-negative rods.", set()),
    ],
)
def test_what_is_denied(text: str, names: set[str]) -> None:
    assert denied(text) == names


@pytest.mark.parametrize(
    ("text", "values", "unit"),
    [
        ("A mass of 3.5 x 2 cm.", (35.0, 20.0), "mm"),
        ("Nodules of 3-4 mm.", (3.0, 4.0), "mm"),
        ("a 12-mm nodule", (12.0,), "mm"),
        ("A 45-year-old man.", (16436.25,), "age"),
        ("About 40% of the nuclei.", (40.0,), "%"),
        ("Magnification \u00d7400.", (400.0,), "times"),
        ("Twelve nuclei.", (12.0,), ""),
        ("1,250 µm wide", (1.25,), "mm"),
    ],
)
def test_numbers_with_units(text: str, values: tuple[float, ...], unit: str) -> None:
    (amount,) = read(text).amounts
    assert (amount.quantity.values, amount.quantity.unit) == (values, unit)


@pytest.mark.parametrize("text", ["Ki-67 is positive.", "Fracture of L4.", "Nuclei 1, 2 and 3 are marked."])
def test_numbers_that_are_names_count_nothing(text: str) -> None:
    assert [amount for amount in read(text).amounts if amount.quantity.unit == ""] == []


def test_what_is_lost_is_neither_there_nor_not() -> None:
    (term,) = read("Loss of the Purkinje cells.").statements[0].terms
    assert (term.name, term.open) == ("Purkinje cell", True)
    (term,) = read("Purkinje cells.").statements[0].terms
    assert not term.open


def test_loss_may_stand_behind_what_is_lost() -> None:
    terms = read("Proteoglycan loss in the cartilage.").statements[0].terms
    assert [(term.name, term.open) for term in terms] == [("proteoglycan", True), ("cartilage", False)]


@pytest.mark.parametrize(
    ("bound", "held", "not_held"),
    [("less than 1 cm", "6 mm", "12 mm"), ("at least 50 lymphocytes", "80 lymphocytes", "30 lymphocytes")],
)
def test_a_bound_agrees_with_what_it_holds(bound: str, held: str, not_held: str) -> None:
    (most,), (one,), (other,) = (read(text).amounts for text in (bound, held, not_held))
    assert most.quantity.agrees(one.quantity)
    assert one.quantity.agrees(most.quantity)
    assert not most.quantity.agrees(other.quantity)
    (another,) = read(bound.replace("1 cm", "3 cm").replace("50", "90")).amounts
    assert not most.quantity.agrees(another.quantity)


@pytest.mark.parametrize(
    ("text", "value"), [("grade IV laceration", 4.0), ("type B dissection", 101.0), ("stage 3 disease", 3.0)]
)
def test_a_name_may_be_a_roman_numeral_or_a_letter(text: str, value: float) -> None:
    (amount,) = read(text).amounts
    assert amount.quantity.named
    assert amount.quantity.values == (value,)
    assert read("IV contrast and a vitamin B deficit").amounts == ()


@pytest.mark.parametrize(
    ("text", "sides"), [("Both single and in clumps.", []), ("Both kidneys and the liver.", ["both"])]
)
def test_both_is_a_side_only_of_what_there_are_two_of(text: str, sides: list[str]) -> None:
    assert [side.name for side in read(text).sides] == sides


def test_just_under_a_number_is_about_it() -> None:
    (about,), (exact,) = read("just under 2 cm").amounts, read("2 cm").amounts
    (other,) = read("18 mm").amounts
    assert about.quantity.agrees(other.quantity)
    assert not exact.quantity.agrees(other.quantity)


def test_a_side_is_of_what_it_stands_by() -> None:
    left, right = read("A mass in the left kidney and a cyst in the right ovary.").sides
    assert (left.name, left.near, right.name, right.near) == (
        "left",
        frozenset({"kidney"}),
        "right",
        frozenset({"ovary"}),
    )
    assert "mass" in left.about
    assert "cyst" in right.about


def test_the_lists_name_what_they_refer_to() -> None:
    words = lexicon()
    names = {concept.name for concept in words.concepts.values()}
    assert set(words.broader) <= names
    assert set(words.broader.values()) <= names
    assert {name for pair in words.together for name in pair} <= names
    assert all(name not in words.ancestors(name) for name in words.broader)
