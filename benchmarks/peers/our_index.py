"""This project's index: `build_index`, `open_index`, `Index.search`; vectors are looked up instead of computed.

Setting of `build`: `lists` makes lists whatever the size. Setting of `open` and `ask`: `words` searches for the
query's words too. Run by this project's interpreter with its root on PYTHONPATH.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import step


class LookedUp:
    """Obeys the Embedder protocol: the vector of the number that a passage's title ends with; a token is a word.

    No passage here is cut, and no tokenizer runs: the peers take texts that are cut already.
    """

    def __init__(self, inputs: step.Inputs) -> None:
        self._vectors = inputs.vectors(mapped=True)
        self.id, self.revision, self.fingerprint = "looked-up", "1", "0" * 64
        self.dim, self.max_tokens = int(self._vectors.shape[1]), 256

    def load(self) -> object:
        return self

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_images(self, images: Sequence[object]) -> Any:
        raise TypeError(f"there are texts only; {len(images)} images were given")

    def embed_texts(self, texts: Sequence[str]) -> Any:
        return np.array(self._vectors[[int(text.partition("\n")[0].split()[-1]) for text in texts]])


def imports(_step: str) -> None:
    import faiss  # noqa: F401

    import indexer  # noqa: F401


def build(inputs: step.Inputs, folder: Path, setting: str, file: str = "texts.jsonl") -> dict[str, Any]:
    from indexer import IndexConfig, build_index, open_index

    texts = {"kind": "jsonl", "path": str(inputs.folder / file), "source": "texts"}
    texts["fields"] = {"id": "id", "title": "title", "text": "text"}
    config: dict[str, Any] = {"out": str(folder), "sources": [texts]}
    if setting == "lists":
        config["exact_up_to"] = 0
    with mock.patch("indexer.publish.create_embedder", return_value=LookedUp(inputs)):
        report = build_index(IndexConfig.model_validate(config), progress=False)
    if report.failures:
        raise SystemExit(f"{len(report.failures)} records failed: {report.failures[0]}")
    with open_index(folder) as index:
        return {"records": report.counts["passage"], "vectors": index.manifest.spaces["passages"].search}


def open_store(_inputs: step.Inputs, folder: Path, setting: str) -> Callable[[Any, str], step.Found]:
    from indexer import Query, open_index

    index = open_index(folder)

    def search(vector: Any, text: str) -> step.Found:
        found = index.search([Query("passages", vector, step.K, text=text if setting == "words" else "")])[0]
        return [(evidence.id.partition("#")[0], evidence.text) for evidence in found]

    return search


def save(inputs: step.Inputs, folder: Path) -> None:
    from indexer.vectors import VectorFile

    write = VectorFile.write

    def killed(file: Path, *given: Any) -> None:
        write(file, *given)
        step.killed_half_way(file)

    fewer = "texts-every-second.jsonl"
    with (inputs.folder / fewer).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record) + "\n" for record in inputs.records()[::2])
    with mock.patch.object(VectorFile, "write", killed):
        build(inputs, folder, "", fewer)


if __name__ == "__main__":
    step.main(step.Store(imports, build, open_store, save))
