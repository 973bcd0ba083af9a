"""The report of `experiment search`: wordings round by round, and the winner on images that it had not seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evaluation.report.common import COMPARED, PAIRED, comparison_cells, verdict_words
from evaluation.report.document import Blank, Cell, Column, Document, Facts, Group, Line, Section, Table, Verbatim
from evaluation.report.words import counted

HALVING = (
    "Means by round; each round shows the wordings that are left twice the images of the one before. The winner's mean "
    "here is the best of many, and too good: the confirmation tells."
)


def search_document(data: Mapping[str, Any]) -> Document:
    """Of what `results.json` holds."""
    rounds, winner, start = data["rounds"], data["winner"], data["start"]
    metric, confirmed, cost = data["primary"]["name"], data["confirmation"], data["cost"]
    of_set = data["set"]
    said = [
        f"{counted(len(data['candidates']), 'wording')} of {start} by {metric}, halved over "
        f"{counted(len(rounds), 'round')} on {counted(of_set['search'], 'image')}."
    ]
    if confirmed is None:
        said.append("None was better than the start, so that nothing was there to be confirmed.")
    else:
        found = verdict_words(winner["name"], start, metric, confirmed)
        said.append(f"On {counted(of_set['confirm'], 'image')} of other articles: {found}")
    return Document(
        kind="prompt search",
        title=f"Prompt search {data['name']}",
        about=f"{data['note']} Set {of_set['name']}; {str(data['date'])[:10]}.",
        summary=said,
        sections=[
            Section("The search", [_rounds(data)]),
            Section("The confirmation", [_confirmation(data)] if confirmed else []),
            Section("The winner", [_wording(data)]),
            Section("What it cost", [Facts("Of all descriptions", _costs(cost))]),
        ],
        recipe={key: data[key] for key in ("command", "date", "versions", "machine", "set", "primary") if key in data},
    )


def _rounds(data: Mapping[str, Any]) -> Table:
    columns = [Column(f"{one['images']} images") for one in data["rounds"]]
    last = {name: place for place, one in enumerate(data["rounds"]) for name in one["means"]}

    def cells(name: str) -> list[Cell]:
        means = [one["means"].get(name) for one in data["rounds"]]
        return [Blank() if mean is None else float(mean) for mean in means]

    best = data["rounds"][-1]["means"]
    order = sorted(data["candidates"], key=lambda one: (-last.get(one["name"], -1), -best.get(one["name"], 0.0)))
    lines = [Line(f"{one['name']}: {one['origin']}", cells(one["name"])) for one in order]
    return Table("Wordings that were tried", "wording", columns, [Group(lines)], HALVING)


def _confirmation(data: Mapping[str, Any]) -> Table:
    line = Line(data["winner"]["name"], comparison_cells(data["confirmation"]))
    return Table(f"The winner against {data['start']}", "wording", list(COMPARED), [Group([line])], PAIRED)


def _wording(data: Mapping[str, Any]) -> Verbatim:
    messages = next(one["messages"] for one in data["candidates"] if one["name"] == data["winner"]["name"])
    return Verbatim("Its messages", "\n\n".join(f"{one['role']}: {one['text']}" for one in messages))


def _costs(cost: Mapping[str, Any]) -> dict[str, str]:
    return {
        "images described": f"{cost['images']}; {cost['images_if_all_had_been_tried']} if all had been tried on all",
        "tokens read, written": f"{cost['prompt_tokens']}, {cost['new_tokens']}",
        "of these for proposals": f"{cost['proposals']['prompt_tokens']}, {cost['proposals']['new_tokens']}",
        "seconds": f"{cost['seconds']:.0f}",
    }
