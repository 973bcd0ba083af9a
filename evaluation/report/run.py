"""The report of a run: what one configuration said of a set of images, and how good that is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from configs import flattened
from evaluation.metrics.scored import ABOUT, read_scores
from evaluation.report import confidence, costs, gallery, scores
from evaluation.report.common import WITHHELD, failures_section, public, read_json, recipes_table, warnings_table
from evaluation.report.document import Block, Document, Facts, Gallery, Section, Words
from evaluation.report.scores import Judged
from evaluation.report.words import counted, listed
from evaluation.runs import Run, read_run

SHOWN_UNSCORED = 8
"""Images that are shown of a run that was not scored."""

UNSCORED = "How good the texts are was not measured: the run has no scores."


def run_document(folder: Path, data: bool = True) -> Document:
    """Of a run's folder, with or without scores. With `data` False nothing of the images is shown.

    Raises RunError where the folder cannot be read.
    """
    run = read_run(folder)
    judged = Judged(read_scores(folder)) if (folder / ABOUT).is_file() else None
    scored = scores_recipe(folder) if judged else None
    sections = [
        Section("Scores", list(scores.blocks(judged, data))) if judged else None,
        confidence.section(run, judged) if judged else None,
        _costs(run, judged, data),
        _gallery(run, judged, data) if judged and judged.headline else _some(run, data),
        failures_section(run.failures, run.made.get("set", {}).get("unusable", ()), data=data),
        Section("Recipes", [recipes_table(judged.scored.recipes)]) if judged else None,
        Section("Configuration", [configuration(run.made)]),
    ]
    return Document(
        kind="run",
        title=f"Run {run.name}: {run.made.get('model', 'a model')} on {set_name(run.made)}",
        about=about(run.made),
        summary=_summary(run, judged),
        sections=[section for section in sections if section is not None],
        recipe={**(run.made if data else _without_reasons(run.made)), **({"scores": scored} if scored else {})},
        unmeasured=judged.unmeasured if judged else {"scores": f"{UNSCORED} Score it: run `evaluate run` on it again"},
        withheld="" if data else WITHHELD,
    )


def scores_document(folder: Path, data: bool = True) -> Document:
    """Of scores that have no run beside them, as `evaluate score` writes them. Raises RunError."""
    judged = Judged(read_scores(folder))
    scored, made = judged.scored, scores_recipe(folder)
    date = f"; {str(made['date'])[:10]}" if made and "date" in made else ""
    return Document(
        kind="scores",
        title=f"Scores of {scored.name}",
        about=f"{counted(len(scored.ids), 'text')} of {counted(len(set(scored.groups)), 'article')}{date}.",
        summary=scores.summary(judged, judged.headline) if judged.headline else ["Nothing could be scored."],
        sections=[
            Section("Scores", list(scores.blocks(judged, data))),
            Section("Recipes", [recipes_table(scored.recipes)]),
        ],
        recipe=made or {"scores": str(folder), "recipe": f"{ABOUT} has none: an older program wrote it"},
        unmeasured=judged.unmeasured,
        withheld="" if data else WITHHELD,
    )


def scores_recipe(folder: Path) -> Mapping[str, Any] | None:
    """How the scores of a folder were made, command, date and versions; None where their file does not say."""
    made = read_json(folder / ABOUT).get("recipe")
    return made if isinstance(made, Mapping) else None


def _without_reasons(made: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe with the number of unusable records in place of what is wrong with each, which may quote them."""
    images = made.get("set", {})
    return {**made, "set": {**images, "unusable": len(images.get("unusable", ()))}}


def set_name(made: Mapping[str, Any]) -> str:
    """The name of the set of images."""
    return str(made.get("set", {}).get("name", "a set"))


def about(made: Mapping[str, Any]) -> str:
    """Model, prompt, index, images and date in a line."""
    images = made.get("set", {})
    templates = listed(prompts_of(made.get("prompt")))
    parts = [
        f"Model {made.get('model')}" + (f" with adapter {made['adapter']}" if made.get("adapter") else ""),
        f"prompt {templates}" if templates else "",
        f"index {made['index']}" if made.get("index") else "no index",
        f"{counted(images.get('images', 0), 'image')} of {counted(images.get('articles', 0), 'article')}",
        f"truth from {images['truth']}" if images.get("truth") else "",
        str(made.get("date", ""))[:10],
    ]
    return "; ".join(part for part in parts if part) + "."


def prompts_of(prompt: Any) -> list[str]:
    """The templates of a run, each once: one by its name, or one for each task."""
    if isinstance(prompt, Mapping):
        return sorted({str(template) for template in prompt.values()})
    return [str(prompt)] if prompt else []


def configuration(made: Mapping[str, Any]) -> Facts:
    """The settings, a line each: those that say nothing are left out."""
    flat = flattened(public(made.get("settings", {})))
    return Facts("Settings", {name: str(value) for name, value in flat.items() if value not in (None, [], "")})


def _summary(run: Run, judged: Judged | None) -> list[str]:
    tried = len(run.records) + len(run.failures)
    said = [
        f"{run.made.get('model', 'The model')} described {len(run.records)} of {counted(len(run.cases), 'image')} of "
        f"the set {set_name(run.made)}."
    ]
    if run.failures:
        said.append(f"{counted(len(run.failures), 'image')} could not be described; the reasons are listed below.")
    if tried < len(run.cases):
        said.append(f"The run was stopped: {counted(len(run.cases) - tried, 'image')} were not tried.")
    abstained = sum(bool(record.get("abstained")) for record in run.records.values())
    if abstained:
        said.append(f"It abstained on {counted(abstained, 'image')}.")
    if judged is None or judged.headline is None:
        return [*said, UNSCORED]
    said += scores.summary(judged, judged.headline)
    if judged.unmeasured:
        said.append(f"Not measured: {listed(list(judged.unmeasured))}; the reasons are below.")
    return said


def _costs(run: Run, judged: Judged | None, data: bool) -> Section | None:
    records = list(run.records.values())
    blocks: list[Block] = costs.latency_blocks(records)
    if judged:
        blocks += costs.cost_tables(judged)
    warned = warnings_table(records, data)
    blocks += [warned] if warned else []
    return Section("Time, costs and warnings", blocks) if blocks else None


def _some(run: Run, data: bool) -> Section | None:
    """Images drawn evenly, of a run that has no scores to choose by."""
    every = max(1, len(run.cases) // SHOWN_UNSCORED)
    cases = run.cases[::every][:SHOWN_UNSCORED]
    shown = [gallery.show(case, "Drawn evenly from the set", {run.name: run}, {}, data) for case in cases]
    return Section("Images", [Gallery(shown)]) if shown else None


def _gallery(run: Run, judged: Judged, data: bool) -> Section | None:
    scored, metric = judged.scored, str(judged.headline)
    recipe = scored.recipes[metric]
    chosen = gallery.choose({run.name: scored.values[metric]}, recipe.title, recipe.lower_is_better)
    chosen += confidence.sure_and_low(run, scored, metric, {one.place for one in chosen})
    cases = {case.id: case for case in run.cases}
    shown = [
        gallery.show(
            cases[id_], one.why, {run.name: run}, {run.name: scores.short(scored, one.place, judged.main)}, data
        )
        for one in chosen
        if (id_ := scored.ids[one.place]) in cases
    ]
    note = Words("A score is low where the words differ, which is not yet an error: read the texts.")
    return Section("Best, worst, and sure without reason", [note, Gallery(shown)]) if shown else None
