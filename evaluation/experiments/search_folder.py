"""The candidates of a prompt search, made once and kept in its folder: no model is asked for wordings again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evaluation.errors import ExperimentError
from evaluation.experiments.candidates import Candidate, chosen, different
from evaluation.experiments.describe import Tell
from evaluation.experiments.proposals import Proposed, propose
from evaluation.experiments.search_config import SearchConfig
from evaluation.runs import set_hash
from evaluation.sets import EvaluationSet
from indexer.manifest import hash_json
from rag.differing import changes
from rag.errors import TemplateError
from rag.prompt_versions import written
from rag.prompts import PromptTemplate
from rag.recipe import recipe

SEARCH, CANDIDATES = "search.json", "candidates"
NOTHING = Proposed((), (), 0, 0, 0.0)


def candidates(
    config: SearchConfig, name: str, images: EvaluationSet, folder: Path, tell: Tell
) -> tuple[list[Candidate], Proposed]:
    """The candidates, the start first: those of the folder where it has them. Raises ExperimentError where it holds
    another search, where there is none but the start, and what asking a model raises."""
    start = PromptTemplate.load(config.start)
    decided = {
        **config.model_dump(mode="json", exclude={"note"}),
        "start": start.version,
        "set": set_hash(images),
    }
    if (folder / SEARCH).is_file():
        return _kept(folder, decided)
    proposed = NOTHING
    if config.proposals is not None:
        tell(f"asking {config.proposals.model.name} for {config.proposals.count} wordings")
        proposed = propose(start, config.proposals)
        for line in proposed.dropped:
            tell(f"dropped {line}")
    other = chosen(start, config.choices, config.most - 1, config.seed)
    tried = list(different(start, [*other, *proposed.candidates]))
    if len(tried) < 2:
        raise ExperimentError(f"search {name}: no candidate but the start. {'; '.join(proposed.dropped)}")
    _keep(name, decided, tried, proposed, folder)
    return tried, proposed


def template_file(folder: Path, candidate: str) -> Path:
    """Where the template of a candidate is."""
    return folder / CANDIDATES / f"{candidate}.yaml"


def _keep(name: str, decided: dict[str, Any], tried: list[Candidate], proposed: Proposed, folder: Path) -> None:
    (folder / CANDIDATES).mkdir(parents=True, exist_ok=True)
    for candidate in tried:
        template_file(folder, candidate.name).write_text(written(candidate.template.config), encoding="utf-8")
    made = {
        "name": name,
        "hash": hash_json(decided)[:16],
        **recipe(),
        "decided": decided,
        "candidates": [{"name": one.name, "hash": one.template.hash, "origin": one.origin} for one in tried],
        "proposals": {
            "dropped": proposed.dropped,
            "prompt_tokens": proposed.prompt_tokens,
            "new_tokens": proposed.new_tokens,
            "seconds": proposed.seconds,
        },
    }
    # Last: a folder with this file has all its candidates.
    (folder / SEARCH).write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _kept(folder: Path, decided: dict[str, Any]) -> tuple[list[Candidate], Proposed]:
    file = folder / SEARCH
    try:
        made = json.loads(file.read_text(encoding="utf-8"))
        differing = changes(made["decided"], json.loads(json.dumps(decided)))
        found = [
            Candidate(row["name"], PromptTemplate.load(str(template_file(folder, row["name"]))), row["origin"])
            for row in made["candidates"]
        ]
        hashes = [row["hash"] for row in made["candidates"]]
        proposed = Proposed((), **{**made["proposals"], "dropped": tuple(made["proposals"]["dropped"])})
    except (ValueError, TypeError, KeyError, AttributeError, TemplateError) as error:
        raise ExperimentError(f"{file} cannot be read: {error}. Give another folder with --out") from error
    if differing:
        raise ExperimentError(
            f"{folder} holds another search: {'; '.join(map(str, differing[:3]))}. Give another folder with --out"
        )
    edited = [one.name for one, hash_ in zip(found, hashes, strict=True) if one.template.hash != hash_]
    if edited:
        raise ExperimentError(f"{template_file(folder, edited[0])} was edited. Give another folder with --out")
    return found, proposed
