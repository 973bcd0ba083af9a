"""Whether QLoRA is within noise of LoRA: `pocket-medpix` trained with several seeds of both, described on dev.

    python benchmarks/finetune_seeds.py RUNS --work .scratch/finetune_seeds

RUNS has a folder METHOD-SEED of each run, with its adapter and result.json. One pair of runs cannot tell what the
method did from what the seed did: this says how far two runs of one method are apart, and what is left of QLoRA minus
LoRA when an image's score is the mean over seeds. Images are paired and cases whole, with and without evidence, by
ImageCLEF's ROUGE-1 and by nats a token, with the margins of `finetune.py`, which were set before anything was measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
from machine import ROOT, save

from benchmarks import finetune_parts as parts
from benchmarks.finetune import CAPTION_METRICS, MARGINS, WITH, WITHOUT, loss, taken
from benchmarks.finetune_parts import Work
from evaluation.statistics.compare import compare
from evaluation.statistics.intervals import Numbers

HOW = {"with evidence": WITH, "without": WITHOUT}
METHODS = ("lora", "qlora")
TOLD = ("steps", "before", "after", "precision", "seconds", "peak_mib")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, help="folders METHOD-SEED of finetune run")
    parser.add_argument("--work", type=Path, required=True, help="descriptions and figures are kept here")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "finetune", help="folders of finetune prepare")
    args = parser.parse_args()
    work = Work(args.work.absolute(), args.data, quick=False)
    print(save("finetune/seeds", measured(work, args.runs.absolute())))


def measured(work: Work, runs: Path) -> dict[str, Any]:
    """All runs, how far seeds are apart, and QLoRA minus LoRA."""
    folders = {method: sorted(runs.glob(f"{method}-*")) for method in METHODS}
    seeds = {method: [folder.name.removeprefix(f"{method}-") for folder in found] for method, found in folders.items()}
    if seeds["lora"] != seeds["qlora"] or len(seeds["lora"]) < 2:
        raise SystemExit(f"{runs} needs two seeds or more, the same of both methods; it has {seeds}")
    data = f"data.folder={work.prepared('medpix')}"
    told, groups = {}, []
    found: dict[tuple[str, str, str], list[Numbers]] = {}
    for method, how in itertools.product(METHODS, HOW):
        for folder in folders[method]:
            result = json.loads((folder / "result.json").read_text())
            run = {"method": method, "adapter": str(folder / "adapter")}
            name = f"{folder.name}-{'with' if how == 'with evidence' else 'without'}"
            scored = work.described("medpix", name, CAPTION_METRICS, *HOW[how], *taken(run))
            losses = work.part(f"loss {name}", lambda r=run, h=how: loss(work, r, h, data))
            groups = scored.groups
            found.setdefault((method, how, "imageclef_rouge1"), []).append(scored.values["imageclef_rouge1"])
            nats = np.asarray(losses["nats"]) / np.asarray(losses["tokens"])
            found.setdefault((method, how, "loss"), []).append(nats)
            told[f"{folder.name}, {how}"] = {
                "training": {key: result[key] for key in TOLD},
                **parts.figures(scored),
                "loss": parts.loss_figures(losses),
            }
    return {"seeds": seeds["lora"], "runs": told, "compared": compared(found, groups)}


def compared(found: dict[tuple[str, str, str], list[Numbers]], groups: Any) -> dict[str, Any]:
    """QLoRA minus LoRA, seed by seed and of the means over seeds; and, as the noise, seeds of LoRA and of QLoRA."""
    told: dict[str, Any] = {}
    for how, metric in itertools.product(HOW, MARGINS):
        lora, qlora = (found[method, how, metric] for method in METHODS)

        def minus(first: Numbers, second: Numbers, metric: str = metric) -> dict[str, Any]:
            lower = metric == "loss"
            return parts.judged(compare(first, second, groups, margin=MARGINS[metric], lower_is_better=lower))

        told[f"{metric}, {how}"] = {
            "qlora minus lora, means over seeds": minus(np.mean(lora, axis=0), np.mean(qlora, axis=0)),
            "qlora minus lora, seed by seed": [minus(*pair) for pair in zip(lora, qlora, strict=True)],
            "seeds of lora, one minus another": [minus(*pair) for pair in itertools.combinations(lora, 2)],
            "seeds of qlora, one minus another": [minus(*pair) for pair in itertools.combinations(qlora, 2)],
        }
    return told


if __name__ == "__main__":
    main()
