"""What retrieval adds on `medpix` dev: the ablation with plain captions and with captions that name what is shown.

    python cli.py index build configs/indexes/medpix.yaml
    python cli.py index build configs/indexes/medpix_labelled.yaml
    python benchmarks/retrieval_medpix.py

Goes on where `evaluate retrieval` with the same `--out` was. Writes figures alone to `retrieval_medpix.json`; the pages
with images and texts of the data stay in runs/, uncommitted. Each ablation is judged twice: what is true read from the
fields of the records, and from the reference captions, which often leave out plane and modality.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine import save

from evaluation.ablation.retrieval import describe, judge, write
from evaluation.sets import EvaluationSet, read_set
from rag.config import resolve

INDEXES = ("medpix", "medpix-labelled")
KS = (1, 3, 5)


def main() -> None:
    results: dict[str, Any] = {}
    for index in INDEXES:
        folder = Path("runs") / f"retrieval-{index}"
        settings = resolve(retrieval__index=f"data/indexes/{index}")
        described = describe(settings, read_set("medpix"), KS, folder, tell)
        by_fields = judge(described)
        write(by_fields, folder)
        by_captions = judge(replace(described, images=by_caption(described.images)))
        results[index] = {"truth in fields": by_fields.to_json(), "truth in captions": by_captions.to_json()}
    tell(f"wrote {save('retrieval_medpix', results)}")


def by_caption(images: EvaluationSet) -> EvaluationSet:
    """The same images with what their captions say for true."""
    cases = tuple(replace(case, truth=images.content.said(case.caption)) for case in images.cases)
    return replace(images, cases=cases, truth_from="reference captions")


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
