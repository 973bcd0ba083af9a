"""Do citations hold, and are conflicts found? Nine sets written by people who had not seen the checker.

    python benchmarks/checks.py

Each set under `evidence_sets/` has 200 sentences with five evidence texts each (true, paraphrased, contradicted,
foreign) and, all but i, 200 pairs of a caption and its edit in one point (side, negation, number, modality, plane).
They were written by nine people, each without sight of the checker and the other sets. All were looked at while the
checker was written, one after the other; what the first run on each of the last seven gave, before that, is in
FIRST_RUNS.

Citations: a true or paraphrased sentence is right where the evidence it was made from is among those cited; a
contradicted one where the evidence it contradicts is not; a foreign one where nothing is cited. Conflicts: an edited
caption is found where at least one conflict is named, an original with any is a false alarm; precision is found /
(found + false alarms), recall found / edited. Intervals are 95 % bootstrap over lines for conflicts, over sets of
evidence texts for citations, whose lines share evidence.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from machine import ROOT, save

from indexer.types import Evidence, Example
from rag.check import Checker
from rag.checking import checker_of
from rag.config import resolve

SETS = ROOT / "benchmarks" / "evidence_sets"
DRAWS = 5_000
FIRST_RUNS = {
    "c": {"commit": "e84197e", "conflicts": {"precision": 0.890, "recall": 0.805},
          "citations": {"right evidence cited": 0.81, "contradicted": 0.98, "foreign": 0.80}},
    "d": {"commit": "6e9425c", "conflicts": {"precision": 0.937, "recall": 0.745},
          "citations": {"right evidence cited": 0.77, "contradicted": 1.00, "foreign": 0.88}},
    "e": {"commit": "c118ab0", "conflicts": {"precision": 0.974, "recall": 0.755},
          "citations": {"right evidence cited": 0.87, "contradicted": 0.96, "foreign": 0.88}},
    "f": {"commit": "733a048", "conflicts": {"precision": 0.904, "recall": 0.890},
          "citations": {"right evidence cited": 0.82, "contradicted": 0.88, "foreign": 0.88}},
    "g": {"commit": "733a048", "conflicts": {"precision": 0.870, "recall": 0.905},
          "citations": {"right evidence cited": 0.85, "contradicted": 0.96, "foreign": 0.88}},
    "h": {"commit": "a64e717", "conflicts": {"precision": 0.978, "recall": 0.885},
          "citations": {"right evidence cited": 0.86, "contradicted": 0.96, "foreign": 0.78}},
    "i": {"commit": "c36c908",
          "citations": {"right evidence cited": 0.86, "contradicted": 0.82, "foreign": 0.70}},
    "j": {"commit": "9d62dc8",
          "citations": {"right evidence cited": 0.92, "contradicted": 0.98, "foreign": 0.78}},
}  # fmt: skip
"""Figures of sets that had not been looked at, as they came."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", default=list("abcdefghij"))
    parser.add_argument("--out", default="checks", help="The result is benchmarks/OUT.json.")
    args = parser.parse_args()
    settings = resolve().check
    with_models, by_terms = checker_of(settings), checker_of(settings.model_copy(update={"text_embedder": None}))
    results: dict[str, Any] = {}
    for name in args.sets:
        folder = SETS / name
        results[name] = {
            "citations": citations(with_models, folder),
            "citations_by_terms_alone": citations(by_terms, folder),
        }
        if (folder / "conflicts.jsonl").exists():
            results[name]["conflicts"] = conflicts(by_terms, folder)
    print(json.dumps(results, indent=1))
    print(save(args.out, {"support": settings.support, "first_runs": FIRST_RUNS, "sets": results}), file=sys.stderr)


def citations(checker: Checker, folder: Path) -> dict[str, Any]:
    """Shares right, by kind, of the sentences of a set; seconds a sentence."""
    rows = read(folder / "citations.jsonl")
    started = perf_counter()
    right = [_right(row, cited(checker, row)) for row in rows]
    seconds = (perf_counter() - started) / len(rows)
    pools = ["\n".join(sorted(row["evidence"])) for row in rows]
    kinds = [row["kind"] for row in rows]
    wanted = {
        "right evidence cited": ("true", "paraphrased"),
        **{kind: (kind,) for kind in ("true", "paraphrased", "contradicted", "foreign")},
    }
    return {
        **{name: _share(right, pools, [kind in of for kind in kinds]) for name, of in wanted.items()},
        "ms_a_sentence": round(1000 * seconds, 2),
    }


def cited(checker: Checker, row: dict[str, Any]) -> set[int]:
    """Numbers of the evidence that the sentence of a line cites."""
    checks = checker.check(row["sentence"], _evidence(row["evidence"]))
    return {number for sentence in checks.sentences for number in sentence.citations}


def conflicts(checker: Checker, folder: Path) -> dict[str, Any]:
    """Precision, recall, recall by kind, and how many were found in the right kind."""
    rows = read(folder / "conflicts.jsonl")
    started = perf_counter()
    edited = [_kinds(checker, row["edited"], row["evidence"]) for row in rows]
    original = [_kinds(checker, row["original"], row["evidence"]) for row in rows]
    seconds = (perf_counter() - started) / (2 * len(rows))
    found, alarms = np.array([bool(kinds) for kinds in edited]), np.array([bool(kinds) for kinds in original])
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(rows), (DRAWS, len(rows)))
    hits, false = found[drawn].sum(axis=1), alarms[drawn].sum(axis=1)
    by_kind: dict[str, list[bool]] = {}
    for row, kinds in zip(rows, edited, strict=True):
        by_kind.setdefault(f"{row['edit']}, {row['where']}", []).append(bool(kinds))
    return {
        "precision": _figure(found.sum() / (found.sum() + alarms.sum()), hits / (hits + false)),
        "recall": _figure(found.mean(), hits / len(rows)),
        "right kind": round(float(np.mean([row["edit"] in kinds for row, kinds in zip(rows, edited, strict=True)])), 3),
        "false alarms": int(alarms.sum()),
        "false alarms by kind": dict(Counter(kind for kinds in original for kind in sorted(kinds))),
        "recall by kind": {name: f"{sum(flags)}/{len(flags)}" for name, flags in sorted(by_kind.items())},
        "ms_a_caption": round(1000 * seconds, 2),
    }


def _right(row: dict[str, Any], numbers: set[int]) -> bool:
    if row["kind"] == "foreign":
        return not numbers
    return (row["target"] in numbers) == (row["kind"] != "contradicted")


def _kinds(checker: Checker, text: str, evidence: Sequence[str]) -> set[str]:
    return {conflict.kind for conflict in checker.check(text, _evidence(evidence)).conflicts}


def _evidence(texts: Sequence[str]) -> list[Evidence]:
    return [Evidence(Example(str(n), text, "set"), 0.5, n, n) for n, text in enumerate(texts, start=1)]


def _share(right: Sequence[bool], pools: Sequence[str], of: Sequence[bool]) -> list[float]:
    """The share right of some lines, with its interval by pools drawn whole."""
    members: dict[str, list[bool]] = {}
    for flag, pool, counts in zip(right, pools, of, strict=True):
        if counts:
            members.setdefault(pool, []).append(flag)
    hits = np.array([sum(flags) for flags in members.values()])
    sizes = np.array([len(flags) for flags in members.values()])
    drawn = np.random.default_rng(0).integers(0, len(hits), (DRAWS, len(hits)))
    return _figure(hits.sum() / sizes.sum(), hits[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))


def _figure(value: float, draws: Any) -> list[float]:
    low, high = np.quantile(draws, [0.025, 0.975])
    return [round(float(number), 3) for number in (value, low, high)]


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in _lines(path)]


def _lines(path: Path) -> Iterable[str]:
    return path.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    main()
