"""Scores as people read them in a terminal, and as JSON: every figure beside its foils, the gain over them first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.metrics.scored import FOILS, SHUFFLED, Scored
from evaluation.statistics.intervals import Estimate, Numbers, estimates
from evaluation.text_table import aligned

GAIN = "own - shuffled"
_SMALLEST_SPLIT, _MOST_VALUES = 5, 12


@dataclass(frozen=True)
class Figures:
    """Means with intervals: of each metric, of each foil, the gain over each, and all metrics by split and value."""

    own: Mapping[str, Estimate]
    foils: Mapping[str, Mapping[str, Estimate]]
    gains: Mapping[str, Mapping[str, Estimate]]
    splits: Mapping[str, Mapping[str, Mapping[str, Estimate]]]
    counts: Mapping[str, Mapping[str, int]]

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "figures": {name: _json(found) for name, found in self.own.items()},
            "foils": {foil: {name: _json(f) for name, f in found.items()} for foil, found in self.foils.items()},
            "gains": {foil: {name: _json(f) for name, f in found.items()} for foil, found in self.gains.items()},
            "splits": {
                split: {
                    value: {"n": self.counts[split][value], **{name: _json(f) for name, f in found.items()}}
                    for value, found in values.items()
                }
                for split, values in self.splits.items()
            },
        }


def figures(scored: Scored) -> Figures:
    """All figures of what was scored. Values of a split that fewer than 5 texts have get none."""
    columns: dict[tuple[str, ...], Numbers] = {("own", name): values for name, values in scored.values.items()}
    for foil, found in scored.foils.items():
        columns |= {("foil", foil, name): values for name, values in found.items()}
    for split, of in scored.splits.items():
        for value in _values(of):
            mine = np.asarray([other == value for other in of])
            for name, values in scored.values.items():
                columns["split", split, value, name] = np.where(mine, values, np.nan)
    gained: dict[tuple[str, ...], Numbers] = {
        ("gain", foil, name): (values - scored.values[name]) * (1 if scored.recipes[name].lower_is_better else -1)
        for foil, found in scored.foils.items()
        for name, values in found.items()
    }
    found_all = _estimated(columns, scored.groups) | _estimated(gained, scored.groups, test=True)
    own: dict[str, Estimate] = {}
    foils: dict[str, dict[str, Estimate]] = {}
    gains: dict[str, dict[str, Estimate]] = {}
    splits: dict[str, dict[str, dict[str, Estimate]]] = {}
    for key, figure in found_all.items():
        match key:
            case ("own", name):
                own[name] = figure
            case ("foil", foil, name):
                foils.setdefault(foil, {})[name] = figure
            case ("gain", foil, name):
                gains.setdefault(foil, {})[name] = figure
            case (_, split, value, name):
                splits.setdefault(split, {}).setdefault(value, {})[name] = figure
    counts = {split: {value: scored.splits[split].count(value) for value in found} for split, found in splits.items()}
    return Figures(own, foils, gains, splits, counts)


def to_json(scored: Scored) -> dict[str, Any]:
    """Figures, recipes and what is missing, without texts."""
    return {
        "name": scored.name,
        "n": len(scored.ids),
        "groups": len(set(scored.groups)),
        **figures(scored).to_json(),
        "corpus": {name: _json(found) for name, found in scored.corpus.items()},
        "costs": {name: _json(found) for name, found in scored.costs.items()},
        "recipes": {name: asdict(recipe) for name, recipe in scored.recipes.items()},
        "notes": dict(scored.notes),
        "missing": dict(scored.missing),
    }


def text(scored: Scored) -> str:
    """A table of the metrics, one by split, the costs, the recipes, and why what is blank is blank."""
    found = figures(scored)
    groups = len(set(scored.groups))
    judged = [name for name in scored.values if not scored.recipes[name].unit]
    lines = [f"{scored.name}: {len(scored.ids)} texts of {groups} articles or cases; 95 % intervals", ""]
    lines += _metrics(scored, found, judged)
    for split, values in found.splits.items():
        rows = [
            [value, str(found.counts[split][value]), *(_short(of.get(name)) for name in judged)]
            for value, of in values.items()
        ]
        lines += ["", *aligned([[f"by {split}", "n", *(_title(scored, name) for name in judged)], *rows])]
    costs = dict(scored.costs) | {
        _costs_title(scored, n): found.own[n] for n in scored.values if n not in judged and n in found.own
    }
    if costs:
        lines += ["", *aligned([["cost", ""], *([name, _whole(figure)] for name, figure in costs.items())])]
    lines += ["", "How it was computed"]
    lines += [f"  {', '.join(titles)}: {recipe}" for recipe, titles in _recipes(scored, judged).items()]
    lines += [
        f"  {_title(scored, name)} of all texts together: {_whole(figure)}" for name, figure in scored.corpus.items()
    ]
    lines += [f"  {foil}: {note}" for foil, note in scored.notes.items()]
    if scored.missing:
        lines += ["", "Blank", *(f"  {name}: {why}" for name, why in scored.missing.items())]
    return "\n".join(lines)


def _metrics(scored: Scored, found: Figures, names: Sequence[str]) -> list[str]:
    foils = [foil for foil in FOILS if foil in found.foils]
    head = ["metric", GAIN, "p", "own", *foils] if SHUFFLED in foils else ["metric", "own", *foils]
    rows = []
    for name in names:
        gain = found.gains.get(SHUFFLED, {}).get(name)
        first = [_whole(gain), _p(gain)] if SHUFFLED in foils else []
        beside = [_short(found.foils[foil].get(name)) for foil in foils]
        rows.append([_title(scored, name), *first, _whole(found.own.get(name)), *beside])
    return aligned([head, *rows])


def _estimated(
    columns: Mapping[tuple[str, ...], Numbers], groups: Sequence[str], test: bool = False
) -> dict[tuple[str, ...], Estimate]:
    if not columns:
        return {}
    found = estimates(np.column_stack(list(columns.values())), groups, test=test)
    return {key: figure for key, figure in zip(columns, found, strict=True) if figure is not None}


def _values(of: Sequence[str | None]) -> list[str]:
    """The values of a split that are worth a figure of their own, the commonest first; none of one alone."""
    counts: dict[str, int] = {}
    for value in of:
        if value is not None:
            counts[value] = counts.get(value, 0) + 1
    kept = sorted((v for v, count in counts.items() if count >= _SMALLEST_SPLIT), key=lambda v: (-counts[v], v))
    return kept[:_MOST_VALUES] if len(counts) > 1 else []


def _title(scored: Scored, name: str) -> str:
    """The metric's title; its own name too where another has the same title."""
    title = scored.recipes[name].title
    several = sum(recipe.title == title for recipe in scored.recipes.values()) > 1
    return f"{title} ({name})" if several else title


def _costs_title(scored: Scored, name: str) -> str:
    recipe = scored.recipes[name]
    unit = f" ({recipe.unit})" if recipe.unit not in recipe.title and recipe.unit != "1/s" else ""
    return f"{recipe.title}{unit}, mean"


def _recipes(scored: Scored, names: Sequence[str]) -> dict[str, list[str]]:
    """Recipe -> titles of the metrics that it holds for."""
    found: dict[str, list[str]] = {}
    for name in names:
        recipe = scored.recipes[name]
        text = "; ".join(part for part in (recipe.text, recipe.version) if part)
        found.setdefault(text, []).append(_title(scored, name))
    return found


def _short(figure: Estimate | None) -> str:
    return "-" if figure is None else f"{figure.value:.3f}"


def _whole(figure: Estimate | None) -> str:
    if figure is None:
        return "-"
    digits = 3 if abs(figure.value) < 10 else 1
    if figure.low is None or figure.high is None:
        return f"{figure.value:.{digits}f}"
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def _p(figure: Estimate | None) -> str:
    return "-" if figure is None or figure.p is None else f"{figure.p:.2g}"


def _json(figure: Estimate) -> dict[str, float]:
    return {key: float(f"{value:.6g}") for key, value in asdict(figure).items() if value is not None}
