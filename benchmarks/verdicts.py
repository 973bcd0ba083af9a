"""How often verdicts are false, and whether the stated smallest effect is found, in simulated experiments.

    python benchmarks/verdicts.py [--experiments 10000]

Writes benchmarks/verdicts.json after every row; run again, it goes on. Every p is computed by the functions that
`evaluate compare` uses, for many experiments at once; `tests/evaluation/statistics` holds that one gives the same.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from typing import Any

import numpy as np
from machine import ROOT, save
from statsmodels.stats.power import TTestPower
from verdicts_shapes import SHAPES, Layout, Numbers, Shape, layout

from evaluation.statistics.equivalence import not_equivalent_p
from evaluation.statistics.flips import flip_interval, flip_p
from evaluation.statistics.named import mcnemar, signed_ranks, wilcoxon
from evaluation.statistics.pairs import Pairs, pair
from evaluation.statistics.power import FEWEST, POWER, right_or_wrong, smallest_detectable
from evaluation.statistics.sequential import equivalence_evidence, evidence

ALPHA = 0.05
IMAGES = (30, 100, 500)
LAYOUTS = 10
"""Ways in which images fall into articles, each with its share of the experiments."""
ARMS = 4
"""Against one baseline, for Holm."""
TENTH = 10
"""Of the experiments show how often intervals hold the truth, and how often equal arms are called equivalent."""


def main() -> None:
    """Simulates every shape at every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=10_000)
    each = parser.parse_args().experiments // LAYOUTS
    rows, before = earlier(each * LAYOUTS)
    done = {(row["shape"], row["images"]) for row in rows}
    started, load = time.perf_counter() - before, os.getloadavg()[0]
    for name, shape in SHAPES.items():
        for n in IMAGES:
            if (name, n) in done:
                continue
            rng = np.random.default_rng([n, list(SHAPES).index(name)])
            layouts = [layout(rng, n, shape.clustered) for _ in range(LAYOUTS)]
            row = {"shape": name, "images": n, "groups": round(float(np.mean([len(it.sizes) for it in layouts])), 1)}
            if shape.null:
                row |= averaged([same(rng, it, shape, each) for it in layouts])
                row |= smallest(rng, layouts, shape, each)
            rng = np.random.default_rng([n, list(SHAPES).index(name), 1])
            row |= averaged([apart(rng, it, shape, each) for it in layouts])
            rows.append(row)
            print(f"{time.perf_counter() - started:5.0f} s", row, flush=True)
            # After every row, so that a run that is stopped has said something.
            results = {
                "experiments": each * LAYOUTS,
                "alpha": ALPHA,
                "seconds": round(time.perf_counter() - started),
                "load_before": round(load, 2),
                "load_after": round(os.getloadavg()[0], 2),
                "worst": worst(rows),
                "rows": rows,
            }
            save("verdicts", results)


def earlier(experiments: int) -> tuple[list[dict[str, Any]], float]:
    """The rows of a run of as many experiments that was stopped, and the seconds they took."""
    file = ROOT / "benchmarks" / "verdicts.json"
    found = json.loads(file.read_text()) if file.is_file() else {"experiments": 0}
    return (found["rows"], found["seconds"]) if found["experiments"] == experiments else ([], 0.0)


def same(rng: np.random.Generator, where: Layout, shape: Shape, m: int) -> dict[str, float]:
    """A/A: how often a verdict is better or worse, by test; a family of arms counts once."""
    arms = ARMS if shape.clustered else 1
    first, *others = shape.arms(rng, where, m, np.zeros((arms, m)))
    sums = np.hstack([where.sums(other - first) for other in others])
    p = flip_p(sums).reshape(arms, m)
    looks = np.exp(-np.maximum(evidence(sums, len(sums), ALPHA).max(axis=0), 0)).reshape(arms, m)
    found = {"false_verdicts": share(p[0]), "false_verdicts_sequential": share(looks[0])}
    if arms > 1:
        # Holm's first step: with no true difference there, any false verdict is one of the smallest p.
        found["false_verdicts_holm"] = share(p.min(axis=0) * arms)
        found["false_verdicts_sequential_holm"] = share(looks.min(axis=0) * arms)
    if shape.right_or_wrong and not shape.clustered:
        found["false_verdicts_mcnemar"] = singly(mcnemar, first, others[0], where)
    if not shape.right_or_wrong:
        if shape.clustered:
            ranks = where.sums(np.stack([signed_ranks(column) for column in (others[0] - first).T], axis=1))
            found["false_verdicts_wilcoxon"] = share(flip_p(ranks))
        else:
            found["false_verdicts_wilcoxon"] = singly(wilcoxon, first, others[0], where)
    return found


def apart(rng: np.random.Generator, where: Layout, shape: Shape, m: int) -> dict[str, float]:
    """At a true difference of the margin: how often it is called equivalent, at the end and at any look."""
    found: dict[str, float] = {}
    sizes = where.sizes.astype(np.float64)
    for margin in shape.margins:
        way = 1 if margin == shape.margins[0] else -1
        first, second, equal = shape.arms(rng, where, m, np.asarray([[margin], [0.0]]) * np.ones(m))
        found |= called(f"false_equivalent{{}}_{margin:g}", way * (second - first), first, second, where, shape, margin)
        few = slice(0, m // TENTH)
        low, high = flip_interval(where.sums((second - first)[:, few]), sizes, ALPHA)
        found[f"covered_{margin:g}"] = float(((low <= margin) & (margin <= high)).mean())
        if shape.null:
            one, two = first[:, few], equal[:, few]
            found |= called(f"true_equivalent{{}}_{margin:g}", two - one, one, two, where, shape, margin)
    return found


def called(
    name: str, differences: Numbers, first: Numbers, second: Numbers, where: Layout, shape: Shape, margin: float
) -> dict[str, float]:
    """How often two arms are called equivalent, at the end and at any look."""
    sums, sizes = where.sums(differences), where.sizes.astype(np.float64)
    reach = np.maximum(first, second).max(axis=0) - np.minimum(first, second).min(axis=0)
    p = not_equivalent_p(sums, sizes, np.ones(len(reach)) if shape.right_or_wrong else reach, margin)
    worth = equivalence_evidence(sums, sizes, shape.reach, margin)[-1]
    return {name.format(""): share(p), name.format("_sequential"): share(np.exp(-worth))}


def smallest(
    rng: np.random.Generator, layouts: list[Layout], shape: Shape, m: int, fewest: int = FEWEST
) -> dict[str, float]:
    """The smallest effect that samples state, against the analytic one, and how often an effect of that size is found.

    Analytic is the t test's (noncentral t, statsmodels) at the true standard error of the mean difference, which is
    that of all simulated experiments with such articles; "normal" is 2.80 errors. Of right and wrong the t test's goes
    through `right_or_wrong`, which the statement goes through, too: there the ratio says nothing of that formula, and
    only how often the effect is found does. Nothing where no sample states one.
    """
    ratios, found, normal = [], [], []
    for where in layouts:
        first, second = shape.arms(rng, where, m, np.zeros((1, m)))
        groups = where.group.tolist()
        pairs = [pair(a, b, groups) for a, b in zip(first.T, second.T, strict=True)]
        stated = np.asarray([smallest_detectable(each, ALPHA, "bootstrap", fewest) for each in pairs])
        true = float((second - first).mean(axis=0).std(ddof=1))
        g = len(where.sizes)
        analytic = TTestPower().solve_power(nobs=g, alpha=ALPHA, power=POWER) * np.sqrt(g) * true
        if shape.right_or_wrong:
            analytic = right_or_wrong(analytic, float(first.mean()), float((second != first).mean()))
        known = ~np.isnan(stated)
        if not known.any():
            continue
        ratios.append(float(np.mean(stated[known])) / analytic)
        normal.append(float(np.mean(stated[known])) / (2.8016 * true))
        # Downwards: who is right 93 times in 100 cannot get much better.
        first, second = shape.arms(rng, where, m, -np.where(known, stated, 0.0)[None])
        p = flip_p(where.sums(second - first))
        found.append(float((p[known] <= ALPHA).mean()))
    if not found:
        return {}
    return {
        "smallest_to_analytic": round(float(np.mean(ratios)), 3),
        "smallest_to_normal": round(float(np.mean(normal)), 3),
        "smallest_found": round(float(np.mean(found)), 4),
    }


def share(p: Numbers) -> float:
    """Of experiments with p at or below alpha."""
    return float((p <= ALPHA).mean())


def singly(test: Any, first: Numbers, second: Numbers, where: Layout) -> float:
    """The share of experiments that a test of single images rejects."""
    groups = where.group.tolist()
    pairs: list[Pairs] = [pair(a, b, groups) for a, b in zip(first.T, second.T, strict=True)]
    return share(np.asarray([test(each).p for each in pairs]))


def averaged(found: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(float(np.mean([each[key] for each in found])), 4) for key in found[0]}


def worst(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of each figure over all shapes and sizes, with where it was."""
    keys = [key for key in dict.fromkeys(key for row in rows for key in row) if key.startswith(("false", "smallest"))]
    found: dict[str, Any] = {}
    for key in keys:
        # Margins differ by shape: all are one figure.
        name = key.rstrip("0123456789.").rstrip("_")
        pick = min if name == "smallest_found" else max
        here = [(row[key], f"{row['shape']}, {row['images']}") for row in rows if key in row]
        found[name] = pick([*here, *([found[name]] if name in found else [])])
    return found


if __name__ == "__main__":
    main()
