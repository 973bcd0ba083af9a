import pytest

from benchmarks import pocket_words as words


@pytest.mark.parametrize(
    ("text", "noun", "number"),
    [
        ("About 15 red cells and one white cell.", words.RED_CELLS, 15),
        ("About 15 red cells and one white cell.", words.WHITE_CELLS, 1),
        ("Blood smear with 19 red cells, 1 white cells and 0 platelets.", words.WHITE_CELLS, 1),
        ("Blood smear with 19 red cells, 1 white cells and 0 platelets.", words.PLATELETS, 0),
        ("About 30 bright nuclei on a dark background.", words.NUCLEI, 30),
        ("more than 200 nuclei", words.NUCLEI, 200),
        ("One nucleus.", words.NUCLEI, 1),
        ("12 erythrocytes", words.RED_CELLS, 12),
        ("No white blood cells.", words.WHITE_CELLS, 0),
        ("No red or white cells.", words.RED_CELLS, None),
        ("Twelve large leukocytes.", words.WHITE_CELLS, 12),
        ("A few white cells.", words.WHITE_CELLS, None),
        ("One white cell; elsewhere 3 white cells.", words.WHITE_CELLS, None),
        ("Blood smear, light microscopy.", words.RED_CELLS, None),
    ],
)
def test_a_number_is_read_before_its_noun(text: str, noun: str, number: int | None) -> None:
    assert words.number_said(text, noun) == number


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("About 15 red cells and no white cells.", "absent"),
        ("About 15 red cells and one white cell.", "present"),
        ("Blood smear with white cells.", "present"),
        ("Blood smear without any white cells.", "absent"),
        ("No white cells. One white cell at the edge.", None),
        ("About 15 red cells.", None),
    ],
)
def test_presence_said_both_ways_or_not_at_all_is_none(text: str, state: str | None) -> None:
    assert words.presence_said(text, words.WHITE_CELLS) == state


@pytest.mark.parametrize(
    ("text", "state"),
    [("Yes.", "present"), ("No, there is none.", "absent"), ("Not at all", None), ("I cannot tell.", None)],
)
def test_an_answer_is_read_by_how_it_starts(text: str, state: str | None) -> None:
    assert words.presence_answered(text) == state


@pytest.mark.parametrize(
    ("text", "lists", "one"),
    [
        ("Axial CT of the abdomen.", words.MODALITIES, "CT"),
        ("Sagittal T2-weighted image of the lumbar spine.", words.MODALITIES, "MR"),
        ("CT and MRI of the head.", words.MODALITIES, None),
        ("Midsagittal MR image.", words.PLANES, "Sagittal"),
        ("Axial CT, coronal reformat.", words.PLANES, None),
        ("Axial MR image of the head.", words.LOCATIONS, "Head"),
        ("CT of the thoracic spine.", words.LOCATIONS, "Spine and Muscles"),
        ("Axial CT, Reproductive and Urinary System. Mass of the left kidney.", words.LOCATIONS,
         "Reproductive and Urinary System"),
        ("CT of the abdomen and pelvis.", words.LOCATIONS, None),
        ("Gallbladder stones.", words.LOCATIONS, "Abdomen"),
        ("Fluorescence microscopy.", words.LOOKS, "fluorescence"),
        ("Stained tissue section, light microscopy.", words.LOOKS, "histology"),
        ("Bright-field microscopy of cells.", words.LOOKS, "brightfield"),
        ("The chest.", words.ORGANS, "CHEST"),
        ("I cannot tell what this image shows.", words.ORGANS, None),
        ("One white cell, a lymphocyte.", words.CELLS, "lymphocyte"),
        ("A lymphocyte or a monocyte.", words.CELLS, None),
    ],
)  # fmt: skip
def test_one_entry_is_said_or_none(text: str, lists: dict[str, str], one: str | None) -> None:
    assert words.said(text, lists) == one


def test_every_category_reads_as_itself() -> None:
    for lists in (words.MODALITIES, words.PLANES, words.LOCATIONS, words.CELLS):
        assert [words.said(name, lists) for name in lists] == list(lists)


def test_answers_are_compared_without_case_and_punctuation() -> None:
    assert words.normal("Yes, in the left lung.") == "yes"
    assert words.normal("Non-enhanced ") == "nonenhanced"
    assert words.normal("The left  side.") == "the left side"
    assert words.normal("Normal") == "normal"
