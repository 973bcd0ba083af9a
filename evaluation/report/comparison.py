"""The report of `evaluate compare`: scored runs against one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.charts import Intervals, Mark
from evaluation.metrics.scored import Recipe
from evaluation.report.common import (
    COMPARED,
    PAIRED,
    comparison_cells,
    estimate_of,
    recipes_table,
    verdict_words,
)
from evaluation.report.document import Block, Column, Document, Group, Line, Plot, Section, Table
from evaluation.report.words import counted, listed
from evaluation.statistics.intervals import Estimate

MOST_SAID, MOST_PLOTS = 6, 3
"""Verdicts that the summary tells; metrics that are drawn."""


def comparison_document(data: Mapping[str, Any]) -> Document:
    """Of what `results.json` holds."""
    metrics, baseline = data["metrics"], data["baseline"]
    names = list(dict.fromkeys(name for of in metrics.values() for name in of["runs"]))
    others = [name for name in names if name != baseline]
    recipes = {name: Recipe(**how) for name, how in data["recipe"].get("metrics", {}).items()}
    verdicts = [
        verdict_words(name, baseline, of["title"], one)
        for of in metrics.values()
        for name, one in of["comparisons"].items()
        if one["verdict"] != "inconclusive"
    ]
    open_ = sum(one["verdict"] == "inconclusive" for of in metrics.values() for one in of["comparisons"].values())
    said = [f"{listed(others)} compared with {baseline} on the same {counted(data['images'], 'image')}."]
    said += verdicts[:MOST_SAID]
    said += ["More verdicts are in the tables."] if len(verdicts) > MOST_SAID else []
    said += (
        [f"{counted(open_, 'comparison')} of a metric {'is' if open_ == 1 else 'are'} inconclusive."] if open_ else []
    )
    absent = {f"images that {name} has not": ", ".join(ids[:20]) for name, ids in data["absent"].items() if ids}
    return Document(
        kind="comparison",
        title=f"{listed(others)} against {baseline}",
        about=f"{counted(data['images'], 'image')} of {counted(data['articles'], 'article')}, paired; "
        f"{str(data['recipe'].get('date', ''))[:10]}.",
        summary=said,
        sections=[
            Section("Figures", _figures(metrics, names)),
            Section("Verdicts", _verdicts(metrics, baseline)),
            Section("Recipes", [recipes_table(recipes)]),
        ],
        recipe={key: value for key, value in data["recipe"].items() if key != "metrics"},
        unmeasured=data["blank"] | absent,
    )


def _figures(metrics: Mapping[str, Any], names: list[str]) -> list[Block]:
    columns = [Column(of["title"], recipe=metric) for metric, of in metrics.items()]
    lines = [Line(name, [estimate_of(of["runs"].get(name)) for of in metrics.values()]) for name in names]
    blocks: list[Block] = []
    for of in list(metrics.values())[:MOST_PLOTS]:
        marks = [Mark(n, one if isinstance(one := estimate_of(of["runs"].get(n)), Estimate) else None) for n in names]
        blocks.append(Plot(f"{of['title']} by run", Intervals(marks, f"{of['title']}, mean and 95 % interval")))
    return [*blocks, Table("Means by run", "run", columns, [Group(lines)])]


def _verdicts(metrics: Mapping[str, Any], baseline: str) -> list[Block]:
    groups = [
        Group([Line(name, comparison_cells(one)) for name, one in of["comparisons"].items()], of["title"])
        for of in metrics.values()
    ]
    return [Table(f"Compared with {baseline}", "run", COMPARED, groups, PAIRED, whole=True)]
