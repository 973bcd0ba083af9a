"""The report of `models bench`: memory and speed by quantisation and batch size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.charts import Intervals, Mark
from evaluation.report.document import Blank, Block, Cell, Column, Document, Group, Line, Plot, Section, Table
from evaluation.report.words import counted, number
from evaluation.statistics.intervals import Estimate

SPEED = {
    "p50_s": Column("p50, s"), "p95_s": Column("p95, s"), "tokens_per_s": Column("tokens/s", 1),
    "images_per_s": Column("images/s", 2), "peak_mib": Column("peak, MiB", 0),
    "reckoned_peak_mib": Column("peak by arithmetic, MiB", 0), "joules_per_image": Column("J an image", 2),
}  # fmt: skip
MEMORY = {
    "held_mib": Column("weights, MiB", 1), "reckoned_mib": Column("weights by arithmetic, MiB", 1),
    "after_load_mib": Column("after loading, MiB", 0), "loading_peak_mib": Column("peak of loading, MiB", 0),
    "load_s": Column("loading, s", 2),
}  # fmt: skip


def bench_document(data: Mapping[str, Any]) -> Document:
    """Of what `bench.json` holds."""
    rows = {str(row["quantisation"]): row for row in data["measured"]}
    speeds = {
        f"{name}, batch of {timed['batch']}": timed for name, row in rows.items() for timed in row.get("speed", ())
    }
    failed = {name: timed["error"] for name, timed in speeds.items() if "error" in timed}
    runs = next((timed["runs"] for timed in speeds.values() if "runs" in timed), 0)
    setting = (
        f"{data['prompt_tokens']} tokens of text in the prompt, {data['new_tokens']} new ones, one image of "
        f"{data['image_side']} pixels a side, {counted(runs, 'run')} of each"
    )
    weights = (
        "" if data["weights"] == "its own" else f" Weights are {data['weights']}: speed and memory hold, texts do not."
    )
    return Document(
        kind="bench",
        title=f"What {data['model']} costs",
        about=f"{number(data['parameters'], 0)} parameters; {setting}.{weights}",
        summary=_summary(data, rows, speeds),
        sections=[
            Section("Speed", [*_plots(speeds), _table("Speed by quantisation and batch", speeds, SPEED)]),
            Section("Memory", [_table("Memory by quantisation", rows, MEMORY)]),
        ],
        recipe=data["recipe"],
        unmeasured=failed
        | {"how good the texts are": "this measures time and memory alone: python cli.py evaluate run"},
    )


def _summary(data: Mapping[str, Any], rows: Mapping[str, Any], speeds: Mapping[str, Any]) -> list[str]:
    said = [f"{data['model']} was measured in {counted(len(rows), 'precision')}, each in a fresh process."]
    timed = {name: one["images_per_s"] for name, one in speeds.items() if "images_per_s" in one}
    if timed:
        best = max(timed, key=lambda name: timed[name])
        said.append(f"The most images a second are {number(timed[best], 2)} ({best}).")
    held = {name: row["held_mib"] for name, row in rows.items() if "held_mib" in row}
    if len(held) > 1:
        least = min(held, key=lambda name: held[name])
        said.append(f"The smallest weights are those of {least}: {number(held[least], 1)} MiB.")
    return said


def _plots(speeds: Mapping[str, Any]) -> list[Block]:
    marks = [
        Mark(name, Estimate(one["images_per_s"]) if "images_per_s" in one else None) for name, one in speeds.items()
    ]
    if not any(mark.estimate for mark in marks):
        return []
    return [Plot("Images a second", Intervals(marks, "images/s", 2))]


def _table(caption: str, rows: Mapping[str, Mapping[str, Any]], columns: Mapping[str, Column]) -> Table:
    kept = {key: column for key, column in columns.items() if any(key in row for row in rows.values())}
    lines = []
    for name, row in rows.items():
        cells: list[Cell] = [float(row[key]) if key in row else Blank(str(row.get("error", ""))) for key in kept]
        lines.append(Line(name, cells))
    return Table(caption, "", list(kept.values()), [Group(lines)])
