"""How likely a test of so many cases is to find a difference that a larger one found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.statistics.intervals import Numbers, estimate

TESTS, DRAWS = 400, 500
"""How many tests of each size are drawn, and how often the cases of each are drawn again for its p."""


def chances(
    gains: Numbers, cases: Sequence[str], classes: Sequence[str] | None, sizes: Sequence[int]
) -> dict[str, dict[str, float]]:
    """By the number of cases in a test: in what share of tests, cases drawn whole from these with replacement, the mean
    gain is above 0, and is so with p < 0.05. Gains `(n,)`, of each class first where there are classes."""
    rows: dict[str, list[int]] = {}
    for row, case in enumerate(cases):
        rows.setdefault(case, []).append(row)
    every, rng = list(rows.values()), np.random.default_rng(0)
    found = {}
    for size in sizes:
        tests = []
        for _ in range(TESTS):
            drawn = [every[n] for n in rng.integers(len(every), size=size)]
            mine = [row for several in drawn for row in several]
            groups = [n for n, several in enumerate(drawn) for _ in several]
            labels = None if classes is None else [classes[row] for row in mine]
            tests.append(estimate(gains[mine], groups, labels, test=True, count=DRAWS))
        found[str(size)] = {
            "above 0": float(np.mean([test.value > 0 for test in tests])),
            "p < 0.05": float(np.mean([test.p is not None and test.p < 0.05 for test in tests])),
        }
    return found
