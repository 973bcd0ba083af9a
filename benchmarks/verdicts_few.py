"""From how many articles on the stated smallest effect is near the analytic one, and is found: simulated experiments.

    python benchmarks/verdicts_few.py

Writes benchmarks/verdicts_few.json. Articles are counted as `power.alike` does: as many of one size as would weigh the
same. Nothing is held back for being of few articles, as `smallest_detectable` holds it back.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
from machine import save
from verdicts import smallest
from verdicts_shapes import SHAPES, Layout, layout

ARTICLES = (6, 8, 10, 12, 14, 16, 18, 20, 25, 30)
LAYOUTS, EACH = 10, 500


def main() -> None:
    """Every shape whose arms can be equal, at every number of articles."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    rows, started, load = [], time.perf_counter(), os.getloadavg()[0]
    for number, (name, shape) in enumerate(SHAPES.items()):
        for articles in ARTICLES if shape.null else ():
            rng = np.random.default_rng([articles, number])
            layouts = [_of(rng, articles, shape.clustered) for _ in range(LAYOUTS)]
            row = {"shape": name, "articles": articles, **smallest(rng, layouts, shape, EACH, fewest=2)}
            rows.append(row)
            print(f"{time.perf_counter() - started:5.0f} s", row, flush=True)
    results = {
        "experiments": LAYOUTS * EACH,
        "seconds": round(time.perf_counter() - started),
        "load_before": round(load, 2),
        "load_after": round(os.getloadavg()[0], 2),
        "rows": rows,
    }
    save("verdicts_few", results)


def _of(rng: np.random.Generator, articles: int, clustered: bool) -> Layout:
    """Images that fall into so many articles of one size, or into others that weigh the same."""
    if not clustered:
        return layout(rng, articles, clustered)
    while True:
        found = layout(rng, int(rng.integers(3 * articles, 6 * articles)), clustered)
        if round(float(found.sizes.sum() ** 2 / (found.sizes**2).sum())) == articles:
            return found


if __name__ == "__main__":
    main()
