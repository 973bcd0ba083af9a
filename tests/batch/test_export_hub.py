"""A run as a data set in the hub's form, images and card included."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
import yaml
from held_runs import HeldRun, described, evidence, failed, held_run, image_file
from PIL import Image

import imaging
from batch.errors import ExportError
from batch.export import export, hub


def rows(folder: Path) -> list[dict[str, Any]]:
    files = sorted((folder / "data").iterdir())
    return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]


@pytest.fixture
def run(tmp_path: Path) -> HeldRun:
    names = {"p/1": "a.png", "j": "b.jpg", "t": "c.tif"}
    results = [described(image_file(tmp_path, name), id_, f"text {id_}") for id_, name in names.items()]
    return held_run(results, [failed("bad"), failed("slow", "time")])


def test_images_go_in_as_they_are_or_as_png_of_what_was_described(run: HeldRun, tmp_path: Path) -> None:
    done = export(run, "hf", tmp_path / "set")
    found = rows(tmp_path / "set")
    assert (done.rows, done.left_out) == (3, 0)
    assert [row["image"]["path"] for row in found] == ["p_1.png", "j.jpg", "t.png"]
    assert found[0]["image"]["bytes"] == (tmp_path / "a.png").read_bytes()
    assert found[1]["image"]["bytes"] == (tmp_path / "b.jpg").read_bytes()
    pixels = Image.open(io.BytesIO(found[2]["image"]["bytes"]))
    assert pixels.format == "PNG"
    assert pixels.tobytes() == imaging.load(tmp_path / "c.tif").picture.tobytes()
    assert [row["caption"] for row in found] == ["text p/1", "text j", "text t"]
    assert found[0]["evidence_licenses"] == ["CC BY 4.0", "CC BY-NC 4.0"]
    assert (found[0]["cited_ids"], found[0]["evidence_ids"]) == (["e1"], ["e1", "e2"])


def test_no_place_on_this_machine_is_in_it(run: HeldRun, tmp_path: Path) -> None:
    export(run, "hf", tmp_path / "set")
    told = json.dumps([{k: v for k, v in row.items() if k != "image"} for row in rows(tmp_path / "set")])
    card = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    assert "x@5" in card
    for text in (told, card):
        assert str(tmp_path) not in text
        assert "/home/somebody" not in text


def test_an_image_that_changed_or_is_gone_is_left_out_and_said(run: HeldRun, tmp_path: Path) -> None:
    image_file(tmp_path, "b.jpg", shade=99)
    (tmp_path / "c.tif").unlink()
    done = export(run, "hf", tmp_path / "set")
    assert [row["id"] for row in rows(tmp_path / "set")] == ["p/1"]
    assert (done.rows, done.left_out) == (1, 2)
    assert done.notes[:1] == (
        "left out for their images: 1 another than was described, 1 gone or unreadable; the first is 'j'",
    )
    assert "Not in it: the image is another than was described | 1 |" in (tmp_path / "set" / "README.md").read_text(
        encoding="utf-8"
    )

    (tmp_path / "a.png").unlink()
    with pytest.raises(ExportError, match="no image of the run can be read"):
        export(run, "hf", tmp_path / "other")
    assert not [path for path in tmp_path.iterdir() if "other" in path.name]


def test_a_frame_is_the_picture_of_that_frame(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), shade) for shade in (10, 200)]
    frames[0].save(tmp_path / "s.tif", save_all=True, append_images=frames[1:])
    frame = f"{tmp_path / 's.tif'}#frame=2"
    result = described(tmp_path / "s.tif", "f", "a frame", images=(imaging.load(frame),))
    export(held_run([result]), "hf", tmp_path / "set")
    assert Image.open(io.BytesIO(rows(tmp_path / "set")[0]["image"]["bytes"])).getpixel((0, 0)) == (200, 200, 200)


def test_of_several_images_the_first_is_in_it_and_that_is_said(tmp_path: Path) -> None:
    files = [image_file(tmp_path, name) for name in ("a.png", "b.png")]
    both = described(files[0], "ab", "two views", images=tuple(imaging.load(file) for file in files))
    done = export(held_run([both]), "hf", tmp_path / "set")
    assert [row["image"]["bytes"] for row in rows(tmp_path / "set")] == [files[0].read_bytes()]
    assert rows(tmp_path / "set")[0]["image_sha256"] == imaging.load(files[0]).sha256
    assert done.notes == ("of several images the first alone is in it: 1 of several images; the first is 'ab'",)


def test_files_and_row_groups_are_closed_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = image_file(tmp_path, "a.png").stat().st_size
    monkeypatch.setattr(hub, "GROUP_ROWS", 2)
    monkeypatch.setattr(hub, "FILE_BYTES", 4 * size)
    held = held_run([described(tmp_path / "a.png", f"i{n}", "x") for n in range(9)])
    export(held, "hf", tmp_path / "set")
    files = sorted((tmp_path / "set" / "data").iterdir())
    assert [file.name for file in files] == [f"train-{n:05}-of-00003.parquet" for n in range(3)]
    metadata = [pyarrow.parquet.read_metadata(file) for file in files]
    assert [found.num_rows for found in metadata] == [4, 4, 1]
    assert [found.num_row_groups for found in metadata] == [2, 2, 1]


def test_the_card_says_what_made_it_and_what_it_is_not_for(run: HeldRun, tmp_path: Path) -> None:
    withheld = described(tmp_path / "a.png", "w", "", found=(evidence(1, None),))
    export(held_run([*run.held, withheld], run.failures), "hf", tmp_path / "set")
    text = (tmp_path / "set" / "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    meta = yaml.safe_load(head)
    assert meta["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*"}]
    assert meta["task_categories"] == ["image-to-text"]
    assert meta["license"] == "other"
    assert "For research only; not for diagnosis" in body
    assert "| pocket@aaaa | none | few_shot@1111 | x@5 |" in body
    assert "| Images of the input | 6 |" in body
    assert "no description could be made | 2 (1 by image, 1 by time) |" in body
    assert "(`abstained`) | 1 |" in body
    assert "| CC BY 4.0 | 3 | 3 |" in body
    assert "| CC BY-NC 4.0 | 0 | 3 |" in body
    assert "| not stated | 0 | 1 |" in body


def test_a_folder_that_holds_something_is_left_alone(run: HeldRun, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    export(run, "hf", tmp_path / "set")
    with pytest.raises(ExportError, match="is there already"):
        export(run, "hf", tmp_path / "set")
    with pytest.raises(ExportError, match="is there already"):
        export(run, "hf", tmp_path / "a.png")
    assert len(rows(tmp_path / "set")) == 3


def test_datasets_reads_it(run: HeldRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets", reason="datasets is not installed: pip install datasets")
    export(run, "hf", tmp_path / "set")
    found = datasets.load_dataset(str(tmp_path / "set"), split="train", cache_dir=str(tmp_path / "cache"))
    assert found.num_rows == 3
    assert isinstance(found.features["image"], datasets.Image)
    assert found[0]["image"].size == (16, 12)
    assert found[2]["evidence_ids"] == ["e1", "e2"]
    assert found.features["abstained"].dtype == "bool"
