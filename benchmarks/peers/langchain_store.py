"""`langchain_community`'s FAISS store: exact inner product, its in-memory docstore, saved by `save_local`.

Setting `mapped` opens the vectors' file memory-mapped (`io_flags`); the pickle is read whole either way.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import step


def imports(_step: str) -> None:
    import faiss  # noqa: F401
    from langchain_community.vectorstores import FAISS  # noqa: F401


def embedder() -> Any:
    """An embedder that is never asked: all vectors are given."""
    from langchain_core.embeddings import DeterministicFakeEmbedding

    return DeterministicFakeEmbedding(size=1)


def build(inputs: step.Inputs, folder: Path, _setting: str) -> dict[str, Any]:
    from langchain_community.vectorstores import FAISS
    from langchain_community.vectorstores.utils import DistanceStrategy

    start = perf_counter()
    records, vectors = inputs.records(), inputs.vectors()
    read = perf_counter() - start
    store = FAISS.from_embeddings(
        zip([record["text"] for record in records], vectors, strict=True),
        embedder(),
        metadatas=[{"id": r["id"], "source": "texts", "title": r["title"]} for r in records],
        ids=[record["id"] for record in records],
        distance_strategy=DistanceStrategy.MAX_INNER_PRODUCT,
    )
    start = perf_counter()
    store.save_local(str(folder))
    saved = perf_counter() - start
    return {"reading_inputs_s": read, "saving_s": saved, "fsync_s": step.durable(folder)}


def loaded(folder: Path, setting: str) -> Any:
    import faiss
    from langchain_community.vectorstores import FAISS
    from langchain_community.vectorstores.utils import DistanceStrategy

    return FAISS.load_local(
        str(folder),
        embedder(),
        allow_dangerous_deserialization=True,
        io_flags=faiss.IO_FLAG_MMAP_IFC if setting == "mapped" else 0,
        distance_strategy=DistanceStrategy.MAX_INNER_PRODUCT,
    )


def open_store(_inputs: step.Inputs, folder: Path, setting: str) -> Callable[[Any, str], step.Found]:
    store = loaded(folder, setting)

    def search(vector: Any, _text: str) -> step.Found:
        found = store.similarity_search_with_score_by_vector(vector, k=step.K)
        return [(document.id, document.page_content) for document, _ in found]

    return search


def save(inputs: step.Inputs, folder: Path) -> None:
    import faiss

    write = faiss.write_index

    def killed(index: Any, file: str) -> None:
        write(index, file)
        step.killed_half_way(Path(file))

    store = loaded(folder, "")
    store.delete([record["id"] for record in inputs.records()[1::2]])
    faiss.write_index = killed
    store.save_local(str(folder))


if __name__ == "__main__":
    step.main(step.Store(imports, build, open_store, save))
