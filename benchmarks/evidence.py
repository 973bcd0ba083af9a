"""Is the evidence of the query's own kind, and never of its own case? Every dev image, through the one path.

    python cli.py index build configs/indexes/medpix.yaml
    python cli.py index build configs/indexes/bccd.yaml
    python benchmarks/evidence.py --data ../shared/data

Each dev image is prepared and described with the index over the train split of its own set. Reported, for
`medpix`: how often the nearest example is of the query's modality (CT or MR), beside the majority class and
a random training image; evidence of the query's own case, which must be none. For both sets: what the
captions say of the kind of image (a word each, `KINDS`; both or neither counts as wrong), and seconds an image.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

from machine import save

from rag import open_pipeline
from rag.config import resolve
from rag.types import Description, Request

KINDS = {
    "CT": re.compile(r"\b(ct|computed tomography)\b", re.IGNORECASE),
    "MR": re.compile(r"\b(mri?|magnetic resonance|t1|t2|flair)\b", re.IGNORECASE),
    "smear": re.compile(r"\bblood smear\b", re.IGNORECASE),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    results = {"medpix": medpix(args.data / "medpix"), "bccd": bccd(args.data / "bccd")}
    print(json.dumps(results, indent=1))
    print(save("evidence", results), file=sys.stderr)


def medpix(folder: Path) -> dict[str, Any]:
    records = {record["id"]: record for record in read(folder)}
    train = [record for record in records.values() if record["split"] == "train"]
    dev = [record for record in records.values() if record["split"] == "dev"]
    described, seconds = describe(folder, dev, "data/indexes/medpix")
    majority = Counter(record["kind"] for record in train).most_common(1)[0][0]
    chance = random.Random(0)
    return {
        "images": len(dev),
        "nearest_same_modality": share(
            records[d.evidence[0].id]["kind"] == records[d.request.id]["kind"] for d in described
        ),
        "majority_class": share(record["kind"] == majority for record in dev),
        "random_training_image": share(chance.choice(train)["kind"] == record["kind"] for record in dev),
        "evidence_of_own_case": sum(
            e.record.article == records[d.request.id]["case"] for d in described for e in d.evidence
        ),
        "caption_says_modality": share(says(d.text, ("CT", "MR")) == records[d.request.id]["kind"] for d in described),
        "seconds_per_image": seconds,
    }


def bccd(folder: Path) -> dict[str, Any]:
    dev = [record for record in read(folder) if record["split"] == "dev"]
    described, seconds = describe(folder, dev, "data/indexes/bccd")
    wanted = resolve().retrieval.k
    return {
        "images": len(dev),
        "evidence_all_blood_smears": share(
            all(KINDS["smear"].search(e.text) for e in d.evidence) and len(d.evidence) == wanted for d in described
        ),
        "caption_says_blood_smear": share(says(d.text, ("smear",)) == "smear" for d in described),
        "seconds_per_image": seconds,
    }


def describe(folder: Path, records: Sequence[dict[str, Any]], index: str) -> tuple[list[Description], float]:
    """Descriptions of all records as one batch, and the wall seconds an image once the models are loaded."""
    requests = [Request(record["id"], (str(folder / record["image"]),)) for record in records]
    pipeline = open_pipeline(resolve(retrieval__index=index), requests)
    pipeline.load()
    started = perf_counter()
    outcomes = list(pipeline.run(requests))
    seconds = round((perf_counter() - started) / len(requests), 3)
    described = [outcome for outcome in outcomes if isinstance(outcome, Description)]
    if len(described) < len(requests):
        sys.exit(f"{len(requests) - len(described)} images could not be described")
    return described, seconds


def says(text: str, kinds: Sequence[str]) -> str | None:
    """The one kind a text names; None where it names several or none."""
    named = [kind for kind in kinds if KINDS[kind].search(text)]
    return named[0] if len(named) == 1 else None


def read(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "records.jsonl").read_text(encoding="utf-8").splitlines()]


def share(values: Any) -> float:
    flags = list(values)
    return round(sum(flags) / len(flags), 3)


if __name__ == "__main__":
    main()
