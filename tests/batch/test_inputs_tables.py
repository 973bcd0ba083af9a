"""Inputs with records: tables, hub data sets, an index, ROCOv2's archive."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from input_makers import (
    hub_table,
    items,
    jsonl,
    notes,
    png,
    read,
    shades,
    write_files,
    write_parquet,
    write_saved,
    write_zip,
)

from batch.errors import InputError
from batch.types import Item, Unusable
from indexer import IndexConfig, build_index

IMAGES = {f"images/{n}.png": png(n) for n in range(1, 5)}
RECORDS: list[dict[str, Any]] = [
    {"id": f"r{n}", "image": f"images/{n}.png", "case": f"c{n // 3}", "split": "dev" if n > 2 else "train", "fold": n}
    for n in range(1, 5)
]


def csv_of(records: list[dict[str, Any]]) -> str:
    return "".join(",".join(map(str, row)) + "\n" for row in (records[0], *(r.values() for r in records)))


@pytest.mark.parametrize("name", ["records.jsonl", "records.csv", "records.parquet"])
def test_a_record_file_and_the_folder_around_it_are_the_same(tmp_path: Path, name: str) -> None:
    root = write_files(tmp_path / "set", IMAGES)
    if name.endswith("parquet"):
        pa = pytest.importorskip("pyarrow")
        write_parquet(root / name, pa.Table.from_pylist(RECORDS))
    else:
        write_files(root, {name: jsonl(*RECORDS) if name.endswith("jsonl") else csv_of(RECORDS)})
    found = items(root, fields=("article=case",))
    assert shades(found) == {"r1": 1, "r2": 2, "r3": 3, "r4": 4}
    assert [item.request.article for item in found] == ["c0", "c0", "c1", "c1"]
    assert items(root / name, fields=("article=case",)) == found
    assert [item.request.id for item in items(root, where=("split=dev",))] == ["r3", "r4"]
    assert [item.request.id for item in items(root, where=("fold=1", "fold=4"))] == ["r1", "r4"]
    assert [item.request.id for item in items(root, where=("split=dev", "split=["))] == ["r3", "r4"]
    assert [item.request.article for item in items(root)] == [None] * 4
    assert notes(root) == []


def test_the_hubs_image_folder_has_file_names_and_no_ids(tmp_path: Path) -> None:
    root = write_files(tmp_path, {**IMAGES, "metadata.csv": "file_name,text\nimages/2.png,two\nimages/1.png,one\n"})
    assert shades(items(root)) == {"images/2": 2, "images/1": 1}
    assert notes(root) == [
        f"{root}/metadata.csv: no field id; images are known by their paths. Name one with --field id=NAME"
    ]


def test_images_of_a_record_file_may_be_packed_frames_or_several(tmp_path: Path) -> None:
    write_zip(tmp_path / "p.zip", {"x/1.png": png(1)})
    write_files(tmp_path, IMAGES)
    records = [{"id": "z", "image": "p.zip!x/1.png"}, {"id": "f", "image": f"{tmp_path}/images/2.png#frame=1"}]
    write_files(tmp_path, {"list.jsonl": jsonl(*records, {"id": "s", "image": ["images/3.png", "images/4.png"]})})
    packed, framed, several = items(tmp_path / "list.jsonl")
    assert shades([packed, framed]) == {"z": 1, "f": 2}
    assert re.fullmatch(rf"[0-9a-f]{{8}}:{len(png(1))}", packed.stamp)
    assert framed.stamp.startswith(f"{len(png(2))}:")
    assert several.request.images == (f"{tmp_path}/images/3.png", f"{tmp_path}/images/4.png")
    assert several.stamp.count("+") == 1


def test_one_bad_record_is_unusable_and_the_rest_goes_on(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "image": "images/1.png"}', '{"id": "b"}', '{"image": "images/2.png"}', "no json", "[]",
        '{"id": "a", "image": "images/2.png"}', '{"id": "u", "image": "https://me:pw@example.org/x.png?sig=1"}',
        '{"id": "n", "image": {"bytes": 1}}', '{"id": "gone", "image": "images/9.png"}',
        '{"id": "c", "image": "images/3.png"}', r'{"id": "half \ud800", "image": "images/4.png"}',
    ]  # fmt: skip
    write_files(tmp_path, {**IMAGES, "list.jsonl": "\n".join(lines)})
    found = read(tmp_path / "list.jsonl")
    bad = {one.id: one.reason for one in found if isinstance(one, Unusable)}
    assert bad.pop("line 4").startswith("not valid JSON")
    assert bad == {
        "b": "image is missing",
        "line 3": "id is missing",
        "line 5": "not a JSON object",
        "line 6": "its id 'a' is that of line 1; each record needs an id of its own",
        "u": "https://example.org/x.png is an address; fetch the image and name the file",
        "n": "image is dict where a path should be",
        "line 11": "holds half a character (a lone surrogate), which no file of results can",
    }
    good = {one.request.id: one.stamp for one in found if isinstance(one, Item)}
    assert list(good) == ["a", "gone", "c"]
    assert good["gone"] == "absent"  # what reads it says so, and a later run finds it
    ids = [one.id if isinstance(one, Unusable) else one.request.id for one in found]
    assert len(set(ids)) == len(ids) == len(lines)


def test_each_record_has_an_id_of_its_own_whatever_the_records_call_themselves(tmp_path: Path) -> None:
    records = [{"id": id_, "image": "images/1.png"} for id_ in ("a", "line 4", "a", "a", "b", "record 4", "c", "d")]
    write_files(tmp_path, {**IMAGES, "list.jsonl": jsonl(*records)})
    ids = [one.id if isinstance(one, Unusable) else one.request.id for one in read(tmp_path / "list.jsonl")]
    assert ids == ["a", "line 4", "line 3", "record 4", "b", "line 6", "c", "d"]
    captions = "ID,Caption\nx,one\nx,again\n"
    archive = write_files(tmp_path / "roco", {"train_captions.csv": captions, "train_images/x.jpg": png(1)})
    good, bad = read(archive)
    assert isinstance(good, Item)
    assert isinstance(bad, Unusable)
    assert (bad.id, bad.reason) == (
        "record 2",
        "its id 'x' is that of an earlier record; each record needs an id of its own",
    )


def test_a_hub_snapshot_is_read_split_by_split_with_its_images_inside(tmp_path: Path) -> None:
    shards = {"test": [(5,)], "train": [(1, 2, 3), (4,)]}
    for split, parts in shards.items():
        for n, part in enumerate(parts):
            table = hub_table(part, image_id=[f"i{shade}" for shade in part], caption=["text"] * len(part))
            write_parquet(tmp_path / "data" / f"{split}-{n:05d}-of-{len(parts):05d}.parquet", table)
    found = items(tmp_path)
    assert shades(found) == {f"i{n}": n for n in range(1, 6)}
    assert found[3].request.images == (f"{tmp_path}/data/train-00001-of-00002.parquet!0",)
    assert shades(items(tmp_path, where=("split=test",))) == {"i5": 5}
    assert found[2].stamp.split(":")[0] == str((tmp_path / "data/train-00000-of-00002.parquet").stat().st_size)
    assert found[2].stamp.endswith(":2")
    write_files(tmp_path, {"license_information.csv": "ID,PMCID,Attribution,Link\ni2,PMC7,CC BY,\n"})
    assert [item.request.article for item in items(tmp_path)] == [None, "PMC7", None, None, None]
    (tmp_path / "data/train-00000-of-00002.parquet").unlink()
    assert notes(tmp_path) == [f"train: 1 of 2 files are not in {tmp_path}/data"]


def test_a_parquet_file_keeps_its_images_in_a_column_of_any_name(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "x.parquet", hub_table([7, 8, 9], column="image_id", case_id=["a", "b", "b"]))
    found = items(file, fields=("article=case_id",))
    assert shades(found) == {"x/0": 7, "x/1": 8, "x/2": 9}
    assert found[2].request.images == (f"{file}!2#column=image_id",)
    assert [item.request.article for item in found] == ["a", "b", "b"]
    bare = write_parquet(tmp_path / "bare.parquet", hub_table([1, 2]))
    assert shades(items(bare)) == {"bare/0": 1, "bare/1": 2}
    assert "known by the rows' places" in notes(bare)[0]


def test_a_saved_data_set_is_read_without_the_package_that_saved_it(tmp_path: Path) -> None:
    train = [hub_table([1, 2, 3], id=["a", "b", "c"]), hub_table([4], id=["d"])]
    one = write_saved(tmp_path / "one", train)
    found = items(one)
    assert shades(found) == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert found[3].request.images == (f"{one}/data-00001-of-00002.arrow!0",)
    assert found[2].stamp.endswith(":2")
    assert shades(items(one / "data-00001-of-00002.arrow")) == {"d": 4}
    several = tmp_path / "several"
    write_saved(several / "train", train)
    write_saved(several / "test", [hub_table([5], column="picture", id=["e"])], split="test")
    write_files(several, {"dataset_dict.json": json.dumps({"splits": ["test"]})})
    assert shades(items(several)) == {"e": 5}
    assert items(several)[0].request.images[0] == f"{several}/test/data-00000-of-00001.arrow!0#column=picture"
    write_saved(several / "test", [hub_table([5], id=["e"])], split="test")
    write_files(several, {"dataset_dict.json": json.dumps({"splits": ["train", "test"]})})
    assert shades(items(several, where=("split=test",))) == {"e": 5}
    assert len(items(several)) == 5


def test_an_index_gives_back_the_images_it_was_built_from(tmp_path: Path) -> None:
    records = [{**record, "caption": "A picture."} for record in RECORDS]
    root = write_files(tmp_path / "set", {**IMAGES, "records.jsonl": jsonl(*records)})
    source = {"kind": "folder", "path": str(root), "fields": {"caption": "caption", "article": "case"}}
    build_index(IndexConfig.model_validate({"out": str(tmp_path / "ix"), "sources": [source]}), progress=False)
    found = items(tmp_path / "ix")
    assert shades(found) == {"r1": 1, "r2": 2, "r3": 3, "r4": 4}
    assert [item.request.article for item in found] == ["c0", "c0", "c1", "c1"]
    assert len(items(tmp_path / "ix", where=("source=set", "caption=A picture."))) == 4
    root.rename(tmp_path / "moved")
    with pytest.raises(InputError, match=rf"none of its 4 images is there; the first: {root}/images/1.png"):
        read(tmp_path / "ix")
    (tmp_path / "ix" / "records.sqlite").write_bytes(b"half")
    with pytest.raises(InputError, match=r"records\.sqlite: missing or damaged"):
        read(tmp_path / "ix")


def test_rocov2_is_read_from_its_packed_archive_with_articles(tmp_path: Path) -> None:
    names = {n: f"ROCOv2_2023_{split}_{n:06d}" for n, split in ((1, "train"), (2, "train"), (3, "train"), (4, "valid"))}
    write_zip(tmp_path / "train_images.zip", {f"train/{names[n]}.jpg": png(n) for n in (1, 2, 3)})
    write_zip(tmp_path / "valid_images.zip", {f"valid/{names[4]}.jpg": png(4)})
    captions = f"ID,Caption\n{names[2]},two\n{names[1]},\nROCOv2_2023_train_000009,none\n"
    origins = f"ID,PMCID,Attribution,Link\n{names[1]},PMC1,CC BY,\n{names[4]},PMC2,CC BY,\n"
    tables = {"train_captions.csv": captions, "valid_captions.csv": f"ID,Caption\n{names[4]},four\n"}
    write_files(tmp_path, {**tables, "license_information.csv": origins})
    found = read(tmp_path)
    good = [one for one in found if isinstance(one, Item)]
    assert list(shades(good).values()) == [2, 1, 3, 4]  # an image without a caption is there to be described
    assert [item.request.article for item in good] == [None, "PMC1", None, "PMC2"]
    assert good[0].request.images == (f"{tmp_path}/train_images.zip!train/{names[2]}.jpg",)
    (bad,) = (one for one in found if isinstance(one, Unusable))
    assert bad.id == "ROCOv2_2023_train_000009"
    assert "has a caption in train_captions.csv, but no image in" in bad.reason
    assert [item.request.article for item in items(tmp_path, where=("split=valid",))] == ["PMC2"]
    assert notes(tmp_path) == [f"{tmp_path}: ROCOv2 without test"]
    with pytest.raises(InputError, match=r"none of \d records matches where .*; split is one of train, valid"):
        read(tmp_path, where=("split=tset",))


@pytest.mark.parametrize(
    ("files", "text", "options", "told"),
    [
        ({"l.csv": "id,file\na,1.png\n"}, "l.csv", {}, r"l\.csv: no field 'image'\. .*--field image=NAME\. Fields: id"),
        ({"l.csv": "id,image\na,images/1.png\n"}, "l.csv", {"fields": ("article=imge",)},
         r"--field article: no field 'imge'; did you mean 'image'\? Fields: id, image"),
        ({"l.jsonl": '{"id": 1, "image": "images/1.png"}'}, "l.jsonl", {"fields": ("article=case",)},
         r"--field article: no field 'case'\. Fields: id, image"),
        ({"l.csv": "id,image\na,images/1.png\n"}, "l.csv", {"where": ("s=dev",)}, r"where\.s: no field 's'"),
        ({"l.csv": "id,image\na,images/1.png\n"}, "l.csv", {"where": ("id=b",)}, r"none of 1 records matches where"),
        ({"l.csv": "id,image\n"}, "l.csv", {}, r"l\.csv: no records in it"),
        ({"l.csv": ""}, "l.csv", {}, r"l\.csv: an empty file"),
        ({"l.csv": b"\xff\xfe\x00"}, "l.csv", {}, r"l\.csv: cannot be read: "),
        ({"l.csv": "id,image\n,images/1.png\n"}, "l.csv", {}, r"none of its records can be used.*line 2: id is m"),
        ({"l.csv": "id,image\na,images/8.png\n"}, "l.csv", {}, r"none of its 1 images is there; .*images/8\.png"),
        ({"l.csv": "id,image\n" + "a,images/1.png\n" * 3}, "l.csv", {},
         r"id is no id: 2 records have one that others have \(line 3: .*--field id=NAME"),
        ({"l.parquet": b"PAR1 half"}, "l.parquet", {}, r"l\.parquet: cannot be read as Parquet"),
        ({"state.json": "{"}, ".", {}, r"state\.json: cannot be read: .*Save the data set again"),
        ({"state.json": '{"_data_files": [{"filename": "x.arrow"}]}'}, ".", {}, r"x\.arrow: cannot be read as Arrow"),
        ({"data/train-00000-of-00001.parquet": b"x"}, ".", {}, r"train-00000-of-00001\.parquet: cannot be read as"),
        ({"manifest.json": "{}"}, ".", {}, r"manifest\.json: schema None"),
    ],
)  # fmt: skip
def test_records_that_cannot_be_an_input_say_why(
    tmp_path: Path, files: dict[str, bytes | str], text: str, options: dict[str, Any], told: str
) -> None:
    write_files(tmp_path, {**IMAGES, **files})
    with pytest.raises(InputError) as caught:
        read(os.path.join(tmp_path, text), **options)
    assert re.search(told, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)
