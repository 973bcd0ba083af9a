"""On real teaching cases: several images of a case are in the index, and none of the query's own is shown."""

import json
from pathlib import Path

import pytest

from configs import parse
from indexer import IndexConfig, build_index
from rag import open_pipeline
from rag.config import resolve
from rag.types import Request


@pytest.mark.data
def test_no_evidence_is_of_the_querys_own_case(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "medpix"
    lines = (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()
    records = {r["id"]: r for r in map(json.loads, lines) if r["split"] == "dev"}
    source = {
        "kind": "folder",
        "path": str(folder),
        "records": "records.jsonl",
        "fields": {"id": "id", "image": "image", "caption": "caption", "article": "case"},
        "where": {"split": "dev"},
    }
    build_index(parse(IndexConfig, {"out": str(tmp_path / "index"), "sources": [source]}, "test"))
    requests = [Request(f"query {id_}", (str(folder / r["image"]),)) for id_, r in sorted(records.items())[:40]]
    prepared = open_pipeline(resolve(retrieval__index=str(tmp_path / "index")), requests).prepare(requests)
    assert not prepared.failures
    for item in prepared.items:
        own = records[item.request.id.removeprefix("query ")]
        assert len(item.prompt.evidence) == 5
        assert {e.record.article for e in item.prompt.evidence}.isdisjoint({own["case"]})
