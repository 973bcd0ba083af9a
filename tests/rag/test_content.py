from pathlib import Path

import pytest

from configs import ConfigError, names
from rag.content import Content
from rag.errors import ContentError


def write(folder: Path, text: str) -> str:
    file = folder / "own.yaml"
    file.write_text(f"note: made\nlists:\n  {text}\n", encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("name", names("content"))
def test_every_value_of_a_shipped_list_is_read_as_itself(name: str) -> None:
    content = Content.load(name)
    for listed, values in content.lists.items():
        assert {value: content.value(listed, value) for value in values} == {value: value for value in values}


@pytest.mark.parametrize(
    ("text", "modality", "plane", "location"),
    [
        ("Sagittal T2-weighted image of the lumbar spine.", "MR", "Sagittal", "Spine and Muscles"),
        ("Chest radiograph.", "X-ray", None, "Thorax"),
        ("CT of the thoracic spine, axial and coronal.", "CT", None, "Spine and Muscles"),
        ("CT and MRI of the chest and abdomen.", None, None, None),
        ("A mass.", None, None, None),
    ],
)
def test_both_or_nothing_is_not_said(text: str, modality: str | None, plane: str | None, location: str | None) -> None:
    assert Content.load("radiology").said(text) == {"modality": modality, "plane": plane, "location": location}


def test_a_word_is_matched_whole(tmp_path: Path) -> None:
    content = Content.load(write(tmp_path, "organ: {Heart: 'heart, card\\w+', Ear: ear}"))
    assert content.said("The heart.") == {"organ": "Heart"}
    assert content.said("Cardiac") == {"organ": "Heart"}
    assert content.said("heartburn") == {"organ": None}


def test_case_does_not_matter_in_a_list_nor_in_a_text(tmp_path: Path) -> None:
    content = Content.load(write(tmp_path, "organ: {Heart: 'HEART, Cor', Ear: 'ear, \\Weye\\W'}"))
    assert [content.said(text)["organ"] for text in ("a heart", "A HEART", "cor")] == ["Heart"] * 3
    assert [content.said(text)["organ"] for text in ("an EAR", "the <Eye> is")] == ["Ear", None]


def test_a_field_of_a_record_is_read_by_name_and_by_words() -> None:
    content = Content.load("radiology")
    assert content.value("modality", "mr") == "MR"
    assert content.value("modality", "CT - noncontrast") == "CT"
    assert content.value("plane", "3D Reconstruction") is None
    assert content.value("plane", None) is None


def test_lists_that_differ_have_another_hash(tmp_path: Path) -> None:
    hashes = {Content.load(write(tmp_path, f"organ: {{Heart: {words}}}")).hash for words in ("heart", "cor", "heart")}
    assert len(hashes) == 2


def test_a_word_that_is_no_expression_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"own.yaml: lists: .*'\(heart' is no regular expression"):
        Content.load(write(tmp_path, "organ: {Heart: (heart}"))


def test_an_unknown_list_names_those_there_are() -> None:
    with pytest.raises(ContentError, match=r"radiology has no list .organ.\. It has: modality, plane, location"):
        Content.load("radiology").of("organ")
