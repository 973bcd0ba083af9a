"""A million passages of 384 dimensions searched by vectors and words together.

    python benchmarks/scale_passages.py --data ../shared/data --work .scratch/scale --passages 1000000

Texts and vectors are made (`scale_made`; how far apart neighbours then are is in the result) and go through the house's
own build. Questions are texts of 4, 8 and 16 words drawn in the same way, their vectors further mixtures. Beside the
hybrid search stand, in the same process, the vectors alone, FAISS's exact search of the same vectors, and FTS5 asked
for any of the words with none left out.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from machine import peak_mib
from scale_made import K, Mixtures, Speech, looked_up, mixtures, real_texts, timed

from indexer import IndexConfig, Query, build_index, open_index
from indexer.manifest import DATABASE
from indexer.words import Stemmer

QUESTIONS, WORDS = 60, (4, 8, 16)
WARMING = 20
"""Other questions asked before, so that not every page is read from the disk for the first time."""
EXACT = 20
"""How many of the questions the slow searches beside ours are asked."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--first-answer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.first_answer:
        made, speech = mixtures(args.data, args.work), Speech.of(real_texts(args.data / "text"))
        print(json.dumps(first_answer(args.work / f"passages-{args.passages}", made, speech)))
        return
    print(json.dumps(measured(args.work, args.data, args.passages), indent=1))


def measured(work: Path, data: Path, passages: int = 1_000_000) -> dict[str, Any]:
    """Builds the index anew, opens it in fresh processes, and asks it."""
    made, speech = mixtures(data, work), Speech.of(real_texts(data / "text"))
    folder = work / f"passages-{passages}"
    found: dict[str, Any] = {"passages": passages, **built(folder, work / f"passages-{passages}.jsonl", made, speech)}
    command = [sys.executable, __file__, "--data", str(data), "--work", str(work), "--passages", str(passages)]
    found["fresh process"] = in_a_fresh_process([*command, "--first-answer"])
    return found | searched(folder, made, speech)


def built(folder: Path, source: Path, made: Mixtures, speech: Speech) -> dict[str, Any]:
    """Builds the index anew and says how long it took and how large it is."""
    passages = int(source.stem.split("-")[1])
    if not source.exists():
        rng = random.Random(0)
        part = source.with_suffix(".part")
        with part.open("w", encoding="utf-8") as file:
            for number in range(passages):
                row = {"id": f"p{number}", "title": f"Passage {number}", "text": speech.text(rng.randint(30, 90), rng)}
                file.write(json.dumps(row) + "\n")
        part.rename(source)
    shutil.rmtree(folder, ignore_errors=True)
    fields = {"id": "id", "title": "title", "text": "text"}
    config = {
        "out": str(folder),
        "sources": [{"kind": "jsonl", "path": str(source), "fields": fields}],
        "batch_size": 1024,
    }
    with looked_up(made):
        report = build_index(IndexConfig.model_validate(config), progress=True)
    with open_index(folder) as index:
        space = index.manifest.spaces["passages"]
    return {
        "built": report.counts,
        "build_seconds": round(report.seconds, 1),
        "passages_a_second": round(report.rate, 1),
        "peak_mib": round(peak_mib()),
        "mib_on_disk": round(sum(file.stat().st_size for file in folder.iterdir()) / 2**20),
        "vectors": space.search,
    }


def in_a_fresh_process(command: Sequence[str]) -> dict[str, float]:
    """Seconds from opening the index to the first answer, and peak memory, in a process of its own; median of three."""
    runs = [json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    middle: dict[str, float] = sorted(runs, key=lambda run: run["open_to_first_answer_s"])[1]
    return middle


def first_answer(folder: Path, made: Mixtures, speech: Speech) -> dict[str, float]:
    """What `in_a_fresh_process` runs; importing FAISS is not counted, since any search pays it."""
    import faiss  # noqa: F401

    asked = next(questions(folder, made, speech, 8))
    start = perf_counter()
    with open_index(folder) as index:
        index.search([asked])
        seconds = perf_counter() - start
    return {"open_to_first_answer_s": round(seconds, 3), "peak_mib": round(peak_mib())}


def questions(folder: Path, made: Mixtures, speech: Speech, words: int, first: int = 0) -> Iterator[Query]:
    """Queries of so many words with vectors that are in no passage; another `first`, other ones."""
    rng = random.Random(f"{folder.name}/{words}/{first}")
    for number in range(first, first + QUESTIONS):
        yield Query("passages", made.vector(10**9 + 1000 * words + number), K, text=speech.text(words, rng))


def searched(folder: Path, made: Mixtures, speech: Speech) -> dict[str, Any]:
    """Milliseconds a query, median of all questions, by kind of search; recall@10 of the vectors against all."""
    import faiss

    found: dict[str, Any] = {}
    exact = faiss.read_index(str(next(folder.glob("passages-*.faiss"))))
    database = sqlite3.connect(folder / DATABASE)
    with open_index(folder) as index:
        hits, margins = [], []
        for words in WORDS:
            asked = list(questions(folder, made, speech, words))
            plain = [Query(q.space, q.vector, K) for q in asked]
            for other in islice(questions(folder, made, speech, words, first=QUESTIONS), WARMING):
                index.search([other])
            gc.collect()
            found[f"{words} words"] = {
                "hybrid_ms": timed(lambda q: index.search([q]), asked),
                "vectors_ms": timed(lambda q: index.search([q]), plain),
                "exact_faiss_ms": timed(lambda q: exact.search(q.vector[None], K), plain[:EXACT]),
                "fts5_any_word_ms": timed(lambda q: any_word(database, q.text), asked[:EXACT]),
            }
            for query in plain:
                scores, _ = exact.search(query.vector[None], K + 1)
                hits.append(np.mean([e.score >= scores[0][K - 1] - 1e-5 for e in index.search([query])[0]]))
                margins.append([float(scores[0][0]), float(scores[0][K - 1]), float(scores[0][K])])
    found["vectors_recall_at_10"] = round(statistics.mean(map(float, hits)), 4)
    found["cosine of the 1st, 10th, 11th"] = np.round(np.mean(margins, axis=0), 4).tolist()
    return found


def any_word(database: sqlite3.Connection, text: str) -> list[Any]:
    """FTS5's own best ten for any of the words, none left out."""
    match = " OR ".join(f'"{word}"' for word in Stemmer().words(text).values())
    sql = "SELECT rowid FROM passage_words WHERE passage_words MATCH ? ORDER BY rank LIMIT 10"
    return database.execute(sql, (match,)).fetchall()


if __name__ == "__main__":
    main()
