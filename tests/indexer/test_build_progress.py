"""The bar of a build counts documents and images, as a source's `len` does, and not the passages they become."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from index_makers import folder_config, index_config, text_config, write_images, write_jsonl

from indexer import build_index


def test_a_document_of_many_passages_is_one_step(tmp_path: Path, hashes: Any, capsys: Any) -> None:
    rows = [{"id": f"d{number}", "text": "One two three. " * (40 * number + 1)} for number in range(6)]
    rows += [{"id": "d5", "text": "Another of this id. " * 200}, {"id": "bad", "text": " "}]
    texts = write_jsonl(tmp_path / "texts.jsonl", rows)
    root = tmp_path / "pictures"
    write_jsonl(root / "records.jsonl", write_images(root, 3))
    config = index_config(tmp_path / "index", text_config(texts), folder_config(root), **hashes.names)
    for _ in range(2):  # the second time nothing is new
        report = build_index(config, progress=True)
        bars = re.findall(r"(\d+)/(\d+) \[", capsys.readouterr().err)
        assert bars[-1] == ("11", "11")
        assert all(int(done) <= int(total) == 11 for done, total in bars)
        assert report.counts["passage"] > 11
