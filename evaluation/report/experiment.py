"""The report of an experiment: verdicts first, then figures, costs and images by arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.charts import Intervals, Mark
from evaluation.metrics.scored import SHUFFLED, Recipe
from evaluation.metrics.table import figures
from evaluation.report import costs, gallery, scores
from evaluation.report.common import (
    COMPARED,
    PAIRED,
    WITHHELD,
    comparison_cells,
    difference_of,
    estimate_of,
    failures_section,
    public,
    recipes_table,
    verdict_words,
)
from evaluation.report.document import (
    Blank,
    Block,
    Cell,
    Column,
    Document,
    Gallery,
    Group,
    Line,
    Plot,
    Section,
    Table,
    Words,
)
from evaluation.report.experiment_folder import Figures, Found, read_experiment
from evaluation.report.run import prompts_of
from evaluation.report.words import SIGNS, counted, listed, signed
from evaluation.statistics.intervals import Estimate

MOST_SAID, MOST_PARTS = 3, 6
"""Verdicts that the summary tells one by one; values of a split that have a column."""


def experiment_document(folder: Path, data: bool = True) -> Document:
    """Of an experiment's folder. Raises ReportError where it was not judged yet, RunError for a broken arm."""
    found = read_experiment(folder)
    name = str(found.results.get("name", folder.name))
    sections = [
        Section("Verdicts", _verdicts(found)),
        Section("Scores by arm", _scores(found)),
        _splits(found),
        Section("Time and costs", _costs(found)),
        _gallery(found, data),
        *_failures(found, data),
        Section("Arms", [_arms(found)]),
        Section("Recipes", [recipes_table({key: Recipe(**how) for key, how in found.results["metrics"].items()})]),
    ]
    made = {key: value for key, value in found.made.items() if key != "decided"}
    images, metrics = found.results["set"], found.results["metrics"]
    return Document(
        kind="experiment",
        title=f"Experiment {name}",
        about=f"{counted(len(found.arms), 'arm')}, the same {counted(images['images'], 'image')} of "
        f"{counted(images['articles'], 'article')} of the set {images['name']} in each; baseline {found.baseline}; "
        f"decided by {found.title(found.primary)}, alpha {found.results['primary']['alpha']}; "
        f"{str(found.results.get('date', ''))[:10]}.",
        summary=_summary(found),
        sections=[section for section in sections if section is not None],
        recipe=made,
        unmeasured={metrics.get(k, {}).get("title", k): why for k, why in found.results["missing"].items()},
        withheld="" if data else WITHHELD,
    )


def _summary(found: Found) -> list[str]:
    note, title = str(found.results.get("note") or ""), found.title(found.primary)
    compared = found.results["comparisons"].get(found.primary, {})
    verdicts: Mapping[str, str] = found.results["verdicts"]
    counts = [
        f"{list(verdicts.values()).count(verdict)} {verdict}" for verdict in SIGNS if verdict in verdicts.values()
    ]
    said = [note] if note else []
    said.append(f"By {title}, of {counted(len(verdicts), 'arm')} compared with {found.baseline}: {listed(counts)}.")
    decided = [arm for arm, verdict in verdicts.items() if verdict != "inconclusive" and arm in compared]
    ranked = sorted(decided or compared, key=lambda arm: -abs(compared[arm]["difference"]["value"]))
    judged = {arm: {**compared[arm], "verdict": verdicts[arm]} for arm in ranked[:MOST_SAID]}
    said += [verdict_words(arm, found.baseline, title, one) for arm, one in judged.items()]
    if len(ranked) > MOST_SAID:
        said.append("The others are in the table.")
    said += _beside_foils(found)
    if found.results["missing"]:
        named = [found.title(name) for name in found.results["missing"]]
        said.append(f"Not measured: {listed(named)}; the reasons are below.")
    return said


def _beside_foils(found: Found) -> list[str]:
    """In how many arms texts are better than shuffled ones, and where one constant sentence beats all."""
    said = []
    gained = {metric for arm in found.arms.values() for metric in arm["gains_over_shuffled"]}
    metric = next((metric for metric in scores.HEADLINES if metric in gained), None)
    if metric is not None:
        gains = {name: estimate_of(arm["gains_over_shuffled"].get(metric)) for name, arm in found.arms.items()}
        known = {name: one for name, one in gains.items() if isinstance(one, Estimate)}
        above = [name for name, one in known.items() if one.low is not None and one.low > 0]
        best = max(known, key=lambda name: known[name].value)
        said.append(
            f"In {len(above)} of {counted(len(known), 'arm')} the texts surely score higher in {found.title(metric)} "
            "than the same texts dealt out to other images, and so say something of their own; the largest gain is "
            f"{signed(known[best].value)} ({best})."
        )
    beaten = []
    for name, one in found.results["foils"].get("constant", {}).items():
        foil = estimate_of(one)
        figures = [found.figure(arm, name) for arm in found.arms]
        values = [figure.value for figure in figures if isinstance(figure, Estimate)]
        lower = found.results["metrics"].get(name, {}).get("lower_is_better", False)
        if (
            isinstance(foil, Estimate)
            and values
            and all((foil.value < v) if lower else (foil.value > v) for v in values)
        ):
            beaten.append(found.title(name))
    if beaten:
        said.append(f"One constant sentence, which says nothing of any image, beats every arm in {listed(beaten)}.")
    return said


def _verdicts(found: Found) -> list[Block]:
    blocks: list[Block] = []
    compared = found.results["comparisons"].get(found.primary, {})
    verdicts = found.results["verdicts"]
    title = found.title(found.primary)
    if compared:
        marks = [Mark(arm, difference_of(one), "circle") for arm, one in compared.items()]
        blocks.append(Plot(f"{title}: difference from {found.baseline}", Intervals(marks, "difference, 95 % interval")))
        lines = [Line(arm, comparison_cells({**one, "verdict": verdicts[arm]})) for arm, one in compared.items()]
        caption = f"{title} of each arm compared with {found.baseline}"
        blocks.append(Table(caption, "arm", COMPARED, [Group(lines)], PAIRED, whole=True))
    if found.results["pairs"]:
        lines = [Line(f"{one['second']} - {one['first']}", comparison_cells(one)) for one in found.results["pairs"]]
        blocks.append(Table(f"Pairs by {title}", "second - first", COMPARED, [Group(lines)], whole=True))
        words = [verdict_words(one["second"], one["first"], title, one) for one in found.results["pairs"]]
        blocks.append(Words(" ".join(words)))
    blocks += _other_verdicts(found)
    return blocks


def _other_verdicts(found: Found) -> list[Block]:
    """A verdict for each metric and arm; empty where there is no metric but the primary one."""
    others = {metric: by for metric, by in found.results["comparisons"].items() if found.is_score(metric)}
    if not others:
        return []
    columns = [Column(found.title(metric), recipe=metric.partition(" over ")[0], text=True) for metric in others]
    names = list(dict.fromkeys(arm for by in others.values() for arm in by))
    lines = [Line(arm, [_short(by.get(arm)) for by in others.values()]) for arm in names]
    note = "Corrected across arms, for each metric by itself: that so many metrics were looked at is not corrected for."
    return [Table(f"Verdicts by other metrics, compared with {found.baseline}", "arm", columns, [Group(lines)], note)]


def _short(one: Figures | None) -> Cell:
    if one is None:
        return Blank()
    return f"{SIGNS.get(one['verdict'], '')} {one['verdict']} {signed(one['difference']['value'])}"


def _scores(found: Found) -> list[Block]:
    metrics = [name for name, how in found.results["metrics"].items() if not how.get("unit")]
    measured = [m for m in metrics if any(isinstance(found.figure(arm, m), Estimate) for arm in found.arms)]
    shown = list(dict.fromkeys([found.primary, *(m for m in scores.HEADLINES if m in measured)]))[:2]
    blocks: list[Block] = [_plot(found, metric) for metric in shown]
    columns = [Column(found.title(metric), recipe=metric) for metric in measured]
    arms = [Line(arm, [found.figure(arm, metric) for metric in measured]) for arm in found.arms]
    foils = [
        Line(scores.FOILS.get(foil, foil), [estimate_of(by.get(metric)) for metric in measured])
        for foil, by in found.results["foils"].items()
    ]
    groups = [
        Group(arms),
        *([Group(foils, f"nobody's texts; shuffled are those of {found.baseline}")] if foils else []),
    ]
    note = (
        "Means over images with 95 % bootstrap intervals, articles drawn whole. Images that failed in an arm are left "
        "out of all."
    )
    blocks.append(Table("Figures by arm", "arm", columns, groups, note))
    gained = [m for m in measured if any(m in arm["gains_over_shuffled"] for arm in found.arms.values())]
    if gained:
        columns = [Column(found.title(metric), recipe=metric) for metric in gained]
        lines = [Line(arm, [found.figure(arm, f"{metric} over {SHUFFLED}") for metric in gained]) for arm in found.arms]
        note = "Own minus shuffled, paired by image. * where p, one-sided for not above 0, is under 0.05."
        blocks.append(
            Table("Gain over the arm's own texts, shuffled between images", "arm", columns, [Group(lines)], note)
        )
    return blocks


def _plot(found: Found, metric: str) -> Plot:
    title = found.title(metric)
    marks = [Mark(arm, one if isinstance(one := found.figure(arm, metric), Estimate) else None) for arm in found.arms]
    foils = {
        foil: one
        for foil, by in found.results["foils"].items()
        if foil in scores.FOIL_SHAPES and isinstance(one := estimate_of(by.get(metric)), Estimate)
    }
    marks += [Mark(scores.FOILS[foil], one, scores.FOIL_SHAPES[foil]) for foil, one in foils.items()]
    note = "The filled circles are arms, other shapes texts that nobody wrote for the images." if foils else ""
    return Plot(f"{title} by arm", Intervals(marks, f"{title}, mean and 95 % interval"), note)


def _splits(found: Found) -> Section | None:
    """The primary metric, or the one that it is the gain of, by modality and the like."""
    metric = found.primary.partition(" over ")[0]
    judged = {
        arm: figures(replace(one, values={metric: one.values[metric]}, foils={}))  # of nothing but what is shown
        for arm, one in found.scored.items()
        if metric in one.values
    }
    if not judged:
        return None
    tables: list[Block] = []
    first = next(iter(judged.values()))
    for name, by_value in first.splits.items():
        values = list(by_value)[:MOST_PARTS]
        columns = [Column(f"{value} ({first.counts[name][value]})") for value in values]
        lines = [
            Line(arm, [one.splits.get(name, {}).get(value, {}).get(metric, Blank()) for value in values])
            for arm, one in judged.items()
        ]
        note = f"Values of the most images, at most {MOST_PARTS}." if len(by_value) > MOST_PARTS else ""
        tables.append(Table(f"{found.title(metric)} by {name} (images)", "arm", columns, [Group(lines)], note))
    return Section("By part of the set", tables) if tables else None


def _costs(found: Found) -> list[Block]:
    plot = costs.spread_plot({name: list(run.records.values()) for name, run in found.runs.items()})
    wanted = {
        "seconds": Column("seconds in all", 1), "images_a_second": Column("images/s", 2),
        "prompt_tokens": Column("tokens in prompts"), "new_tokens": Column("new tokens"),
        "peak_mib": Column("peak, MiB", 0), "model_mib": Column("model, MiB", 1),
        "joules_an_image": Column("J an image", 2),
    }  # fmt: skip
    kept = {key: c for key, c in wanted.items() if any(arm["cost"].get(key) is not None for arm in found.arms.values())}
    lines = [Line(name, [_cost(arm["cost"].get(key)) for key in kept]) for name, arm in found.arms.items()]
    table = Table("What each arm cost", "arm", list(kept.values()), [Group(lines)], whole=True)
    return [plot, table] if plot else [table]


def _cost(value: Any) -> Cell:
    return value if isinstance(value, int | float) else Blank()


def _gallery(found: Found, data: bool) -> Section | None:
    metric = found.primary.partition(" over ")[0]
    arms = {arm: one for arm, one in found.scored.items() if metric in one.values and arm in found.runs}
    if not arms:
        return None
    first = next(iter(arms.values()))
    alike = {arm: one for arm, one in arms.items() if one.ids == first.ids}
    recipe = first.recipes[metric]
    chosen = gallery.choose(
        {arm: one.values[metric] for arm, one in alike.items()}, recipe.title, recipe.lower_is_better
    )
    cases = {case.id: case for case in next(iter(found.runs.values())).cases}
    runs = {arm: found.runs[arm] for arm in alike}
    shown = []
    for one in chosen:
        id_ = first.ids[one.place]
        figures = {arm: scores.short(scored, one.place, [metric]) for arm, scored in alike.items()}
        if id_ in cases:
            shown.append(gallery.show(cases[id_], one.why, runs, figures, data))
    return Section("Best, worst and most disagreed", [Gallery(shown)]) if shown else None


def _failures(found: Found, data: bool) -> Sequence[Section]:
    failures = {f"{id_} ({arm})": why for arm, run in found.runs.items() for id_, why in run.failures.items()}
    section = failures_section(failures, data=data)
    return [section] if section else []


def _arms(found: Found) -> Table:
    lines = []
    for name, arm in found.arms.items():
        changed = "; ".join(f"{key} = {value}" for key, value in public(arm["changed"]).items()) or "nothing"
        with_ = [str(arm[key]) for key in ("model", "adapter", "index") if arm.get(key)]
        with_ += prompts_of(arm.get("prompt"))
        cells: list[Cell] = [changed, "; ".join(with_), str(arm["settings_hash"]), int(arm["n"]), int(arm["failures"])]
        lines.append(Line(name, cells))
    columns = [Column("what it changes", text=True), Column("made with", text=True), Column("settings", text=True)]
    columns += [Column("images"), Column("failed")]
    return Table("What the arms are", "arm", columns, [Group(lines)])
