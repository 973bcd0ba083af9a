"""One image query over 79,789 vectors of 512 dimensions, beside plain FAISS over the same vectors.

    python benchmarks/scale_query.py --data ../shared/data --work .scratch/scale

The index goes through the house's own build: tiny images whose pixels are a number, and an embedder that looks the
number's vector up (`scale_made`). Searches through the index return whole records (caption, source, licence,
thumbnail), those through FAISS row numbers. Both are asked the same vectors in turn, in one process. Without a model,
what memory the build takes is the index's own.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import zipfile
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image
from scale_images import Memory
from scale_made import K, looked_up, mixtures, pixels_of, timed, wider

from indexer import Index, IndexConfig, Query, build_index, open_index
from indexer.manifest import DATABASE

IMAGES, DIM, QUESTIONS = 79_789, 512, 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--images", type=int, default=IMAGES)
    args = parser.parse_args()
    print(json.dumps(measured(args.work, args.data, args.images), indent=1))


def measured(work: Path, data: Path, images: int = IMAGES) -> dict[str, Any]:
    """Builds the index anew, then asks it and FAISS."""
    import faiss

    made = wider(mixtures(data, work), DIM)
    folder, out = work / f"numbers-{images}", work / f"query-{images}"
    _write(folder, images)
    shutil.rmtree(out, ignore_errors=True)
    source = {"kind": "rocov2", "path": str(folder), "splits": ["train"]}
    with looked_up(made), Memory(out / DATABASE) as memory:
        report = build_index(IndexConfig.model_validate({"out": str(out), "sources": [source]}))
    stored = made.vectors(range(images))
    plain: Any = faiss.IndexFlatIP(DIM)
    plain.add(stored)
    asked = made.vectors(range(10**9, 10**9 + QUESTIONS))
    with open_index(out) as index:
        start = perf_counter()
        index.search([Query("images", asked[0], K)])
        first = perf_counter() - start
        rounds = [_round(index, plain, part) for part in np.array_split(asked, 10)]
        hits = [_hits(index.search([Query("images", v, K)])[0], stored, v) for v in asked]
    ours, faiss_ms = (float(np.median([r[side]["p50"] for r in rounds])) for side in (0, 1))
    return {
        "vectors": [images, DIM],
        "build_images_a_second": round(report.rate, 1),
        "build_mib_by_images": [list(sample) for sample in memory.samples[:: max(1, len(memory.samples) // 12)]],
        "first_search_s": round(first, 3),
        "query_ms_p50": round(ours, 2),
        "faiss_ms_p50": round(faiss_ms, 2),
        "query_over_faiss": round(float(np.median([r[0]["p50"] / r[1]["p50"] for r in rounds])), 3),
        "recall_at_10": mean(hits),
        "questions": QUESTIONS,
    }


def _round(index: Index, plain: Any, asked: Any) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds a query of the index and of FAISS, one after the other."""
    ours = timed(lambda vector: index.search([Query("images", vector, K)]), asked)
    return ours, timed(lambda vector: plain.search(vector[None], K), asked)


def _hits(found: list[Any], stored: Any, vector: Any) -> float:
    """Recall@10 of what was found against all scores in float64; what ties with the tenth to six decimals is right."""
    scores = np.round(stored.astype(np.float64) @ vector.astype(np.float64), 6)
    tenth = np.sort(scores)[-K]
    numbers = [int(evidence.text.split()[-1].rstrip(".")) for evidence in found]
    return sum(bool(scores[number] >= tenth) for number in numbers) / K


def _write(folder: Path, images: int) -> None:
    """Tiny PNG files in a zip, in the layout of ROCOv2's archive."""
    if (folder / "done").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "train_captions.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("ID", "Caption"))
        with zipfile.ZipFile(folder / "train_images.zip", "w", zipfile.ZIP_STORED) as packed:
            for number in range(images):
                buffer = io.BytesIO()
                Image.fromarray(pixels_of(number)).save(buffer, "PNG")
                name = f"ROCOv2_2023_train_{number + 1:06d}"
                packed.writestr(f"train/{name}.png", buffer.getvalue())
                rows.writerow((name, f"Picture {number}."))
    (folder / "done").touch()


if __name__ == "__main__":
    main()
