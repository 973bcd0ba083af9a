"""What a prompt search found: as JSON, and as people read it in a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evaluation.experiments.results import RESULTS
from evaluation.experiments.scoring import primary_name
from evaluation.experiments.search import Found, Round
from evaluation.experiments.show import interval, number, table
from evaluation.plain import plain
from rag.prompt_versions import difference
from rag.recipe import recipe


def to_json(found: Found) -> dict[str, Any]:
    """Figures and how they were made; of texts only those of the prompts."""
    config, proposed = found.config, found.proposed
    return {
        "kind": "prompt search",
        "name": found.name,
        "note": config.note,
        **recipe(),
        "set": {
            "name": found.images.name,
            "search": len(found.images.cases),
            "confirm": len(found.held_back.cases),
            "articles": [len({case.group for case in part.cases}) for part in (found.images, found.held_back)],
        },
        "primary": {**config.primary.model_dump(), "name": primary_name(config.primary), "alpha": config.alpha},
        "start": found.candidates[0].template.version,
        "winner": {"name": found.winner.name, "hash": found.winner.template.hash, "origin": found.winner.origin},
        "candidates": [
            {
                "name": one.name,
                "hash": one.template.hash,
                "origin": one.origin,
                "messages": one.template.config.model_dump()["messages"],
            }
            for one in found.candidates
        ],
        "rounds": plain(found.rounds),
        "confirmation": plain(found.confirmation),
        "cost": {
            **found.cost.to_json(),
            "images_if_all_had_been_tried": found.exhaustive,
            "proposals": {
                "prompt_tokens": proposed.prompt_tokens,
                "new_tokens": proposed.new_tokens,
                "seconds": round(proposed.seconds, 2),
                "dropped": list(proposed.dropped),
            },
        },
    }


def write(found: Found, folder: Path) -> list[Path]:
    """Writes `results.json`; the files that a reader wants to know of."""
    file = folder / RESULTS
    file.write_text(json.dumps(to_json(found), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return [file] if found.file is None else [file, found.file]


def text(found: Found) -> str:
    """The candidates round by round, the winner and what it changes, its confirmation, the cost."""
    config = found.config
    head = [
        f"{found.name}: {len(found.candidates)} wordings of {found.candidates[0].template.version}, "
        f"{len(found.images.cases)} images of set {found.images.name} to search on, "
        f"{len(found.held_back.cases)} of other articles to confirm on"
    ]
    parts = ["\n".join([config.note, *head] if config.note else head), _rounds(found), _winner(found), _cost(found)]
    return "\n\n".join(parts)


def _rounds(found: Found) -> str:
    head = [primary_name(found.config.primary), *(f"{each.images} images" for each in found.rounds), "what it changes"]
    rows = [[one.name, *(_mean(each, one.name) for each in found.rounds), one.origin] for one in found.candidates]
    return table(head, rows, left=(0, len(head) - 1))


def _winner(found: Found) -> str:
    if found.confirmation is None:
        return f"no wording was better than {found.candidates[0].template.version}: there is nothing to confirm"
    confirmed = found.confirmation
    return "\n".join(
        [
            f"winner: {found.winner.name}",
            difference(found.candidates[0].template, found.winner.template),
            "",
            f"on {confirmed.n} images that it was not chosen by: {interval(confirmed.difference, signed=True)}, "
            f"p {confirmed.p:.2g}, detectable {number(confirmed.smallest_detectable, 3)}: {confirmed.verdict}",
        ]
    )


def _cost(found: Found) -> str:
    cost, proposed = found.cost, found.proposed
    line = (
        f"cost: {cost.images} images described (all wordings on all images to search on: {found.exhaustive}), "
        f"{number(cost.prompt_tokens)} tokens read, {number(cost.new_tokens)} written, {cost.seconds:.0f} s"
    )
    if found.config.proposals is None:
        return line
    asked = (
        f"proposals: {found.config.proposals.count} asked for, {len(proposed.dropped)} dropped, "
        f"{number(proposed.prompt_tokens)} tokens read, {number(proposed.new_tokens)} written, {proposed.seconds:.0f} s"
    )
    return f"{line}\n{asked}"


def _mean(each: Round, name: str) -> str:
    return f"{each.means[name]:.3f}" if name in each.means else "-"
