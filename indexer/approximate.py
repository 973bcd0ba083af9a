"""Which vectors may be nearest, without looking at all of them: FAISS IVF lists of 8-bit vectors, memory-mapped.

For spaces too large to be searched exactly. What it names is scored again from the exact vectors, so its scores are
exact and only a neighbour may be missing; how often one is, is measured when the file is made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import configs
from indexer.embedders.files import sha256_of
from indexer.errors import IndexCorruptError
from indexer.faiss_files import write_durably
from indexer.types import Rows, Vectors

TARGET_RECALL = 0.985
"""Recall@10 that the number of probed lists is chosen for."""
CANDIDATES = 4
"""How many times as many neighbours as wanted are named, for the exact vectors to choose from."""

_SAMPLE, _K = 400, 10
_TRAINING_A_LIST = 48
_BATCH = 65_536
_PROBES = (4, 8, 16, 32, 64, 128, 256, 512)


class ApproximateSearch(configs.StrictModel):
    """What the manifest says of a space's lists: how many, how many of them a search looks into, and its recall.

    `recall_at_10` is over `sample` of the space's own vectors as queries (each without itself), against exact search.
    """

    kind: str = "ivf_sq8"
    lists: int
    probes: int
    recall_at_10: float
    sample: int
    file: str
    sha256: str


class ListFile:
    """The lists of a space, open for searching; parts that are not looked at stay on disk."""

    def __init__(self, index: Any, probes: int) -> None:
        self._index = index
        self.probes = probes

    @classmethod
    def read(cls, path: Path, about: ApproximateSearch) -> ListFile:
        """Opens the file. Raises IndexCorruptError where it is missing or not one of ours."""
        import faiss

        try:
            index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as error:
            raise IndexCorruptError(
                f"{path}: missing or damaged: FAISS cannot read it. Build the index again with --rebuild"
            ) from error
        return cls(index, about.probes)

    def candidates(self, queries: Vectors, count: int, selector: Any | None) -> list[Rows]:
        """For each query `(n, dim)` up to `count` rows that may be its nearest, in no useful order."""
        import faiss

        module: Any = faiss  # its Python wrappers take keywords that its type hints do not know
        chosen = module.SearchParametersIVF(nprobe=self.probes, sel=selector)
        _, rows = self._index.search(np.ascontiguousarray(queries, np.float32), count, params=chosen)
        return [found[found >= 0] for found in rows]


def write_lists(path: Path, exact: Any) -> ApproximateSearch:
    """Makes the lists of the vectors of an exact FAISS index with row numbers (IndexIDMap2), and measures them.

    Deterministic: the same vectors give the same file.
    """
    import faiss

    count, dim = int(exact.ntotal), int(exact.d)
    rows = faiss.vector_to_array(exact.id_map).astype(np.int64)
    flat = exact.index
    lists = int(2 ** round(np.log2(4 * np.sqrt(count))))
    quantizer = faiss.IndexFlatIP(dim)  # must live as long as the index
    index: Any = faiss.IndexIVFScalarQuantizer(
        quantizer, dim, lists, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT
    )
    index.cp.niter = 8
    index.cp.max_points_per_centroid = _TRAINING_A_LIST
    index.cp.min_points_per_centroid = 1
    chosen = np.unique(np.linspace(0, count - 1, min(count, _TRAINING_A_LIST * lists)).astype(np.int64))
    index.train(reconstruct(flat, chosen))
    for start in range(0, count, _BATCH):
        places = np.arange(start, min(start + _BATCH, count))
        index.add_with_ids(reconstruct(flat, places), rows[places])
    probes, recall, sample = _measure(index, flat, rows)
    write_durably(index, path)
    return ApproximateSearch(
        lists=lists, probes=probes, recall_at_10=round(recall, 4), sample=sample, file=path.name, sha256=sha256_of(path)
    )


def _measure(index: Any, flat: Any, rows: Rows) -> tuple[int, float, int]:
    """The fewest probes that reach the target, their recall@10 with candidates scored exactly, the sample's size."""
    places = np.unique(np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.int64))
    queries = reconstruct(flat, places)
    _, found = flat.search(queries, _K + 1)
    truth = [[rows[p] for p in near if p != place][:_K] for near, place in zip(found, places, strict=True)]
    where = {int(row): place for place, row in enumerate(rows.tolist())}
    recall, probes = 0.0, _PROBES[0]
    for probes in (p for p in _PROBES if p <= index.nlist):
        index.nprobe = probes
        _, named = index.search(queries, CANDIDATES * (_K + 1))
        hits = 0
        for query, place, candidates, wanted in zip(queries, places, named, truth, strict=True):
            others = [int(row) for row in candidates if row >= 0 and row != rows[place]]
            scores = reconstruct(flat, np.array([where[row] for row in others], np.int64)) @ query
            best = {others[i] for i in np.argsort(-scores)[:_K]}
            hits += len(best.intersection(int(row) for row in wanted))
        recall = hits / sum(len(wanted) for wanted in truth)
        if recall >= TARGET_RECALL:
            break
    return probes, recall, len(places)


def reconstruct(flat: Any, places: Rows) -> Vectors:
    """Vectors at places of the flat index, float32 `(n, dim)`."""
    out = np.empty((len(places), flat.d), np.float32)
    if len(places):
        flat.reconstruct_batch(np.ascontiguousarray(places), out)
    return out
