"""Scored runs of the same images, two or more, compared metric by metric with a baseline."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import StatisticsError
from evaluation.metrics.scored import Scored, read_scores
from evaluation.plain import plain
from evaluation.runs import RUN, read_run
from evaluation.statistics.compare import TESTS, Comparison, Test, compare_all
from evaluation.statistics.intervals import Estimate, Numbers, estimate
from evaluation.statistics.verdicts import ALPHA, others_than
from rag.recipe import recipe
from vlm.cost.machine import versions

RESULTS = "results.json"
NAMED = 5
"""Ids that a message names before it counts the rest."""


@dataclass(frozen=True)
class Entry:
    """A run as it is compared: its scores, and what a person said of each image where the folder has it, by id."""

    scored: Scored
    references: Mapping[str, str]


@dataclass(frozen=True)
class Compared:
    """Runs against a baseline, over the `images` of `articles` that all have.

    `means` is metric -> run -> mean with its interval; `comparisons` is metric -> run -> how it differs from the
    baseline, Holm-adjusted across the runs of a metric. `titles` is metric -> heading, `absent` run -> ids that another
    run has and it has not, `blank` metric -> why it was not compared.
    """

    baseline: str
    images: int
    articles: int
    means: Mapping[str, Mapping[str, Estimate]]
    comparisons: Mapping[str, Mapping[str, Comparison]]
    titles: Mapping[str, str]
    absent: Mapping[str, Sequence[str]]
    blank: Mapping[str, str]
    recipe: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; what cannot be said is null."""
        return {
            "kind": "comparison",
            "recipe": dict(self.recipe),
            "baseline": self.baseline,
            "images": self.images,
            "articles": self.articles,
            "metrics": {
                metric: {
                    "title": self.titles[metric],
                    "runs": plain(self.means[metric]),
                    "comparisons": plain(compared),
                }
                for metric, compared in self.comparisons.items()
            },
            "absent": {name: list(ids) for name, ids in self.absent.items()},
            "blank": dict(self.blank),
        }


def read_entries(folders: Sequence[Path]) -> dict[str, Entry]:
    """Scored runs by their folders' names; by their paths where two have the same name.

    Raises RunError where a folder has no scores, StatisticsError where one is given twice.
    """
    twice = [str(folder) for place, folder in enumerate(folders) if folder.resolve() in _resolved(folders[:place])]
    if twice:
        raise StatisticsError(f"{twice[0]} is given twice: compare it with another run")
    names = [folder.resolve().name for folder in folders]
    entries = {}
    for folder, name in zip(folders, names, strict=True):
        cases = read_run(folder).cases if (folder / RUN).is_file() else ()
        references = {case.id: case.caption for case in cases}
        entries[name if names.count(name) == 1 else str(folder)] = Entry(read_scores(folder), references)
    return entries


def compare_runs(
    entries: Mapping[str, Entry],
    baseline: str | None = None,
    metrics: Sequence[str] = (),
    margins: Mapping[str, float] | None = None,
    tests: Mapping[str, Test] | None = None,
    alpha: float = ALPHA,
) -> Compared:
    """Every run against the baseline, the first where none is named, over the images that all have.

    Without `metrics`, all that a run has, but for costs. A metric that a run lacks, or that was computed in another way
    in another run, is left blank; so are costs, which have a unit: seconds say as much of the machine, and fewer tokens
    are not better. Tests are those of `compare` unless `tests` says otherwise. Raises StatisticsError where runs share
    no image, an image has another reference or article in another run, no metric can be compared, or one that was
    asked for is in no run.
    """
    baseline = baseline if baseline is not None else next(iter(entries))
    order = {baseline: entries.get(baseline), **{name: entries[name] for name in others_than(baseline, entries)}}
    runs = {name: entry for name, entry in order.items() if entry is not None}
    ids, absent = _shared(runs)
    places = {name: _places(name, entry.scored, ids) for name, entry in runs.items()}
    groups = _agreed(runs, ids, places)
    asked = list(dict.fromkeys(metrics)) or _scores(runs)
    _known([*asked, *(margins or {}), *(tests or {})], runs)
    means, comparisons, blank = {}, {}, {}
    for metric in asked:
        values = {name: _values(entry.scored, metric)[places[name]] for name, entry in runs.items()}
        why = _why_blank(metric, runs, values)
        if why:
            blank[metric] = why
            continue
        means[metric] = {name: _mean(found, groups) for name, found in values.items()}
        comparisons[metric] = compare_all(
            values, baseline, groups,
            margin=(margins or {}).get(metric), alpha=alpha, test=(tests or {}).get(metric),
            lower_is_better=runs[baseline].scored.recipes[metric].lower_is_better,
        )  # fmt: skip
    if not comparisons:
        raise StatisticsError("no metric can be compared: " + "; ".join(f"{m}: {why}" for m, why in blank.items()))
    titles = {metric: runs[baseline].scored.recipes[metric].title for metric in comparisons}
    made = {**recipe(), "statistics": versions(("scipy", "statsmodels")), "runs": list(runs), "alpha": alpha}
    made["metrics"] = {metric: asdict(runs[baseline].scored.recipes[metric]) for metric in comparisons}
    return Compared(baseline, len(ids), len(set(groups)), means, comparisons, titles, absent, blank, made)


def named_test(name: str) -> Test:
    """A test by its name. Raises StatisticsError where there is none."""
    for test in TESTS:
        if test == name:
            return test
    raise StatisticsError(f"there is no test {name!r}; there are {', '.join(TESTS)}")


def write(found: Compared, folder: Path) -> Path:
    """Writes `results.json` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / RESULTS
    file.write_text(json.dumps(found.to_json(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def some(ids: Sequence[str]) -> str:
    """The first few ids, and how many there are besides."""
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more


def _resolved(folders: Sequence[Path]) -> list[Path]:
    return [folder.resolve() for folder in folders]


def _shared(runs: Mapping[str, Entry]) -> tuple[list[str], dict[str, list[str]]]:
    """The ids that all runs have, in the baseline's order, and by run those that it lacks."""
    there = {name: set(entry.scored.ids) for name, entry in runs.items()}
    every = list(dict.fromkeys(id_ for entry in runs.values() for id_ in entry.scored.ids))
    lacks = {name: [id_ for id_ in every if id_ not in mine] for name, mine in there.items()}
    ids = [id_ for id_ in every if all(id_ in mine for mine in there.values())]
    if not ids:
        raise StatisticsError(f"{' and '.join(runs)} have no image in common: compare runs of one set")
    return ids, {name: missing for name, missing in lacks.items() if missing}


def _places(name: str, scored: Scored, ids: Sequence[str]) -> list[int]:
    places = {id_: place for place, id_ in enumerate(scored.ids)}
    if len(places) < len(scored.ids):
        double = [id_ for place, id_ in enumerate(scored.ids) if places[id_] != place]
        raise StatisticsError(f"{name} scores images more than once: {some(double)}. Score it again")
    return [places[id_] for id_ in ids]


def _agreed(runs: Mapping[str, Entry], ids: Sequence[str], places: Mapping[str, Sequence[int]]) -> list[str]:
    """The group of each image, on which all runs agree, as they do on its reference."""
    first, *others = runs
    groups = [runs[first].scored.groups[place] for place in places[first]]
    for name in others:
        mine = runs[name].scored.groups
        other = [id_ for id_, here, place in zip(ids, groups, places[name], strict=True) if mine[place] != here]
        if other:
            raise StatisticsError(f"{first} and {name} have other articles for {some(other)}: score both on one set")
        one, two = runs[first].references, runs[name].references
        other = [id_ for id_ in ids if id_ in one and id_ in two and one[id_] != two[id_]]
        if other:
            raise StatisticsError(f"{first} and {name} have other references for {some(other)}: score both on one set")
    return groups


def _scores(runs: Mapping[str, Entry]) -> list[str]:
    """The metrics of all runs, costs left out."""
    recipes = [recipe for entry in runs.values() for recipe in entry.scored.recipes.items()]
    return list(dict.fromkeys(metric for metric, how in recipes if not how.unit))


def _known(asked: Sequence[str], runs: Mapping[str, Entry]) -> None:
    every = {metric for entry in runs.values() for metric in (*entry.scored.recipes, *entry.scored.missing)}
    unknown = [metric for metric in asked if metric not in every]
    if unknown:
        raise StatisticsError(f"no run has the metric {unknown[0]}; there are {', '.join(sorted(every))}")


def _values(scored: Scored, metric: str) -> Numbers:
    return scored.values[metric] if metric in scored.values else np.full(len(scored.ids), np.nan)


def _why_blank(metric: str, runs: Mapping[str, Entry], values: Mapping[str, Numbers]) -> str:
    """Why a metric cannot be compared; empty where it can."""
    for name, entry in runs.items():
        if np.isnan(values[name]).all():
            return f"{name} has no values of it: {entry.scored.missing.get(metric, 'it was not scored by this metric')}"
    known = np.all([~np.isnan(found) for found in values.values()], axis=0)
    if not known.any():
        return "no image has a value in every run"
    return _why_other(metric, runs)


def _why_other(metric: str, runs: Mapping[str, Entry]) -> str:
    """How two runs differ in what a metric is there; empty where it is the same, and a score."""
    first, *others = runs
    mine = runs[first].scored.recipes[metric]
    if mine.unit:
        return "it is a cost: seconds say as much of the machine, and fewer tokens are not better. `report` shows costs"
    for name in others:
        theirs = runs[name].scored.recipes[metric]
        field = next((key for key, value in asdict(mine).items() if value != asdict(theirs)[key]), None)
        if field is not None:
            here, there = getattr(mine, field), getattr(theirs, field)
            return (
                f"it was computed in another way, {field} {here!r} in {first} and {there!r} in {name}. "
                "Score both again, over the same images"
            )
    return ""


def _mean(values: Numbers, groups: Sequence[str]) -> Estimate:
    known = np.flatnonzero(~np.isnan(values))
    return estimate(values[known], [groups[int(place)] for place in known])
