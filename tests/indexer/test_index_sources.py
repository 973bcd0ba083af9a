"""Sources: what record files become, and what is said of bad ones."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from index_makers import WordCounter, folder_config, text_config, write_images, write_jsonl

import configs
from indexer import IndexConfig, Passage, Source, SourceError, SourceFailure, SourceImage
from indexer.sources import open_source
from indexer.sources.context import SourceContext


def source(config: dict[str, Any]) -> Source:
    return open_source(
        IndexConfig.model_validate({"out": "x", "sources": [config]}).sources[0], SourceContext(WordCounter())
    )


def images(config: dict[str, Any]) -> list[SourceImage]:
    return [item for item in source(config) if isinstance(item, SourceImage)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "pictures"
    write_jsonl(root / "records.jsonl", write_images(root, 5))
    return root


def test_folder_maps_fields_and_constants(folder: Path) -> None:
    found = images(folder_config(folder, license="CC0", attribution="someone"))
    assert len(source(folder_config(folder))) == len(found) == 5
    example = found[4].example
    assert (example.id, example.caption, example.article, example.source) == ("r4", "caption 4", "c1", "pictures")
    assert (example.license, example.attribution) == ("CC0", "someone")
    assert str(found[4].image) == str(folder / "images/4.png")


def test_folder_reads_the_same_from_csv_and_parquet(folder: Path) -> None:
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    records = write_images(folder, 5)
    with (folder / "records.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]))
        writer.writeheader()
        writer.writerows(records)
    pq.write_table(pa.Table.from_pylist(records), folder / "records.parquet")
    config = folder_config(folder, where={"cells": [1, 3]})
    from_jsonl = images(config)
    assert [item.example.id for item in from_jsonl] == ["r1", "r3"]
    assert images({**config, "records": "records.csv"}) == from_jsonl
    assert images({**config, "records": "records.parquet"}) == from_jsonl


def test_parquet_without_pyarrow_names_the_extra(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "records.parquet").write_bytes(b"PAR1")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(SourceError, match=r"pip install 'lumenscribe\[parquet\]'"):
        len(source(folder_config(folder, records="records.parquet")))


def test_caption_template(folder: Path) -> None:
    config = {**folder_config(folder), "fields": {"id": "id", "image": "image"}}
    found = images({**config, "caption_template": "A smear with {cells:03d} cells."})
    assert found[2].example.caption == "A smear with 002 cells."
    with pytest.raises(SourceError, match=r"caption_template \{cels\}: no field 'cels'; did you mean 'cells'\?"):
        len(source({**config, "caption_template": "{cels} cells"}))
    with pytest.raises(SourceError, match="must be a field's plain name"):
        source({**config, "caption_template": "{cells.__class__}"})


def test_records_that_cannot_be_used_are_failures_with_their_reason(folder: Path) -> None:
    with (folder / "records.jsonl").open("a") as file:
        file.write('{"id": "no-caption", "image": "images/1.png"}\nnot json\n[1]\n')
    failures = [item for item in source(folder_config(folder)) if isinstance(item, SourceFailure)]
    assert [(failure.id, failure.reason.split(":")[0]) for failure in failures] == [
        ("no-caption", "caption is missing"),
        ("line 7", "not valid JSON"),
        ("line 8", "not a JSON object"),
    ]
    template = {**folder_config(folder), "fields": {"id": "id", "image": "image"}, "caption_template": "{cells} cells"}
    failure = next(item for item in source(template) if isinstance(item, SourceFailure))
    assert failure.reason == "caption_template asks for {cells}, which is missing"


def test_errors_of_a_whole_source(folder: Path, tmp_path: Path) -> None:
    config = folder_config(folder)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({**config, "path": str(tmp_path / "nowhere")}, "no such folder"),
        ({**config, "records": "none.jsonl"}, "no such record file"),
        ({**config, "records": "records.xlsx"}, r"record files end in \.jsonl"),
        ({**config, "fields": {"caption": "captoin"}}, r"fields.caption: no field 'captoin'; did you mean 'caption'"),
        ({**config, "where": {"spilt": "train"}}, "where.spilt: no field 'spilt'; did you mean 'split'"),
        (
            {**config, "where": {"split": "trian"}},
            "none of 5 records matches where {split: trian}; split is one of train",
        ),
    ]
    for bad, message in wrong:
        with pytest.raises(SourceError, match=message):
            len(source(bad))
    (folder / "images").rename(folder / "elsewhere")
    with pytest.raises(SourceError, match="which does not exist"):
        len(source(config))


def test_a_csv_that_is_no_utf8(folder: Path) -> None:
    (folder / "records.csv").write_bytes(b"id,image,caption,case\n1,a.png,\xff\xfe,c\n")
    with pytest.raises(SourceError, match="cannot be read"):
        len(source(folder_config(folder, records="records.csv")))


def test_config_names_the_near_key() -> None:
    data = {"out": "x", "sources": [{"kind": "folder", "path": ".", "fields": {"captoin": "caption"}}]}
    with pytest.raises(configs.ConfigError, match=r"unknown key .*captoin.*; did you mean 'caption'\?"):
        configs.parse(IndexConfig, data, "mine.yaml")
    with pytest.raises(configs.ConfigError, match="caption_template"):
        configs.parse(IndexConfig, {"out": "x", "sources": [{"kind": "folder", "path": "."}]}, "mine.yaml")


def test_shipped_index_configs_are_valid() -> None:
    from indexer import load_config

    assert {load_config(name).out for name in ("medpix", "bccd", "pubmed", "texts")} == {
        "data/indexes/medpix",
        "data/indexes/bccd",
        "data/indexes/pubmed",
        "data/indexes/texts",
    }


def test_several_fields_together_name_a_text(tmp_path: Path) -> None:
    records = [
        {"doc": "1", "focus": "Sepsis", "text": "An answer."},
        {"doc": "1", "focus": "Shock", "text": "Another."},
        {"doc": "2", "text": "Of nothing."},
    ]
    path = write_jsonl(tmp_path / "answers.jsonl", records)
    items = list(source(text_config(path, fields={"id": ["doc", "focus"]}, source="answers")))
    assert [item.id for item in items] == ["1/Sepsis#0", "1/Shock#0", "line 3"]
    assert items[-1] == SourceFailure("answers", "line 3", "doc, focus is missing")
    with pytest.raises(SourceError, match=r"fields\.id, focs: no field 'focs'; did you mean 'focus'\?"):
        len(source(text_config(path, fields={"id": ["doc", "focs"]})))


def test_texts_become_passages(tmp_path: Path) -> None:
    records = [
        {"pmid": 7, "title": "On cells", "abstract": "One cell. " * 200, "year": "2011 Mar", "pmc": "PMC1"},
        {"pmid": 8, "title": "Empty", "abstract": " ", "year": "2012", "pmc": None},
    ]
    path = write_jsonl(tmp_path / "abstracts.jsonl", records)
    fields = {"id": "pmid", "title": "title", "text": "abstract", "year": "year", "article": "pmc"}
    config = text_config(path, fields=fields, source="pubmed", license="CC0", url="https://example.org")
    items = list(source(config))
    passages = [item for item in items if isinstance(item, Passage)]
    assert [passage.id for passage in passages] == [f"7#{n}" for n in range(len(passages))]
    assert len(passages) > 1
    first = passages[0]
    assert (first.source, first.source_id, first.title, first.year) == ("pubmed", "7", "On cells", 2011)
    assert (first.article, first.license, first.url) == ("PMC1", "CC0", "https://example.org")
    assert items[-1] == SourceFailure("pubmed", "8", "abstract is missing")
    assert len(source(config)) == 2  # documents and failures, however many passages
