"""Parts that several kinds of report have: recipes of metrics, failures, comparisons, what was left out."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.errors import ReportError
from evaluation.metrics.scored import Recipe
from evaluation.report.document import Blank, Cell, Column, Group, Line, Section, Table
from evaluation.report.words import SIGNS, counted, ends, number, probability, signed
from evaluation.statistics.intervals import Estimate
from rag.secrets import without_secrets

MOST_FAILURES, REASON_CHARS = 40, 400
"""Failures that are listed, letters of a reason."""

FILE_NAME = re.compile(r"[/\\]|\.[A-Za-z][A-Za-z0-9]{1,6}(#\S*)?$")
"""What looks like a path, or ends like the name of a file."""

WITHHELD = (
    "This page shows no image and no text of the data or about an image: it was made to be shared where the data must "
    "not be. Ids and figures stand for them."
)


def read_json(file: Path) -> Any:
    """What a JSON file holds. Raises ReportError."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReportError(f"{file} cannot be read as JSON: {error}") from error


def public(value: Any) -> Any:
    """A recipe without what opens addresses in it: pages are shared."""
    if isinstance(value, Mapping):
        return {key: public(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [public(one) for one in value]
    return without_secrets(value) if isinstance(value, str) else value


def estimate_of(value: Any) -> Cell:
    """A figure of a results file: `{value, low, high, p}`, a number, or nothing."""
    if isinstance(value, Mapping) and isinstance(value.get("value"), int | float):
        return Estimate(value["value"], *(value.get(key) for key in ("low", "high", "plain", "p")))
    return float(value) if isinstance(value, int | float) else Blank()


def recipes_table(recipes: Mapping[str, Recipe]) -> Table:
    """How each metric is computed: the rows that the heads of other tables point to."""
    lines = [
        Line(recipe.title, (recipe.text, recipe.version, recipe.source or "-", better(recipe)), defines=name)
        for name, recipe in recipes.items()
    ]
    heads = ("recipe", "version", "source", "better")
    columns = [Column(title, text=True) for title in heads]
    return Table("How each metric is computed", "metric", columns, [Group(lines)])


def better(recipe: Recipe) -> str:
    """Which way is better."""
    return "lower" if recipe.lower_is_better else "higher"


def failures_section(failures: Mapping[str, str], unusable: Sequence[str] = (), *, data: bool) -> Section | None:
    """What could not be described and why; None where all could. Without `data` no reason is quoted."""
    if not failures and not unusable:
        return None
    lines = [Line(id_, (why[:REASON_CHARS],)) for id_, why in list(failures.items())[:MOST_FAILURES]]
    for text in list(unusable)[: max(0, MOST_FAILURES - len(lines))]:
        id_, _, why = text.partition(": ")
        lines.append(Line(id_, (f"record not usable: {why}"[:REASON_CHARS],)))
    count = len(failures) + len(unusable)
    note = (
        "" if count <= MOST_FAILURES else f"{counted(count, 'failure')} in all; the first {MOST_FAILURES} are listed."
    )
    if not data:
        lines = [Line(line.name, ("reason left out: it may name files and texts of the data",)) for line in lines]
    caption = f"{counted(count, 'image')} without a description, and why"
    return Section("Failures", [Table(caption, "image", [Column("reason", text=True)], [Group(lines)], note)])


def warnings_table(records: Iterable[Mapping[str, Any]], data: bool = True) -> Table | None:
    """How often each kind of warning was given; numbers in them are taken as alike.

    A note on how an image was decoded begins with its name, which is taken off. Without `data`, what still begins with
    something like a file's name is counted, not quoted.
    """
    kinds: Counter[str] = Counter()
    for record in records:
        names = _image_names(record)
        kinds.update({_kind(str(warning), names, data) for warning in record.get("warnings", ())})
    if not kinds:
        return None
    lines = [Line(kind, (count,)) for kind, count in kinds.most_common(15)]
    return Table("Warnings that came with descriptions", "warning", [Column("images")], [Group(lines)])


def _image_names(record: Mapping[str, Any]) -> list[str]:
    """What the images of a record are called in its warnings, the longest name first."""
    names = {str(image.get("image", "")) for image in record.get("images", ())} | {str(record.get("image", ""))}
    return sorted(names - {""}, key=len, reverse=True)


def _kind(warning: str, names: Sequence[str], data: bool) -> str:
    whose = next((name for name in names if warning.startswith(f"{name}: ")), None)
    note = warning if whose is None else warning[len(whose) + 2 :]
    head = re.split(r"[:\"“]", note)[0].strip()
    if not data and FILE_NAME.search(head):
        return "another warning, left out here: it may name a file"
    return re.sub(r"\d+", "#", head)[:160]


COMPARED = (
    Column("verdict", text=True), Column("difference"), Column("p", p=True), Column("p, Holm", p=True),
    Column("effect size", 2), Column("smallest it could show"), Column("margin"),
    Column("images (articles)", text=True),
)  # fmt: skip


PAIRED = (
    "Second minus first, paired by image, articles whole; the difference with its 95 % interval. p is two-sided, and "
    "Holm's across the arms that were compared together; the verdict goes by that. “Smallest it could show”: the "
    "difference that a sample like this shows in 80 % of cases. Effect size: d of scores, odds ratio of right and "
    "wrong, rank-biserial r of ratings."
)


def comparison_cells(one: Mapping[str, Any]) -> tuple[Cell, ...]:
    """A comparison's cells under COMPARED."""
    verdict = str(one["verdict"])
    figures = (
        one["p"],
        one.get("p_adjusted"),
        one.get("effect_size"),
        one.get("smallest_detectable"),
        one.get("margin"),
    )
    return (
        f"{SIGNS.get(verdict, '')} {verdict}".strip(),
        difference_of(one),
        *(Blank() if figure is None else float(figure) for figure in figures),
        f"{one['n']} ({one['groups']})",
    )


def difference_of(one: Mapping[str, Any]) -> Estimate:
    """A comparison's difference."""
    return Estimate(**{key: one["difference"].get(key) for key in ("value", "low", "high")})


def verdict_words(name: str, baseline: str, title: str, one: Mapping[str, Any]) -> str:
    """A comparison in a sentence."""
    difference = difference_of(one)
    p = one["p"] if one.get("p_adjusted") is None else one["p_adjusted"]
    how = f"{title} {signed(difference.value)}"
    between = ends(difference)
    how += f", 95 % interval {between}" if between else ""
    how += f", {probability(p)}" + ("" if one.get("p_adjusted") is None else " after Holm")
    match one["verdict"]:
        case "better" | "worse" as verdict:
            return f"{name} is {verdict} than {baseline} ({how})."
        case "equivalent":
            return f"{name} is equivalent to {baseline} within {number(one['margin'])} ({how})."
        case _:
            smallest = one.get("smallest_detectable")
            could = "" if smallest is None else f"; a sample like this shows a difference from {number(smallest)} on"
            return f"{name} against {baseline} is inconclusive ({how}{could})."
