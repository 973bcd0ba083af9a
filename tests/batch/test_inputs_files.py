"""Inputs without records: folders, patterns, zips."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest
from input_makers import items, notes, png, read, shades, write_files, write_zip

from batch.errors import InputError
from batch.inputs import open_input
from batch.types import Unusable

IMAGES = {"b.png": png(2), "a.PNG": png(1), "in/deep/c.png": png(3), "in/same.png": png(4), "in/same.tif": png(5)}
IDS = {"a": 1, "b": 2, "in/deep/c": 3, "in/same.png": 4, "in/same.tif": 5}
BESIDE = {"notes.txt": "text", ".hidden.png": png(9), ".cache/d.png": png(9)}


def test_a_folder_is_read_in_the_order_of_its_paths_without_what_is_hidden(tmp_path: Path) -> None:
    root = write_files(tmp_path / "scans", {**IMAGES, **BESIDE})
    found = items(root)
    assert shades(found) == IDS
    assert [item.request.id for item in found] == list(IDS)
    assert found[2].request.images == (str(root / "in/deep/c.png"),)
    assert {item.request.task for item in found} == {"caption"}
    assert notes(root) == ["1 files are no images by their ending and were skipped: notes.txt"]


def test_a_name_with_two_endings_or_like_a_packed_file_is_no_trap(tmp_path: Path) -> None:
    root = write_files(tmp_path, {"v.nii.gz": png(1), "w.zip!x.png": png(2), "p.parquet!3": png(3), "z.png": png(4)})
    found = read(root)
    assert [one.id if isinstance(one, Unusable) else one.request.id for one in found] == ["v", "w.zip!x.png", "z"]
    assert isinstance(found[1], Unusable)
    assert "reads as a member of a packed file; rename it" in found[1].reason


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes there")
def test_a_name_that_is_no_text_is_unusable_and_the_rest_goes_on(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.png": png(1)})
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9.png"))).write_bytes(png(2))
    good, bad = read(tmp_path)
    assert isinstance(bad, Unusable)
    assert (bad.id, bad.reason) == (r"\udce9.png", "its file name is not UTF-8; rename it")
    assert not isinstance(good, Unusable)


def test_a_pattern_takes_what_it_matches_with_ids_from_its_fixed_part_on(tmp_path: Path) -> None:
    root = write_files(tmp_path / "scans", {**IMAGES, **BESIDE})
    assert shades(items(f"{root}/**/*.[pP][nN][gG]")) == {"a": 1, "b": 2, "in/deep/c": 3, "in/same": 4}
    assert shades(items(f"{root}/in/*")) == {"same.png": 4, "same.tif": 5}
    assert notes(f"{root}/*") == ["1 files are no images by their ending and were skipped: notes.txt"]


def test_a_pattern_is_relative_to_where_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path / "scans", {"a[1].png": png(1), "b.png": png(2)})
    monkeypatch.chdir(tmp_path / "scans")
    assert items("*.png")[1].request.images == (str(tmp_path / "scans/b.png"),)
    assert shades(items("a[1].png")) == {"a[1]": 1}  # a file of that name is meant before a pattern
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert items("../scans")[0].request.images == (str(tmp_path / "scans/a[1].png"),)


def test_a_zip_stays_packed_and_is_read_as_its_folder_would_be(tmp_path: Path) -> None:
    members = {**IMAGES, **BESIDE, "__MACOSX/._a.png": b"not an image", "in/": b""}
    packed = write_zip(tmp_path / "Scans.ZIP", {name: _bytes(data) for name, data in members.items()})
    found = items(packed)
    assert shades(found) == IDS
    assert found[0].request.images == (f"{packed}!a.PNG",)
    assert [path.name for path in tmp_path.iterdir()] == ["Scans.ZIP"]
    assert notes(packed) == ["1 files are no images by their ending and were skipped: notes.txt"]


def _bytes(data: bytes | str) -> bytes:
    return data.encode() if isinstance(data, str) else data


def test_one_image_is_an_input(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.png": png(5)})
    assert shades(items(tmp_path / "a.png")) == {"a": 5}


def test_a_stamp_changes_with_a_file_and_is_a_zip_members_wherever_the_zip_is(tmp_path: Path) -> None:
    root = write_files(tmp_path / "scans", {"a.png": png(1), "b.png": png(2)})
    before = {item.request.id: item.stamp for item in items(root)}
    os.utime(root / "b.png", ns=(1, 1))
    after = {item.request.id: item.stamp for item in items(root)}
    assert before["a"] == after["a"]
    assert before["b"] != after["b"]
    assert after["b"] == f"{len(png(2))}:1"

    packed = write_zip(tmp_path / "one.zip", {"a.png": png(1), "b.png": png(2)})
    again = write_zip(tmp_path / "two.zip", {"b.png": png(2), "a.png": png(1)}, date=(2024, 5, 5, 5, 5, 5))
    shutil.copy(packed, tmp_path / "three.zip")
    stamps = [[item.stamp for item in items(path)] for path in (packed, again, tmp_path / "three.zip")]
    assert stamps[0] == stamps[1] == stamps[2]
    changed = write_zip(tmp_path / "four.zip", {"a.png": png(3), "b.png": png(2)})
    first, second = (item.stamp for item in items(changed))
    assert first != stamps[0][0]
    assert second == stamps[0][1]


def test_iterating_again_sees_what_changed(tmp_path: Path) -> None:
    root = write_files(tmp_path / "scans", {"a.png": png(1), "x.txt": ""})
    opened = open_input(str(root))
    assert len(list(opened)) == 1
    assert len(opened.notes) == 1
    write_files(root, {"b.png": png(2)})
    (root / "x.txt").unlink()
    assert len(list(opened)) == 2
    assert opened.notes == []
    assert opened.name == str(root)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scanz", r"scanz: no such file or folder; relative to .*\. Did you mean .*/scans\?$"),
        ("nothing/like/this", r"no such file or folder; relative to [^?]*\.$"),
        ("empty", r"empty: an empty folder$"),
        ("texts", r"no image in it: there are list\.csv, notes\.txt, and .*\. It has 'list\.csv': name that file"),
        ("scans/*.jpg", r"scans/\*\.jpg: no file matches\. Quote the pattern"),
        ("texts/*.txt", r"no image among the 1 files that match: there are notes\.txt"),
        ("half.zip", r"half\.zip: cannot be read as a zip: File is not a zip file\. Fetch it again"),
        ("none.zip", r"none\.zip: an empty zip"),
        ("readme.zip", r"readme\.zip: no image in it: there are readme\.txt"),
        ("texts/notes.txt", r"a file that is described ends in one of \.zip, "),
        ("x" * 5000, r"xx: cannot be read: File name too long"),
    ],
)
def test_what_cannot_be_an_input_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    write_files(tmp_path, {"scans/a.png": png(1), "texts/notes.txt": "", "texts/list.csv": "a,b\n"})
    (tmp_path / "empty").mkdir()
    write_files(tmp_path, {"half.zip": write_zip(tmp_path / "whole.zip", IMAGES).read_bytes()[:200]})
    write_zip(tmp_path / "none.zip", {})
    write_zip(tmp_path / "readme.zip", {"readme.txt": b""})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        read(text)
    assert re.search(told, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)
