import json
from pathlib import Path

import pytest
from made_archive import Archive

from configs import ConfigError
from evaluation.errors import SetError
from evaluation.sets import read_set
from indexer.errors import SourceError
from rag.errors import ContentError


def test_truth_is_what_the_reference_says_where_no_field_is_named(archive: Archive) -> None:
    found = read_set(str(archive.records), ["split=dev"], ["article=case"])
    assert found.truth_from == "reference captions"
    assert found.lists == ("modality", "plane", "location")
    first = found.cases[0]
    assert (first.id, first.article, Path(first.image).name) == ("r24", "case 12", "24.png")
    assert first.truth == {"modality": "CT", "plane": "Axial", "location": "Thorax"}
    assert len(found.cases) == 16


def test_truth_is_a_field_of_the_record_where_one_is_named(archive: Archive) -> None:
    found = read_set(str(archive.records), ["split=dev", "kind=MR"], ["article=case"], ["modality=kind"])
    assert found.lists == ("modality",)
    assert {json.dumps(dict(case.truth)) for case in found.cases} == {'{"modality": "MR"}'}
    assert len(found.cases) == 8


def test_a_value_that_is_in_no_list_is_not_judged(tmp_path: Path) -> None:
    rows = [{"id": str(n), "image": "x.png", "caption": "An image.", "plane": p} for n, p in enumerate(("Axial", "3D"))]
    (tmp_path / "records.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read_set(str(tmp_path), truth=["plane=plane"])
    assert [case.truth for case in found.cases] == [{"plane": "Axial"}, {"plane": None}]


def test_a_number_is_written_as_a_number_or_as_text(tmp_path: Path) -> None:
    rows = [{"id": str(n), "image": "x.png", "caption": "CT", "fold": fold} for n, fold in enumerate((1, "1", 2))]
    (tmp_path / "records.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert [case.id for case in read_set(str(tmp_path), ["fold=1"]).cases] == ["0", "1"]


def test_a_file_of_a_set_says_it_all_and_options_go_over_it(archive: Archive, tmp_path: Path) -> None:
    file = tmp_path / "made.yaml"
    file.write_text(
        f"path: {archive.records.parent}\nfields: {{caption: caption, article: case}}\nwhere: {{split: dev}}\n"
        "truth: {plane: plane}\n"
    )
    assert len(read_set(str(file)).cases) == 16
    assert len(read_set(str(file), ["split=train"]).cases) == 24
    assert read_set(str(file), truth=["modality=kind"]).lists == ("modality", "plane")


@pytest.mark.parametrize(
    ("name", "options", "error", "told"),
    [
        ("nowhere/at/all", {}, SetError, "no such folder"),
        ("medpicks", {}, ConfigError, "unknown set 'medpicks'; did you mean 'medpix'"),
        ("", {"fields": ["article:case"]}, ConfigError, "--field article:case: write it as"),
        ("", {"where": ["split"]}, ConfigError, "--where split: write it as"),
        ("", {"fields": ["article=cases"]}, SourceError, "no field 'cases'; did you mean 'case'"),
        ("", {"truth": ["modalities=kind"]}, ContentError, "has no list 'modalities'"),
        ("", {"fields": ["id=kind"]}, SetError, "'CT' is the id of several records"),
        ("", {"content": "microscopy"}, SetError, "nothing of what content microscopy lists"),
        ("", {"where": ["split=test"]}, SourceError, "none of 40 records matches"),
    ],
)
def test_a_set_that_cannot_be_used_says_why(
    archive: Archive, name: str, options: dict[str, list[str]], error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        read_set(name or str(archive.records), **options)
