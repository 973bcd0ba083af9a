"""How long 10,000 descriptions take with all lexical metrics, their foils and all intervals.

    python benchmarks/metrics_speed.py --data ../shared/data

Captions of ROCO (text/roco_captions.jsonl) as references, the caption of the figure before as the text, the articles as
groups, and a nearest caption each, so that every foil is scored.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from time import perf_counter

from machine import peak_mib, save

from evaluation.metrics import table
from evaluation.metrics.measures import Asked
from evaluation.metrics.registry import LEXICAL
from evaluation.metrics.score import score_texts

TEXTS, LIMIT_S = 10_000, 120


def asked(data: Path) -> tuple[Asked, list[str]]:
    """References with all that foils need, and the texts."""
    lines = (data / "text" / "roco_captions.jsonl").read_text(encoding="utf-8").splitlines()[:TEXTS]
    rows = [json.loads(line) for line in lines]
    captions = [row["caption"] for row in rows]
    held = Asked(
        ids=tuple(row["id"] for row in rows),
        references=tuple(captions),
        groups=tuple(row["pmc"] for row in rows),
        splits={"source": tuple(row["license"] for row in rows)},
        nearest=tuple(captions[2:] + captions[:2]),
    )
    return held, captions[-1:] + captions[:-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="the folder of real data")
    held, texts = asked(parser.parse_args().data)
    load, began = os.getloadavg()[0], os.times()
    start = perf_counter()
    scored = score_texts("roco", texts, held, LEXICAL)
    scoring_s = perf_counter() - start
    start = perf_counter()
    figures = table.figures(scored)
    ended = os.times()
    results = {
        "texts": len(texts),
        "groups": len(set(held.groups)),
        "metrics": list(scored.values),
        "foils": list(scored.foils),
        "figures": len(figures.own) + sum(map(len, figures.foils.values())) + sum(map(len, figures.gains.values())),
        "scoring_s": round(scoring_s, 1),
        "intervals_s": round(perf_counter() - start, 1),
        "total_s": round(scoring_s + perf_counter() - start, 1),
        "limit_s": LIMIT_S,
        "cpu_s": {
            "this process": round(ended.user + ended.system - began.user - began.system, 1),
            "java": round(ended.children_user + ended.children_system - began.children_user - began.children_system, 1),
        },
        "load_before": round(load, 1),
        "peak_mib": round(peak_mib()),
    }
    print(json.dumps(results, indent=1))
    print(f"wrote {save('metrics_speed', results)}")


if __name__ == "__main__":
    main()
