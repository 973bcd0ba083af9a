"""ROCOv2: both releases, tiny and made up, in the layouts of the real ones.

Names, headers and rows as in the archive's own files, copied at
https://github.com/sctg-development/ROCOv2-radiology/tree/main/source_dataset (test_captions.csv,
test_concepts_manual.csv, cui_mapping.csv), the zips' inner folders as users list them unpacked
(train_images/train/ROCOv2_2023_train_000001.jpg); license_information.csv has the columns that
https://zenodo.org/records/10821435 is read with in public code (ID, PMCID, Attribution, Link), and attributions of the
form that the set's authors ask for, "CC BY [Muacevic et al. (2022)]" (https://doi.org/10.1038/s41597-024-03496-6).
The hub's columns and splits: https://huggingface.co/datasets/eltorio/ROCOv2-radiology/blob/main/README.md; its empty
concepts are "nan", as https://github.com/sctg-development/ROCOv2-radiology/blob/main/generate.ipynb makes them.
"""

from __future__ import annotations

import csv
import logging
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from index_makers import index_config
from test_image_refs import png

import configs
from indexer import IndexConfig, Source, SourceError, SourceFailure, SourceImage, build_index, load_config
from indexer.manifest import read_manifest
from indexer.sources import open_source

CAPTIONS = {
    1: "CT chest axial view showing a huge ascending aortic aneurysm (*).",
    2: "Neck CT showing a left lymph node conglomerate, with hypodense images.",
    3: " Retroperitoneal mass detected on “enhanced” abdominal computed tomography.",
}
MANUAL = {1: "C0040405", 2: "C1306645;C0817096;C1996865", 3: ""}
AUTOMATIC = {1: "C0002940;C0040405", 2: "C0817096", 3: "C9999999"}
NAMES = [
    ("C0040405", "X-Ray Computed Tomography"),
    ("C0002940", "Aneurysm"),
    ("C1306645", "Plain x-ray"),
    ("C0817096", "Chest"),
    ("C1996865", "Postero-Anterior"),
]
ORIGINS = {
    1: ("PMC9000001", "CC BY [Muacevic et al. (2022)]", "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC9000001/"),
    2: ("PMC9000001", "CC BY-NC [Ito et al. (2021)]", "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC9000001/"),
}


def identity(split: str, number: int) -> str:
    return f"ROCOv2_2023_{split}_{number:06d}"


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_archive(root: Path, splits: Sequence[str] = ("train", "valid", "test"), packed: bool = True) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    write_csv(root / "cui_mapping.csv", ("CUI", "Canonical name"), NAMES)
    origins = [(identity(split, n), *origin) for split in splits for n, origin in ORIGINS.items()]
    write_csv(root / "license_information.csv", ("ID", "PMCID", "Attribution", "Link"), origins)
    for number, split in enumerate(splits):
        write_csv(
            root / f"{split}_captions.csv", ("ID", "Caption"), [(identity(split, n), CAPTIONS[n]) for n in CAPTIONS]
        )
        for name, cuis in (("concepts", AUTOMATIC), ("concepts_manual", MANUAL)):
            write_csv(root / f"{split}_{name}.csv", ("ID", "CUIs"), [(identity(split, n), cuis[n]) for n in cuis])
        images = {f"{split}/{identity(split, n)}.jpg": png(10 * number + n) for n in CAPTIONS}
        with zipfile.ZipFile(root / f"{split}_images.zip", "w") as file:
            file.writestr(f"__MACOSX/{split}/._{identity(split, 1)}.jpg", b"not an image")
            for name, data in images.items():
                file.writestr(name, data)
        if not packed:
            with zipfile.ZipFile(root / f"{split}_images.zip") as file:
                file.extractall(root / f"{split}_images", list(images))
            (root / f"{split}_images.zip").unlink()
    return root


def write_hub(root: Path, splits: Sequence[str] = ("train", "validation", "test")) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    (root / "data").mkdir(parents=True, exist_ok=True)
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    for number, split in enumerate(splits):
        ids = [identity("valid" if split == "validation" else split, n) for n in CAPTIONS]
        columns = {
            "image": pa.array([{"bytes": png(10 * number + n), "path": None} for n in CAPTIONS], kind),
            "image_id": ids,
            "caption": list(CAPTIONS.values()),
            "cui": [MANUAL[n].split(";") if MANUAL[n] else ["nan"] for n in MANUAL],
        }
        table = pa.table(columns)
        pq.write_table(table.slice(0, 2), root / "data" / f"{split}-00000-of-00002.parquet", row_group_size=1)
        pq.write_table(table.slice(2), root / "data" / f"{split}-00001-of-00002.parquet")
    return root


def source(root: Path, **more: Any) -> Source:
    config = {"kind": "rocov2", "path": str(root), **more}
    return open_source(IndexConfig.model_validate({"out": "x", "sources": [config]}).sources[0])


def images_of(found: Source) -> list[SourceImage]:
    items = list(found)
    assert all(isinstance(item, SourceImage) for item in items)
    return [item for item in items if isinstance(item, SourceImage)]


def test_the_archive_carries_concepts_article_licence_and_attribution(tmp_path: Path) -> None:
    found = images_of(source(write_archive(tmp_path / "roco")))
    assert [item.example.id for item in found] == [identity(s, n) for s in ("train", "valid", "test") for n in CAPTIONS]
    first, second, third = (item.example for item in found[:3])
    assert first.caption == CAPTIONS[1]
    assert (first.source, first.article, first.license) == ("rocov2", "PMC9000001", "CC BY")
    assert first.attribution == "CC BY [Muacevic et al. (2022)]"
    assert first.url == "https://www.ncbi.nlm.nih.gov/pmc/articles/PMC9000001/"
    assert first.concepts == ("X-Ray Computed Tomography (C0040405)", "Aneurysm (C0002940)")
    assert first.modality == "CT"
    assert (second.license, second.modality) == ("CC BY-NC", "X-ray")
    assert second.concepts == ("Plain x-ray (C1306645)", "Chest (C0817096)", "Postero-Anterior (C1996865)")
    assert third.caption == CAPTIONS[3].strip()
    assert (third.article, third.license, third.attribution) == (None, "CC BY-NC-SA 4.0", None)
    assert (third.concepts, third.modality) == (("C9999999",), None)


def test_zips_folders_and_parquet_give_the_same_images(tmp_path: Path) -> None:
    packed = images_of(source(write_archive(tmp_path / "packed")))
    folders = images_of(source(write_archive(tmp_path / "folders", packed=False)))
    hub = write_hub(tmp_path / "hub")
    for table in ("license_information.csv", "cui_mapping.csv"):
        (hub / table).write_bytes((tmp_path / "packed" / table).read_bytes())
    parquet = images_of(source(hub))
    assert str(packed[0].image) == f"{tmp_path}/packed/train_images.zip!train/ROCOv2_2023_train_000001.jpg"
    assert str(folders[0].image) == f"{tmp_path}/folders/train_images/train/ROCOv2_2023_train_000001.jpg"
    assert str(parquet[2].image) == f"{tmp_path}/hub/data/train-00001-of-00002.parquet!0"
    assert str(parquet[1].image) == f"{tmp_path}/hub/data/train-00000-of-00002.parquet!1"
    assert [item.example for item in packed] == [item.example for item in folders]
    assert [item.example.id for item in packed] == [item.example.id for item in parquet]
    assert [item.example.article for item in packed] == [item.example.article for item in parquet]
    assert [item.image.sha256() for item in packed] == [item.image.sha256() for item in folders]
    assert [item.image.sha256() for item in packed] == [item.image.sha256() for item in parquet]
    assert parquet[1].example.concepts == packed[1].example.concepts
    assert parquet[2].example.concepts == ()


def test_the_chosen_splits_in_the_chosen_order(tmp_path: Path) -> None:
    archive, hub = write_archive(tmp_path / "roco"), write_hub(tmp_path / "hub")
    for root in (archive, hub):
        found = source(root, splits=["valid", "train"], source="figures")
        assert len(found) == 6
        assert [item.example.id.split("_")[2] for item in images_of(found)] == ["valid"] * 3 + ["train"] * 3
        assert images_of(found)[0].example.source == "figures"
    for wrong, message in (["train", "train"], "name each split once"), (["tset"], "splits"), ([], "splits"):
        config = {"out": "x", "sources": [{"kind": "rocov2", "path": ".", "splits": wrong}]}
        with pytest.raises(configs.ConfigError, match=message):
            configs.parse(IndexConfig, config, "mine.yaml")


def test_captions_without_image_and_images_without_caption_are_failures(tmp_path: Path) -> None:
    for packed in (True, False):
        root = write_archive(tmp_path / f"roco{packed}", ["train"], packed=packed)
        where = root / ("train_images.zip" if packed else "train_images")
        with (root / "train_captions.csv").open("a") as file:
            file.write("ROCOv2_2023_train_000008,Nothing to see\n,No id\nROCOv2_2023_train_000009,\n")
        extra = {9: png(9), 7: png(7)}
        for number, data in extra.items():
            if packed:
                with zipfile.ZipFile(where, "a") as file:
                    file.writestr(f"train/{identity('train', number)}.jpg", data)
            else:
                (where / "train" / f"{identity('train', number)}.jpg").write_bytes(data)
        found = source(root, splits=["train"])
        items = list(found)
        assert len(found) == len(items) == 7
        assert [item for item in items if isinstance(item, SourceFailure)] == [
            SourceFailure(
                "rocov2", identity("train", 8), f"has a caption in train_captions.csv, but no image in {where}"
            ),
            SourceFailure("rocov2", "train_captions.csv line 6", "ID is missing"),
            SourceFailure("rocov2", identity("train", 9), "its caption is missing"),
            SourceFailure(
                "rocov2", identity("train", 7), f"is an image in {where}, but has no caption in train_captions.csv"
            ),
        ]


def test_counts_other_than_published_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_archive(tmp_path / "roco")
    caplog.set_level(logging.WARNING)
    len(source(root))
    assert caplog.messages == [
        "rocov2: train has 3 usable images; its authors count 59,958",
        "rocov2: 1 images of train have no article in license_information.csv; they are given as CC BY-NC-SA 4.0",
        "rocov2: valid has 3 usable images; its authors count 9,904",
        "rocov2: 1 images of valid have no article in license_information.csv; they are given as CC BY-NC-SA 4.0",
        "rocov2: test has 3 usable images; its authors count 9,927",
        "rocov2: 1 images of test have no article in license_information.csv; they are given as CC BY-NC-SA 4.0",
    ]
    caplog.clear()
    assert len(list(iter(source(root)))) == 9  # `list` alone would ask for the length
    assert not caplog.messages
    monkeypatch.setattr("indexer.sources.rocov2.PUBLISHED", {"train": 3})
    len(source(root, splits=["train"]))
    assert len(caplog.messages) == 1


def test_what_a_release_lacks_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    hub, archive = write_hub(tmp_path / "hub"), write_archive(tmp_path / "roco", ["train"])
    len(source(hub, splits=["train"]))
    assert "no license_information.csv in" in caplog.messages[0]
    assert "no image has its article, attribution or link" in caplog.messages[0]
    assert "concepts are CUIs without names" in caplog.messages[1]
    example = images_of(source(hub))[1].example
    assert (example.article, example.license, example.url) == (None, "CC BY-NC-SA 4.0", None)
    assert example.concepts == ("C1306645", "C0817096", "C1996865")
    caplog.clear()
    (archive / "train_concepts.csv").unlink()
    len(source(archive, splits=["train"]))
    assert not any("concepts" in message for message in caplog.messages)
    (archive / "train_concepts_manual.csv").unlink()
    len(source(archive, splits=["train"]))
    assert any("its images have no concepts" in message for message in caplog.messages)


def test_headers_may_have_space_and_a_mark_of_order(tmp_path: Path) -> None:
    root = write_archive(tmp_path / "roco", ["train"])
    text = (root / "train_captions.csv").read_text(encoding="utf-8").replace("ID,Caption", " ID , caption")
    (root / "train_captions.csv").write_text(text, encoding="utf-8-sig")
    assert len(images_of(source(root, splits=["train"]))) == 3


def test_a_release_that_is_not_there_or_not_whole_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    archive, hub = write_archive(tmp_path / "roco", ["train"]), write_hub(tmp_path / "hub", ["train"])
    wrong: list[tuple[Source, str]] = [
        (source(tmp_path / "nowhere"), "no such folder .*data list"),
        (source(tmp_path / "empty"), r"neither release of ROCOv2 .* no train_captions.csv, no data/train-\*.parquet"),
        (source(archive, splits=["test"]), "no images of test; put test_images.zip or the folder test_images there"),
        (source(hub, splits=["valid"]), r"no validation-\*.parquet"),
    ]
    for found, message in wrong:
        with pytest.raises(SourceError, match=message):
            len(found)
    (archive / "train_captions.csv").write_text("ID,Text\na,b\n")
    with pytest.raises(SourceError, match=r"no column 'Caption'\. Columns: ID, Text"):
        len(source(archive, splits=["train"]))
    (archive / "train_images.zip").write_bytes(b"half a zip")
    with pytest.raises(SourceError, match=r"cannot be read as a zip.* Fetch it again"):
        len(source(archive, splits=["train"]))
    (hub / "data" / "train-00001-of-00002.parquet").write_bytes(b"half a file")
    with pytest.raises(SourceError, match=r"train-00001-of-00002.parquet: cannot be read as Parquet"):
        len(source(hub, splits=["train"]))


def test_an_index_of_each_release(tmp_path: Path, hashes: Any) -> None:
    for root in (write_archive(tmp_path / "roco"), write_hub(tmp_path / "hub")):
        sources = {"kind": "rocov2", "path": str(root), "splits": ["train", "test"]}
        config = index_config(root / "index", sources, **hashes.names)
        report = build_index(config)
        assert (report.added, report.failures) == (6, ())
        again = build_index(config)
        assert (again.unchanged, again.embedded, again.changed) == (6, 0, False)
        assert read_manifest(root / "index").config["sources"][0]["splits"] == ["train", "test"]


def test_the_shipped_configuration() -> None:
    config = load_config("rocov2")
    assert config.out == "data/indexes/rocov2"
    assert config.sources[0].model_dump()["splits"] == ["train", "valid"]
