"""What descriptions cost, from the records of a run and from what it noted while it ran."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import RunError
from evaluation.lines import read_lines
from evaluation.metrics.scored import Recipe
from evaluation.runs import COSTS
from evaluation.statistics.intervals import LEVEL, SEED, Estimate, Numbers

PERCENTILES = (50, 95, 99)
DRAWS = 1_000

RECIPES = {
    "latency_s": Recipe(
        "latency", "a record's timings_s.total: a batch's time shared out evenly", "", unit="s", lower_is_better=True
    ),
    "tokens_per_s": Recipe("tokens/s", "a record's new tokens by its seconds of generation", "", unit="1/s"),
    "new_tokens": Recipe("new tokens", "tokens that were written", "", unit="tokens", lower_is_better=True),
}


def by_record(records: Sequence[Mapping[str, Any] | None]) -> dict[str, Numbers]:
    """Seconds, tokens and tokens a second of each record, NaN where it does not say."""
    rows = [_of(record or {}) for record in records]
    return {name: np.asarray([row[name] for row in rows]) for name in RECIPES}


def whole(values: Mapping[str, Numbers], groups: Sequence[str], noted: Mapping[str, Any]) -> dict[str, Estimate]:
    """Percentiles of latency and the rate of tokens with intervals, and what was noted: memory, energy, images/s."""
    found = {}
    seconds = values["latency_s"]
    known = ~np.isnan(seconds)
    if known.any():
        held = [group for group, mine in zip(groups, known, strict=True) if mine]
        drawn = _percentiles(seconds[known], held)
        for place, percent in enumerate(PERCENTILES):
            low, high = np.quantile(drawn[:, place], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            value = float(np.percentile(seconds[known], percent))
            found[f"latency p{percent} (s)"] = Estimate(value, float(low), float(high))
    for name, value in noted.items():
        found[name] = Estimate(float(value))
    return found


def _of(record: Mapping[str, Any]) -> dict[str, float]:
    timings, tokens = record.get("timings_s") or {}, record.get("tokens") or {}
    new, seconds = tokens.get("new"), timings.get("generate")
    return {
        "latency_s": _number(timings.get("total")),
        "new_tokens": _number(new),
        "tokens_per_s": new / seconds if new is not None and seconds else float("nan"),
    }


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _percentiles(seconds: Numbers, groups: Sequence[str]) -> Numbers:
    """Percentiles of samples in which groups are drawn whole, `(draws, percentiles)`."""
    order = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    of = np.asarray([order[group] for group in groups])
    sorted_rows = np.argsort(seconds)
    ordered, of = seconds[sorted_rows], of[sorted_rows]
    random = np.random.default_rng(SEED)
    chances = np.full(len(order), 1 / len(order))
    drawn = np.empty((DRAWS, len(PERCENTILES)))
    for place in range(DRAWS):
        below = np.cumsum(random.multinomial(len(order), chances)[of])
        ranks = np.searchsorted(below, np.asarray(PERCENTILES) / 100 * below[-1])
        drawn[place] = ordered[np.minimum(ranks, len(ordered) - 1)]
    return drawn


def noted(folder: Path) -> dict[str, float]:
    """What a run's `costs.jsonl` says: images a second, peak MiB, joules an image; empty where there is none.

    Raises RunError where it cannot be read.
    """
    try:
        rows = list(read_lines(folder / COSTS))
        return _summed(rows) if rows else {}
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(
            f"{folder / COSTS} cannot be read: {error}. Without the file the run has no rate and no memory"
        ) from error


def _summed(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    images, seconds = sum(row["images"] for row in rows), sum(row["seconds"] for row in rows)
    found = {"images/s": images / seconds, "peak memory (MiB)": max(row["peak_mib"] for row in rows)}
    if any("gpu_peak_mib" in row for row in rows):
        found["peak GPU memory (MiB)"] = max(row.get("gpu_peak_mib", 0.0) for row in rows)
    for name in sorted({name for row in rows for name in row.get("joules", {})}):
        if all(name in row.get("joules", {}) for row in rows):
            found[f"{name} energy (J/image)"] = sum(row["joules"][name] for row in rows) / images
    return found
