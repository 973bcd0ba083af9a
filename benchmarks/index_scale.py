"""How an index does at the field's sizes: a million passages searched by vectors and words together.

    python benchmarks/index_scale.py --data ../shared/data --work .scratch/scale --passages 1000000

Passages are made: texts of words drawn with their real frequencies in `text/`, and vectors that are mixtures of two
real MiniLM vectors of those texts with noise (`Mixtures`; how far apart neighbours then are is in the result). They
go through the house's own build, with an embedder that looks its vectors up instead of computing them, so that what
is timed is the index. Questions are texts of 4, 8 and 16 words drawn in the same way, their vectors further mixtures.
Reported beside the hybrid search, in the same process: the vectors alone, FAISS's exact search of the same vectors,
and FTS5 asked for any of the words with none left out.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import random
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

import numpy as np
from machine import save

from imaging import LoadedImage
from indexer import EmbedderUnsuitableError, IndexConfig, Query, Vectors, build_index, load_embedder, open_index
from indexer.embedders.config import EmbedderConfig
from indexer.manifest import DATABASE
from indexer.words import Stemmer

DIM, REAL, NOISE = 384, 1_500, 0.6
QUESTIONS, WORDS, K = 60, (4, 8, 16), 10


@dataclass(frozen=True)
class Mixtures:
    """Unit vectors by number: two real vectors, weighed at random, and Gaussian noise of length `NOISE`."""

    real: Vectors

    def vector(self, number: int) -> Vectors:
        """float32 `(DIM,)`."""
        rng = np.random.default_rng(number)
        first, second = self.real[rng.integers(len(self.real), size=2)]
        share = rng.uniform(0.3, 1)
        made = share * first + (1 - share) * second + NOISE / np.sqrt(DIM) * rng.normal(size=DIM)
        unit: Vectors = (made / np.linalg.norm(made)).astype(np.float32)
        return unit


class LookedUp:
    """Obeys the Embedder protocol: the vector of the number that a passage's title ends with."""

    def __init__(self, mixtures: Mixtures) -> None:
        self._mixtures = mixtures
        self.id, self.revision, self.dim = "mixtures", "1", DIM
        self.fingerprint = hashlib.sha256(mixtures.real.tobytes()).hexdigest()

    def load(self) -> object:
        return self

    def embed_images(self, images: Sequence[LoadedImage]) -> Vectors:
        raise EmbedderUnsuitableError(f"mixtures are of texts only; {len(images)} images were given")

    def embed_texts(self, texts: Sequence[str]) -> Vectors:
        return np.stack([self._mixtures.vector(int(text.partition("\n")[0].split()[-1])) for text in texts])


@dataclass(frozen=True)
class Speech:
    """Words and how often each stands in the real texts."""

    words: list[str]
    counts: list[int]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Speech:
        found = Counter(word for text in texts for word in text.split())
        return cls(list(found), list(found.values()))

    def text(self, length: int, rng: random.Random) -> str:
        return " ".join(rng.choices(self.words, self.counts, k=length))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--passages", type=int, default=1_000_000)
    parser.add_argument("--first-answer", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    texts = list(real_texts(args.data / "text"))
    mixtures = Mixtures(real_vectors(args.work / "real.npy", texts))
    speech = Speech.of(texts)
    folder = args.work / f"passages-{args.passages}"
    with looked_up(mixtures):
        if args.first_answer:
            print(json.dumps(first_answer(folder, mixtures, speech)))
            return
        results = {"passages": args.passages, **built(folder, args, speech)}
        results["fresh process"] = in_a_fresh_process()
        results |= searched(folder, mixtures, speech)
    print(json.dumps(results, indent=1))
    print(save("index_scale", results), file=sys.stderr)


def real_texts(folder: Path) -> Iterator[str]:
    """The abstracts, answers and captions of the shared data."""
    for name, key in (("pubmed_abstracts", "abstract"), ("medquad", "answer"), ("roco_captions", "caption")):
        with (folder / f"{name}.jsonl").open(encoding="utf-8") as lines:
            yield from filter(None, (json.loads(line).get(key) for line in lines))


def real_vectors(file: Path, texts: Sequence[str]) -> Vectors:
    """MiniLM vectors of `REAL` texts spread over all, float32 `(REAL, DIM)`; embedded once."""
    if not file.exists():
        chosen = texts[:: max(1, len(texts) // REAL)][:REAL]
        np.save(file, load_embedder("minilm").embed_texts([text[:600] for text in chosen]))
    vectors: Vectors = np.load(file)
    return vectors


def looked_up(mixtures: Mixtures) -> Any:
    """Puts the look-up in the place of the text embedder, for building and for reading."""

    def create(_name: str, _config: EmbedderConfig) -> LookedUp:
        return LookedUp(mixtures)

    return mock.patch.multiple("indexer.publish", create_embedder=create)


def built(folder: Path, args: argparse.Namespace, speech: Speech) -> dict[str, Any]:
    """Builds the index anew and says how long it took and how large it is."""
    source = args.work / f"passages-{args.passages}.jsonl"
    if not source.exists():
        rng = random.Random(0)
        with source.open("w", encoding="utf-8") as file:
            for number in range(args.passages):
                row = {"id": f"p{number}", "title": f"Passage {number}", "text": speech.text(rng.randint(30, 90), rng)}
                file.write(json.dumps(row) + "\n")
    shutil.rmtree(folder, ignore_errors=True)
    fields = {"id": "id", "title": "title", "text": "text"}
    config = {
        "out": str(folder),
        "sources": [{"kind": "jsonl", "path": str(source), "fields": fields}],
        "batch_size": 1024,
    }
    report = build_index(IndexConfig.model_validate(config), progress=True)
    with open_index(folder) as index:
        space = index.manifest.spaces["passages"]
    return {
        "built": report.counts,
        "build_seconds": round(report.seconds, 1),
        "passages_a_second": round(report.rate, 1),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "mib_on_disk": round(sum(file.stat().st_size for file in folder.iterdir()) / 2**20),
        "vectors": space.search,
    }


def in_a_fresh_process() -> dict[str, float]:
    """Seconds from opening the index to the first answer, and peak memory, in a process of its own; best of three."""
    command = [sys.executable, *sys.argv, "--first-answer"]
    runs = [json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(3)]
    best: dict[str, float] = min(runs, key=lambda run: run["open_to_first_answer_s"])
    return best


def first_answer(folder: Path, mixtures: Mixtures, speech: Speech) -> dict[str, float]:
    """What `in_a_fresh_process` runs; importing FAISS is not counted, since any search pays it."""
    import faiss  # noqa: F401

    asked = next(questions(folder, mixtures, speech, 8))
    start = perf_counter()
    with open_index(folder) as index:
        index.search([asked])
        seconds = perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"open_to_first_answer_s": round(seconds, 3), "peak_mib": round(peak)}


def questions(folder: Path, mixtures: Mixtures, speech: Speech, words: int) -> Iterator[Query]:
    """Queries of so many words with vectors that are in no passage."""
    rng = random.Random(f"{folder.name}/{words}")
    for number in range(QUESTIONS):
        yield Query("passages", mixtures.vector(10**9 + number), K, text=speech.text(words, rng))


def searched(folder: Path, mixtures: Mixtures, speech: Speech) -> dict[str, Any]:
    """Milliseconds a query, median of all questions, by kind of search; recall@10 of the vectors against all."""
    import faiss

    found: dict[str, Any] = {}
    exact = faiss.read_index(str(next(folder.glob("passages-*.faiss"))))
    database = sqlite3.connect(folder / DATABASE)
    with open_index(folder) as index:
        hits, margins = [], []
        for words in WORDS:
            asked = list(questions(folder, mixtures, speech, words))
            plain = [Query(q.space, q.vector, K) for q in asked]
            index.search(asked[:3])
            gc.collect()
            found[f"{words} words"] = {
                "hybrid_ms": timed(lambda q: index.search([q]), asked),
                "vectors_ms": timed(lambda q: index.search([q]), plain),
                "exact_faiss_ms": timed(lambda q: exact.search(q.vector[None], K), plain[:20]),
                "fts5_any_word_ms": timed(lambda q: any_word(database, q.text), asked[:20]),
            }
            for query in plain:
                scores, rows = exact.search(query.vector[None], K + 1)
                names = {e.id for e in index.search([query])[0]}
                true = ids(database, rows[0][:K].tolist())
                hits.append(len(names & true) / K)
                margins.append([float(scores[0][0]), float(scores[0][K - 1]), float(scores[0][K])])
    found["vectors_recall_at_10"] = round(statistics.mean(hits), 4)
    found["cosine of the 1st, 10th, 11th"] = np.round(np.mean(margins, axis=0), 4).tolist()
    return found


def ids(database: sqlite3.Connection, rows: Sequence[int]) -> set[str]:
    """The ids of records by their rows."""
    return {database.execute("SELECT id FROM records WHERE row = ?", (row,)).fetchone()[0] for row in rows}


def any_word(database: sqlite3.Connection, text: str) -> list[Any]:
    """FTS5's own best ten for any of the words, none left out."""
    match = " OR ".join(f'"{word}"' for word in Stemmer().words(text).values())
    sql = "SELECT rowid FROM passage_words WHERE passage_words MATCH ? ORDER BY rank LIMIT 10"
    return database.execute(sql, (match,)).fetchall()


def timed(search: Callable[[Query], object], asked: Sequence[Query]) -> dict[str, float]:
    seconds = []
    for query in asked:
        start = perf_counter()
        search(query)
        seconds.append((perf_counter() - start) * 1e3)
    return {"p50": round(statistics.median(seconds), 2), "p95": round(float(np.percentile(seconds, 95)), 2)}


if __name__ == "__main__":
    main()
