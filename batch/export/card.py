"""The card of a data set: what made its texts, on whose evidence, how many there are, what they are not for."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

import yaml

from batch.export.rows import Row
from batch.export.types import Tally
from batch.run_folder import BatchRun

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_TASKS = {"caption": "image-to-text", "answer": "visual-question-answering"}
_PARTS = ("model", "adapter", "prompt", "index", "params", "seed")
UNSTATED = "not stated"
_SHOWN_WITH = 5
"""Ways of making beyond these are counted, not listed: a run has one, or one for each of its prompts."""


@dataclass
class Made:
    """What is said of the rows together; grows with the kinds there are, not with the rows."""

    rows: int = 0
    abstained: int = 0
    by: Counter[str] = field(default_factory=Counter)
    cited: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)

    def add(self, row: Row) -> None:
        record = row.record
        self.rows += 1
        self.abstained += row.result.abstained
        self.by[json.dumps({part: _public(part, record.get(part)) for part in _PARTS}, sort_keys=True)] += 1
        numbers = set(row.cited)
        self.shown.update({item["license"] or UNSTATED for item in row.evidence})
        self.cited.update({item["license"] or UNSTATED for item in row.evidence if item["number"] in numbers})


def card(run: BatchRun, made: Made, missing: Tally, text: str) -> str:
    """The README.md of the data set; `missing` are the images that are left out, `text` the column of texts."""
    head = {
        "pretty_name": f"Images described by Lumenscribe, run {run.name}",
        "license": "other",
        "license_name": "see-licences-of-images-and-evidence",
        "task_categories": [_TASKS[text]],
        "size_categories": [next((name for most, name in _SIZES if made.rows < most), "1M<n<10M")],
        "tags": ["medical", "biology", "machine-generated", "research-only"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*"}]}],
    }
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False, allow_unicode=True)}---",
        f"# {head['pretty_name']}",
        "**For research only; not for diagnosis.** A model wrote these texts; nobody has checked them. They may be "
        "wrong in what they name, in its side, its number or its place. Do not train or judge a clinical system on "
        "them as if people had written them.",
        _counts(run, made, missing),
        _made_by(made),
        _columns(text),
        _licences(made),
    ]
    return "\n\n".join(parts) + "\n"


def _counts(run: BatchRun, made: Made, missing: Tally) -> str:
    kinds = Counter(row.kind for row in run.failures)
    failed = ", ".join(f"{count:,} by {kind}" for kind, count in kinds.most_common())
    rows = [
        ("Images of the input", f"{len(run.plan):,}"),
        ("Rows of this data set", f"{made.rows:,}"),
        ("of these, the text was withheld or the model abstained (`abstained`)", f"{made.abstained:,}"),
        ("Not in it: no description could be made", f"{len(run.failures):,}" + (f" ({failed})" if failed else "")),
        *([("Not in it: not described yet", f"{run.left:,}")] if run.left else []),
        *((f"Not in it: the image is {reason}", f"{count:,}") for reason, count in missing.by_reason.items()),
    ]
    return "## Counts\n\n| what | images |\n|---|---|\n" + "\n".join(f"| {what} | {many} |" for what, many in rows)


def _made_by(made: Made) -> str:
    lines = ["## What made it", "", f"| {' | '.join(_PARTS)} | rows |", f"|{'---|' * (len(_PARTS) + 1)}"]
    for recipe, count in made.by.most_common(_SHOWN_WITH):
        parts = json.loads(recipe)
        lines.append(f"| {' | '.join(_cell(parts[part]) for part in _PARTS)} | {count:,} |")
    if len(made.by) > _SHOWN_WITH:
        lines.append(f"\nand {len(made.by) - _SHOWN_WITH:,} more ways, of fewer rows each.")
    return "\n".join(lines)


def _columns(text: str) -> str:
    return (
        "## Columns\n\n"
        f"`image` is the image that was described, `{text}` what was said of it. Where `abstained` is true it is empty "
        "or says that the model cannot tell, and `abstained_because` says why. `cited_ids` are the ids of the evidence "
        "that its sentences cite; `evidence_ids` those of all that stood in the prompt, with `evidence_sources`, "
        "`evidence_licenses`, `evidence_attributions` and `evidence_urls` in the same order. `confidence` (0 to 1) "
        "says how far the text can be relied on, where that was judged. `image_sha256` is of the file that was "
        "described. PNG and JPEG files are in it as they were, with what they hold besides pixels; others as PNG "
        "of the pixels that were described."
    )


def _licences(made: Made) -> str:
    images = (
        "## Licences\n\nThe images are their owners': under which licence this run was not told. Find out, and whether "
        "people can be recognised by them, before you hand them on. "
    )
    if not made.shown:
        return images + "No evidence stood in the prompts."
    rows = [f"| {_cell(name)} | {made.cited[name]:,} | {count:,} |" for name, count in made.shown.most_common()]
    head = ["Texts rest on evidence under these:", "", "| licence | texts that cite it | texts whose prompt held it |"]
    return images + "\n".join([*head, "|---|---|---|", *rows])


def _public(part: str, value: Any) -> Any:
    """PATH@VERSION without the folders that it lies in, which are this machine's; a hub's name keeps its owner."""
    if isinstance(value, str) and (part in ("index", "adapter") or PurePath(value).is_absolute()):
        return PurePath(value).name
    return value


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        value = ", ".join(f"{key} {held}" for key, held in value.items() if held is not None)
    return "none" if value is None else " ".join(str(value).split()).replace("|", "\\|")
