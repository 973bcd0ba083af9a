"""autofaiss: the index that `build_index` chooses for the size, with all its defaults; vectors only, no texts.

Setting of `build`: `mappable` asks for an index that can be memory-mapped. Settings of `open` and `ask`, any of them
joined by commas: `mapped` opens the file memory-mapped; `efSearch=N` or `nprobe=N` takes the place of the value that
autofaiss has chosen for answers within its default of 10 ms.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import step

INDEX = "knn.index"


def imports(step_: str) -> None:
    import faiss  # noqa: F401

    if step_ in ("build", "save"):  # what is built is searched with FAISS alone
        import autofaiss  # noqa: F401


def build(inputs: step.Inputs, folder: Path, setting: str) -> dict[str, Any]:
    from autofaiss import build_index
    from autofaiss.external import optimize

    folder.mkdir(parents=True, exist_ok=True)
    seconds: dict[str, float] = {}
    for part, name in (("tuning_s", "get_optimal_hyperparameters"), ("metrics_s", "compute_fast_metrics")):
        setattr(optimize, name, timed(getattr(optimize, name), part, seconds))
    threads = os.environ.get("OMP_NUM_THREADS")
    index, about = build_index(
        str(inputs.folder / "vectors"),
        index_path=str(folder / INDEX),
        index_infos_path=str(folder / "index_infos.json"),
        metric_type="ip",
        nb_cores=int(threads) if threads else None,
        should_be_memory_mappable=setting == "mappable",
        verbose=logging.ERROR,
    )
    if index is None:
        raise SystemExit("autofaiss made no index")
    chosen = {"index_key": about["index_key"], "index_param": about["index_param"]}
    return {**chosen, **seconds, "fsync_s": step.durable(folder)}


def timed(function: Callable[..., Any], part: str, seconds: dict[str, float]) -> Callable[..., Any]:
    """The function, which also writes down how long it took."""

    def run(*args: Any, **kwargs: Any) -> Any:
        start = perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            seconds[part] = perf_counter() - start

    return run


def open_store(_inputs: step.Inputs, folder: Path, setting: str) -> Callable[[Any, str], step.Found]:
    import faiss

    settings = set(filter(None, setting.split(",")))
    index = faiss.read_index(str(folder / INDEX), mapped(folder) if "mapped" in settings else 0)
    for chosen in settings - {"mapped"}:
        faiss.ParameterSpace().set_index_parameters(index, chosen)

    def search(vector: Any, _text: str) -> step.Found:
        _, rows = index.search(vector[None], step.K)
        return [(f"p{row}", None) for row in rows[0] if row >= 0]

    return search


def mapped(folder: Path) -> int:
    """FAISS's flag to map this index: lists have one of their own."""
    import faiss

    with (folder / INDEX).open("rb") as file:
        lists = file.read(4) == b"IwFl"
    flag: int = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if lists else faiss.IO_FLAG_MMAP_IFC
    return flag


def save(inputs: step.Inputs, folder: Path) -> None:
    """All vectors again: which they are makes no difference to what is left of the file."""
    import faiss

    writer, half = faiss.PyCallbackIOWriter, (folder / INDEX).stat().st_size // 2

    def killed(write: Callable[[bytes], int]) -> Any:
        def counted(part: bytes) -> int:
            written = write(part)
            if (folder / INDEX).stat().st_size > half:
                step.killed_half_way(folder / INDEX)
            return written

        return writer(counted)

    faiss.PyCallbackIOWriter = killed
    build(inputs, folder, "")


if __name__ == "__main__":
    step.main(step.Store(imports, build, open_store, save))
