"""Is what the default `caption` says right in kind? Real images that nothing was trained on, starter index and none.

    python benchmarks/kinds.py --data ../shared/data

Up to `--most` images of each kind, drawn by a fixed seed, from: `medpix` dev (CT, MR), `bccd` test (blood smear),
`dsb2018` dev (fluorescence, stained tissue, bright-field), `vqa_rad` dev images of the chest (X-ray). The kind is read
from the caption by `WORDS`; several kinds or none count as wrong. Beside each share stand the kinds that were said.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from machine import save

from rag import open_pipeline
from rag.config import resolve
from rag.types import Description, Request

WORDS = {
    "blood smear": r"\bblood smear\b",
    "fluorescence": r"\bfluorescence\b",
    "stained tissue": r"\btissue\b",
    "bright-field": r"\bbright-field\b",
    "CT": r"\bCT\b",
    "MR": r"\bMR\b",
    "X-ray": r"\bX-ray\b",
    "cannot tell": r"\bcannot tell\b",
}
LOOKS = {"fluorescence": "fluorescence", "histology": "stained tissue", "brightfield": "bright-field"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--most", type=int, default=50)
    args = parser.parse_args()
    images = {kind: sample(paths, args.most) for kind, paths in by_kind(args.data).items()}
    results = {
        "starter index": run(images, "retrieval.enabled=true"),
        "without evidence": run(images, "retrieval.enabled=false"),
    }
    print(json.dumps(results, indent=1))
    print(save("kinds", results), file=sys.stderr)


def by_kind(data: Path) -> dict[str, set[Path]]:
    found: dict[str, set[Path]] = {}

    def add(kind: str, folder: str, record: dict[str, Any]) -> None:
        found.setdefault(kind, set()).add(data / folder / record["image"])

    for record in read(data / "medpix/records.jsonl", "dev"):
        add(record["kind"], "medpix", record)
    for record in read(data / "bccd/records.jsonl", "test"):
        add("blood smear", "bccd", record)
    for record in read(data / "dsb2018/records.jsonl", "dev"):
        add(LOOKS[record["look"]], "dsb2018", record)
    for record in read(data / "vqa_rad/qa.jsonl", "dev"):
        if record["organ"] == "CHEST":
            add("X-ray", "vqa_rad", record)
    return found


def read(path: Path, split: str) -> list[dict[str, Any]]:
    records = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [record for record in records if record["split"] == split]


def sample(paths: set[Path], most: int) -> list[Path]:
    ordered = sorted(paths)
    return random.Random(0).sample(ordered, min(most, len(ordered)))


def run(images: dict[str, list[Path]], assignment: str) -> dict[str, Any]:
    pipeline = open_pipeline(resolve(assignments=[assignment]), [Request("any", ("any",))])
    results: dict[str, Any] = {}
    for kind, paths in images.items():
        outcomes = list(pipeline.run([Request(str(path), (str(path),)) for path in paths]))
        said = Counter(kind_said(outcome.text) for outcome in outcomes if isinstance(outcome, Description))
        right = round(said[kind] / len(paths), 3)
        results[kind] = {"images": len(paths), "right": right, "said": dict(said.most_common())}
    return results


def kind_said(text: str) -> str:
    named = [kind for kind, pattern in WORDS.items() if re.search(pattern, text, re.IGNORECASE)]
    return named[0] if len(named) == 1 else "several or none"


if __name__ == "__main__":
    main()
