"""Metrics of a run, image by image, with how each was computed; written to a folder and read from it again.

`scores.jsonl` has a line an image; `scores.json` has what holds for all: command, date and versions, recipes, what is
missing and why, the figures of the whole set, and those of the foils.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.errors import RunError
from evaluation.lines import read_lines
from evaluation.statistics.intervals import Estimate, Numbers, estimates
from rag.recipe import recipe

SCORES, ABOUT = "scores.jsonl", "scores.json"

CONSTANT, SHUFFLED, NEAREST = "constant", "shuffled", "nearest"
"""Foils, texts that nobody wrote for the images: one sentence for all, the run's own texts of other articles, and the
caption of the nearest image of the index."""
FOILS = (CONSTANT, SHUFFLED, NEAREST)


@dataclass(frozen=True)
class Recipe:
    """How a metric is computed: all that moves its figure (model, layer, idf, normalisation), and by which library.

    `title` heads a column; `source` is the publication; `unit` is empty for a score.
    """

    title: str
    text: str
    version: str
    source: str = ""
    unit: str = ""
    lower_is_better: bool = False


@dataclass(frozen=True)
class Scored:
    """Metrics of n texts, image by image.

    `values` is metric -> float64 (n,), higher is better unless `recipes[metric].lower_is_better`, NaN where there is
    nothing to judge. `groups` is the article or case of each, drawn whole in a bootstrap. `splits` is name ("modality",
    "organ", "source") -> the value of each, or None. `foils` is foil -> metric -> (n,), the same images with texts that
    nobody wrote for them. `corpus` is metric -> figure of all texts together, where that is not the mean (BLEU).
    `costs` is "latency p95 (s)", "peak memory (MiB)" and so on -> figure. `missing` is metric or foil -> why it is
    blank here, with the command that mends it; `notes` is foil -> how its texts were made.
    """

    name: str
    ids: tuple[str, ...]
    groups: tuple[str, ...]
    values: Mapping[str, Numbers]
    recipes: Mapping[str, Recipe]
    splits: Mapping[str, tuple[str | None, ...]] = field(default_factory=dict)
    foils: Mapping[str, Mapping[str, Numbers]] = field(default_factory=dict)
    corpus: Mapping[str, Estimate] = field(default_factory=dict)
    costs: Mapping[str, Estimate] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def estimate(self, metric: str) -> Estimate | None:
        """The mean of a metric with its interval; None where nothing was judged.

        For all figures at once, `table.figures` is faster.
        """
        return self._estimate(self.values[metric])

    def foil(self, name: str, metric: str) -> Estimate | None:
        """The mean of a metric of a foil; None where the foil has none."""
        values = self.foils.get(name, {}).get(metric)
        return None if values is None else self._estimate(values)

    def gain(self, metric: str) -> Estimate | None:
        """By how much texts are better than the same ones shuffled, paired by image, with p for "not better"."""
        other = self.foils.get(SHUFFLED, {}).get(metric)
        if other is None:
            return None
        difference = self.values[metric] - other
        return self._estimate(-difference if self.recipes[metric].lower_is_better else difference, test=True)

    def _estimate(self, values: Numbers, test: bool = False) -> Estimate | None:
        return estimates(values[:, None], self.groups, test=test)[0]


def write_scores(scored: Scored, folder: Path) -> list[Path]:
    """Writes `scores.jsonl` and `scores.json` into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for place, id_ in enumerate(scored.ids):
        line = {
            "id": id_,
            "group": scored.groups[place],
            "splits": {name: values[place] for name, values in scored.splits.items()},
            "values": _numbers(scored.values, place),
            "foils": {name: _numbers(values, place) for name, values in scored.foils.items()},
        }
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    about = {
        "name": scored.name,
        "n": len(scored.ids),
        "recipe": recipe(),
        "recipes": {name: asdict(how) for name, how in scored.recipes.items()},
        "splits": list(scored.splits),
        "foils": {name: list(values) for name, values in scored.foils.items()},
        "corpus": {name: asdict(found) for name, found in scored.corpus.items()},
        "costs": {name: asdict(found) for name, found in scored.costs.items()},
        "missing": dict(scored.missing),
        "notes": dict(scored.notes),
    }
    rows, whole = folder / SCORES, folder / ABOUT
    rows.write_text("".join(lines), encoding="utf-8")
    whole.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [rows, whole]


def read_scores(folder: Path) -> Scored:
    """What `write_scores` wrote. Raises RunError where the folder has no scores, or has some that cannot be read."""
    if not (folder / ABOUT).is_file() or not (folder / SCORES).is_file():
        raise RunError(f"{folder} holds no scores: it has no {ABOUT} with {SCORES}. `evaluate run` makes them")
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        rows = list(read_lines(folder / SCORES))
        if len(rows) != about.get("n", len(rows)):
            raise ValueError(f"{SCORES} has {len(rows)} whole lines of {about['n']}. Score it again")
        return Scored(
            name=about["name"],
            ids=tuple(row["id"] for row in rows),
            groups=tuple(row["group"] for row in rows),
            values=_columns([row["values"] for row in rows], list(about["recipes"])),
            recipes={name: Recipe(**how) for name, how in about["recipes"].items()},
            splits={name: tuple(row["splits"][name] for row in rows) for name in about["splits"]},
            foils={
                foil: _columns([row["foils"][foil] for row in rows], metrics)
                for foil, metrics in about["foils"].items()
            },
            corpus={name: Estimate(**found) for name, found in about["corpus"].items()},
            costs={name: Estimate(**found) for name, found in about["costs"].items()},
            missing=about["missing"],
            notes=about["notes"],
        )
    except (ValueError, TypeError, KeyError) as error:
        raise RunError(f"{folder}: its scores cannot be read: {error}") from error


def _numbers(columns: Mapping[str, Numbers], place: int) -> dict[str, float]:
    """What is known of one image; what is not is left out."""
    return {name: float(values[place]) for name, values in columns.items() if not np.isnan(values[place])}


def _columns(rows: list[dict[str, Any]], names: list[str]) -> dict[str, Numbers]:
    return {name: np.asarray([row.get(name, np.nan) for row in rows], dtype=np.float64) for name in names}
