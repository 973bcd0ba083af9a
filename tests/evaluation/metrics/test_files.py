"""Files of captions: what is wrong is named line by line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.errors import MetricError
from evaluation.metrics.files import pairs, read_captions


def written(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def references(tmp_path: Path) -> Path:
    rows = [{"id": f"i{n}", "caption": f"CT number {n}", "pmcid": f"P{n // 2}", "modality": "CT"} for n in range(4)]
    return written(tmp_path / "references.jsonl", *rows)


def test_jsonl_and_csv_with_or_without_a_header_read_the_same(tmp_path: Path) -> None:
    jsonl = written(tmp_path / "a.jsonl", {"id": "x", "caption": "CT, axial"}, {"id": 7, "caption": "MR"})
    official = tmp_path / "b.csv"
    official.write_text('ID,Caption\nx,"CT, axial"\n7,MR\n', encoding="utf-8")
    bare = tmp_path / "c.csv"
    bare.write_text('x,"CT, axial"\r\n7,MR\r\n', encoding="utf-8")
    for path in (jsonl, official, bare):
        found = read_captions(path)
        assert found.texts == {"x": "CT, axial", "7": "MR"}
        assert found.faults == ()


def test_each_fault_is_named_with_its_line(references: Path, tmp_path: Path) -> None:
    path = tmp_path / "said.csv"
    path.write_bytes(b'\xef\xbb\xbfID,Caption\ni0,"two\nlines"\ni0,again\n\ni1,\n,none\ni2,a,b\nelsewhere,CT\n')
    with pytest.raises(MetricError) as raised:
        pairs(read_captions(path), read_captions(references))
    told = str(raised.value).splitlines()
    assert told[0].startswith("9 faults in said.csv and references.jsonl")
    assert told[1:] == [
        "  said.csv:1: begins with a byte order mark (BOM). Save it as UTF-8 without BOM",
        "  said.csv:4: id 'i0' for the second time; the first is in line 2",
        "  said.csv:5: blank line",
        "  said.csv:6: id 'i1' has an empty caption",
        "  said.csv:7: no id",
        "  said.csv:8: 3 cells instead of 2; quote a caption that has commas",
        "  said.csv: no caption for id 'i2'",
        "  said.csv: no caption for id 'i3'",
        "  references.jsonl: no reference for id 'elsewhere'",
    ]


def test_with_leniency_what_is_missing_counts_as_an_empty_text(references: Path, tmp_path: Path) -> None:
    said = written(tmp_path / "said.jsonl", {"id": "i1", "caption": "CT"}, {"id": "i2", "caption": ""}, {"id": "z"})
    asked, texts, faults = pairs(read_captions(said), read_captions(references), lenient=True)
    assert asked.ids == ("i0", "i1", "i2", "i3")
    assert texts == ["", "CT", "", ""]
    assert asked.groups == ("P0", "P0", "P1", "P1")
    assert asked.splits == {"modality": ("CT",) * 4}
    assert len(faults) == 5


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"id": "a", "caption": "CT"}\n{"id": "b", "caption": "\xe9"}\n', "said.jsonl:2: byte 0xe9 is not UTF-8"),
        ('{"id": "a"}'.encode("utf-16"), "UTF-16. Save it as UTF-8"),
        (b"", "no captions in it"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, data: bytes, told: str) -> None:
    path = tmp_path / "said.jsonl"
    path.write_bytes(data)
    with pytest.raises(MetricError, match=told):
        read_captions(path)


def test_lines_that_are_no_json_objects_are_named(tmp_path: Path) -> None:
    path = tmp_path / "said.jsonl"
    path.write_text('{"id": "a", "caption": "CT"\n[1]\n{"caption": "MR"}\n', encoding="utf-8")
    faults = read_captions(path).faults
    assert [fault.split(":")[1] for fault in faults] == ["1", "2", "3"]
    assert "no JSON object" in faults[1]


def test_of_many_faults_the_first_are_shown(references: Path, tmp_path: Path) -> None:
    said = written(tmp_path / "said.jsonl", *({"id": f"x{n}", "caption": "CT"} for n in range(30)))
    with pytest.raises(MetricError, match=r"34 faults[\s\S]*\.\.\. and 14 more$"):
        pairs(read_captions(said), read_captions(references))
