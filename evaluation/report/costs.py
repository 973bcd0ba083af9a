"""What descriptions took: time, tokens, from the records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from evaluation.charts import Histogram, Spread, Spreads
from evaluation.charts.spreads import LEGEND
from evaluation.report.document import Block, Column, Group, Line, Plot, Table
from evaluation.report.scores import Judged

STAGES = ("decode", "embed", "retrieve", "prompt", "generate", "check", "total")
ENDS = (50, 95, 99)
"""The percentiles that are told."""
FEWEST = 5
"""Records for a distribution to be drawn."""

Record = Mapping[str, Any]


def seconds(records: Sequence[Record], stage: str = "total") -> list[float]:
    """What a stage took in each record, in seconds."""
    found = [record.get("timings_s", {}).get(stage) for record in records]
    return [float(value) for value in found if isinstance(value, int | float) and math.isfinite(value)]


def latency_blocks(records: Sequence[Record]) -> list[Block]:
    """Percentiles of each stage, and how the whole is spread."""
    taken = {stage: values for stage in STAGES if (values := seconds(records, stage))}
    if "total" not in taken:
        return []
    ends = {stage: np.percentile(values, ENDS).tolist() for stage, values in taken.items()}
    shared = together(records)
    rows = [Line(stage, [*ends[stage], float(np.mean(values))]) for stage, values in taken.items()]
    columns = [*(Column(f"p{at}, s") for at in ENDS), Column("mean, s")]
    note = f"{_tokens(records)} {shared}".strip()
    table = Table(f"Seconds by stage, {len(records)} descriptions", "stage", columns, [Group(rows)], note)
    if len(taken["total"]) < FEWEST:
        return [table]
    lines = {f"p{at} {value:.3g}": value for at, value in zip(ENDS, ends["total"], strict=True)}
    return [Plot("Latency", Histogram(taken["total"], "seconds from request to description", lines), shared), table]


def cost_tables(judged: Judged) -> list[Block]:
    """What was measured besides: percentiles with intervals, memory, energy; and means of what has a unit."""
    figures = dict(judged.scored.costs)
    for metric, recipe in judged.scored.recipes.items():
        own = judged.own(metric)
        if recipe.unit and own is not None:
            figures[f"{recipe.title} ({recipe.unit}), mean"] = own
    lines = [Line(name, [figure]) for name, figure in figures.items()]
    return [Table("What was measured of costs", "cost", [Column("figure", 2)], [Group(lines)])] if lines else []


def spread_plot(records: Mapping[str, Sequence[Record]]) -> Plot | None:
    """The latency of each arm; None where none is known."""
    rows = [Spread.of(name, seconds(mine)) for name, mine in records.items()]
    if not any(row.n for row in rows):
        return None
    note = " ".join([LEGEND, together([one for mine in records.values() for one in mine])]).strip()
    return Plot("Latency by arm", Spreads(rows, "seconds from request to description"), note)


def together(records: Sequence[Record]) -> str:
    """That requests were answered in batches, where they were."""
    sizes = [
        record["run"]["together"]
        for record in records
        if isinstance(record.get("run"), Mapping) and "together" in record["run"]
    ]
    most = max((size for size in sizes if isinstance(size, int)), default=1)
    return (
        f"Up to {most} images were described together and what that took is shared out evenly: one alone takes longer."
        if most > 1
        else ""
    )


def _tokens(records: Sequence[Record]) -> str:
    new = [record.get("tokens", {}).get("new") for record in records]
    prompt = [record.get("tokens", {}).get("prompt") for record in records]
    kept = [(int(n), int(p)) for n, p in zip(new, prompt, strict=True) if isinstance(n, int) and isinstance(p, int)]
    if not kept:
        return ""
    mean_new, mean_prompt = np.asarray(kept).mean(axis=0)
    return f"Tokens of a description, mean: {mean_prompt:.0f} in the prompt, {mean_new:.1f} new."
