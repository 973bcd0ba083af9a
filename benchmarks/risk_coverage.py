"""Does saying nothing where confidence is low spare errors? CT or MR and location category on `medpix`.

    python cli.py index build configs/indexes/medpix.yaml
    python cli.py index build configs/indexes/medpix_labelled.yaml
    python benchmarks/risk_coverage.py

A description is right where it says the image's modality and location category, and no other; risk is the share that
is wrong. `fall` is the share of the errors' rate that is taken away by keeping the surest 80 %, articles drawn whole
in its interval. By three scores: as shipped, nothing fitted; cross-fitted on the set itself; and, on dev, with the
calibration that was fitted on train. Train images are those of the index, each with its own case left out of it by the
guard; how many neighbours vote and how sharply was chosen on them, so dev is the fairer and the smaller set. Writes no
fitted weights.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from machine import save

from evaluation.calibration.calibrate import Calibrated, calibrate, write
from evaluation.sets import EvaluationSet, read_set
from rag.config import resolve

INDEXES = ("medpix-labelled", "medpix")
LISTS = ("modality", "location")


def main() -> None:
    results: dict[str, Any] = {}
    for index in INDEXES:
        settings = resolve(retrieval__index=f"data/indexes/{index}")
        on_train = calibrate(settings, judged_on("train"), tell)
        file = Path("runs") / f"calibration-{index}.yaml"
        write(on_train, file)
        on_dev = calibrate(settings, judged_on("dev"), tell)
        calibrated = resolve(None, [f"check.calibration={file}"], retrieval__index=f"data/indexes/{index}")
        from_train = calibrate(calibrated, judged_on("dev"), tell)
        results[index] = {"train": figures(on_train), "dev": figures(on_dev)}
        results[index]["dev"]["fall, calibrated on train"] = asdict(from_train.fall_before)
        tell(f"{index}: {results[index]}")
    tell(f"wrote {save('risk_coverage', results)}")


def judged_on(split: str) -> EvaluationSet:
    """A split of medpix, in which modality and location are to be right."""
    images = read_set("medpix", where=[f"split={split}"])
    cases = tuple(replace(case, truth={name: case.truth[name] for name in LISTS}) for case in images.cases)
    return replace(images, cases=cases, truth_from="records (modality: kind, location: location_category)")


def figures(found: Calibrated) -> dict[str, Any]:
    """What is told of a calibration: no weight of it."""
    made = found.calibration.made_from
    return {
        **{name: made[name] for name in ("images", "articles", "right", "abstained", "index", "model", "prompt")},
        "risk, all kept": round(float(found.curve.risk[-1]), 4),
        "fall, as shipped": asdict(found.fall_before),
        "fall, cross-fitted": asdict(found.fall),
        "aurc": {"cross-fitted": found.curve.aurc, "ideal": found.best.aurc, **found.alone},
    }


def tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
