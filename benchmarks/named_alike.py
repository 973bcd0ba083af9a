"""What captions of similar images name alike: how often the image's own caption names it too, by kind of thing.

    python cli.py index build configs/indexes/medpix.yaml
    python benchmarks/named_alike.py --data ../shared/data --index data/indexes/medpix

On `medpix` train, each image's own case left out; the evidence is the five nearest images, one of a case. `named`
counts what `rag.alike.named_alike` finds of one kind, `right` is the share of it that the image's own caption
affirms, `anyway` the share of captions that affirm the same name: what guessing it for any image would give. `words` is
ROUGE-1 of own minus shuffled texts (`evaluation.rouge`) of a sentence that says what the neighbours' fields vote for,
alone and with names of some kinds behind it, and of the nearest caption; p is one-sided, cases drawn whole. No model
writes here. Dev images are not looked at.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from machine import save  # isort: skip - it puts the root on the path

import numpy as np

from benchmarks.pocket_sets import read
from evaluation import rouge
from evaluation.statistics.intervals import estimate
from indexer import open_index
from indexer.types import Evidence, Example
from pocket.evidence import agreed
from pocket.facts import Facts, caption
from rag.alike import BEGINNING, affirmed, named_alike
from rag.check.lexicon import Kind
from rag.content import Content

WITNESSES = 5
CONTENT = Content.load("radiology")
KINDS: tuple[Kind, ...] = ("anatomy", "sequence", "phase", "finding", "quality", "direction")
SAID: dict[str, tuple[Kind, ...]] = {
    "anatomy": ("anatomy",), "sequences": ("sequence",), "findings": ("finding",),
    "anatomy and sequences": ("anatomy", "sequence"), "all three": ("anatomy", "sequence", "finding"),
}  # fmt: skip
_REGIONS = {"Head": "head", "Thorax": "chest", "Abdomen": "abdomen"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--index", type=Path, required=True, help="an index over the train split")
    args = parser.parse_args()
    records = read(args.data / "medpix" / "records.jsonl", "train")
    vectors = open_index(args.index).vectors("images", [record["id"] for record in records])
    cases, captions = [r["case"] for r in records], [r["caption"] for r in records]
    near = neighbours(vectors, cases)
    shown = [[_evidence(records[n], rank) for rank, n in enumerate(row, start=1)] for row in near]
    votes = [voted([records[n] for n in row]) for row in near]
    results = {
        "images": len(records),
        "cases": len(set(cases)),
        "names": {kind: names(kind, shown, votes, captions, cases) for kind in KINDS},
        "words": words(shown, votes, [captions[row[0]] for row in near], captions, cases),
    }
    print(json.dumps(results, indent=1))
    print(save("named_alike", results), file=sys.stderr)


def neighbours(vectors: np.ndarray[Any, Any], cases: Sequence[str]) -> list[list[int]]:
    """For each image the `WITNESSES` nearest images of other cases, no two of one case."""
    found = []
    for row, order in enumerate(np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")):
        seen, taken = {cases[row]}, []
        for n in order:
            if cases[n] not in seen and len(taken) < WITNESSES:
                seen.add(cases[n])
                taken.append(int(n))
        found.append(taken)
    return found


def _evidence(record: dict[str, Any], rank: int) -> Evidence:
    return Evidence(Example(record["id"], record["caption"], "medpix", article=record["case"]), 0.0, rank, rank)


def voted(near: Sequence[dict[str, Any]]) -> str:
    """Modality, plane and part of the body as the neighbours' fields have them, the nth weighing 1/n, in a sentence."""
    kind, plane, place = (
        agreed([record[field] for record in near]) for field in ("kind", "plane", "location_category")
    )
    facts = Facts("ct" if kind == "CT" else "mr", organ=_REGIONS.get(place, place.lower()), plane=plane.lower())
    return caption(facts)


def names(
    kind: Kind,
    shown: Sequence[Sequence[Evidence]],
    votes: Sequence[str],
    captions: Sequence[str],
    cases: Sequence[str],
) -> dict[str, Any]:
    """How many names of a kind are alike, and how many of them are right."""
    own = [{name for name, _ in affirmed(text)} for text in captions]
    often = Counter(name for found in own for name in found)
    said = [
        (n, alike.name)
        for n, (vote, several) in enumerate(zip(votes, shown, strict=True))
        for alike in named_alike(vote, several, CONTENT, (kind,))
    ]
    right = [float(name in own[n]) for n, name in said]
    anyway = [often[name] / len(own) for _, name in said]
    return {
        "named": len(said),
        "right": asdict(estimate(right, [cases[n] for n, _ in said])),
        "anyway": float(np.mean(anyway)),
        "times as often": float(np.mean(right) / np.mean(anyway)),
    }


def words(
    shown: Sequence[Sequence[Evidence]],
    votes: Sequence[str],
    nearest: Sequence[str],
    captions: Sequence[str],
    cases: Sequence[str],
) -> dict[str, Any]:
    """Gains over shuffled texts, and how far each is above the vote alone and above the nearest caption."""
    texts = {"vote": list(votes), "nearest caption": list(nearest)}
    for name, kinds in SAID.items():
        texts[f"vote and {name}"] = [_with(vote, several, kinds) for vote, several in zip(votes, shown, strict=True)]
    gains = {name: np.asarray(rouge.above_shuffled(several, captions, cases)) for name, several in texts.items()}
    return {
        name: {
            "gain": asdict(estimate(gain, cases)),
            "minus vote": asdict(estimate(gain - gains["vote"], cases, test=True)),
            "minus nearest caption": asdict(estimate(gain - gains["nearest caption"], cases, test=True)),
        }
        for name, gain in gains.items()
    }


def _with(vote: str, evidence: Sequence[Evidence], kinds: Sequence[Kind]) -> str:
    alike = named_alike(vote, evidence, CONTENT, kinds)
    return f"{vote} {BEGINNING} {', '.join(one.name for one in alike)}." if alike else vote


if __name__ == "__main__":
    main()
