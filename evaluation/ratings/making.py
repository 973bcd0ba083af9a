"""A rating task from runs: whose texts of which images, in which pairs, with gold and repeated items."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from evaluation.errors import RatingsError
from evaluation.ratings import sampling
from evaluation.ratings.store import Store
from evaluation.ratings.types import Arm, Item, Kind, Shown, Task, Text
from evaluation.runs import Run
from evaluation.sets import Case
from indexer.manifest import hash_json
from rag.recipe import recipe
from rag.recorded import text_of
from rag.secrets import without_secrets

STRATA = ("source", "organ")
"""The `splits` of a set that images are drawn by, beside modality."""
Evidence = Literal["auto", "show", "hide"]
ID_DIGITS = 12
NAMED = 5


@dataclass(frozen=True)
class Sample:
    """How items are drawn: how many, from which seed, what share is repeated, how many a rater is given.

    `evidence` may be looked at with `show`, with `auto` unless some runs have it and others have none: it would then
    tell which is which.
    """

    items: int = 500
    seed: int = 0
    repeated: float = 0.05
    per_rater: int | None = None
    evidence: Evidence = "auto"


def make_task(
    runs: Mapping[str, Run], out: Path, kind: Kind, sample: Sample = Sample(), gold: Sequence[Item] = ()
) -> Task:
    """Writes the file of a task: texts of the runs (by the arm's name) for images that all of them described.

    A single item is a text, and every arm has the same images; a pair is two texts of one image. Images whose text is
    empty in some run (it failed or abstained) are left out, pairs of equal texts too; both are counted. Raises
    RatingsError where runs do not fit together, or nothing is left.
    """
    if kind == "pairwise" and len(runs) < 2:
        raise RatingsError("pairs need two runs: give --run DIR --run DIR2")
    cases, left_out = _common(runs)
    said = [{arm: run.text(case.id) for arm, run in runs.items()} for case in cases]
    rng = random.Random(sample.seed)
    strata = [_stratum(case) for case in cases]
    chosen: list[tuple[int, tuple[str, ...]]]
    if kind == "pairwise":
        usable = [n for n, texts in enumerate(said) if len(set(texts.values())) > 1]
        left_out["the same text in every run"] = len(cases) - len(usable)
        drawn = sampling.stratified(usable, [strata[n] for n in usable], sample.items, rng)
        chosen = [(drawn[n], (a, b)) for n, a, b in sampling.pairs([said[n] for n in drawn], sample.items)]
    else:
        drawn = sampling.stratified(range(len(cases)), strata, max(sample.items // len(runs), 1), rng)
        chosen = [(n, (arm,)) for n in drawn for arm in runs]
    if not chosen:
        counted = "; ".join(f"{why}: {count}" for why, count in left_out.items())
        raise RatingsError(f"nothing to rate in {', '.join(runs)} ({counted})")
    evidence = _shows_evidence(runs, sample.evidence)
    items = [_item(cases[n], strata[n], arms, runs, evidence, rng) for n, arms in chosen]
    repeated = set(rng.sample(range(len(items)), round(sample.repeated * len(items))))
    items = [replace(item, repeated=number in repeated) for number, item in enumerate(items)]
    items = [*items, *gold]
    rng.shuffle(items)
    task = Task(
        out.stem, kind, sample.seed, tuple(_arm(name, run) for name, run in runs.items()), sample.per_rater,
        {why: count for why, count in left_out.items() if count}, recipe(),
    )  # fmt: skip
    Store.create(out, task, [_named(item, number, sample.seed) for number, item in enumerate(items)])
    return task


def _common(runs: Mapping[str, Run]) -> tuple[list[Case], Counter[str]]:
    """The images that every run described, in the first one's order, and how many others there are, by why."""
    first = next(iter(runs.values()))
    others = list(runs.values())
    left_out: Counter[str] = Counter()
    cases, unlike = [], []
    for case in first.cases:
        records = [run.records.get(case.id) for run in others]
        if any(record is None for record in records):
            left_out["not described in every run"] += 1
        elif len({record["image_sha256"] for record in records if record}) > 1:
            unlike.append(case.id)
        elif not all(text_of(record).strip() for record in records if record):
            left_out["no text in some run"] += 1
        else:
            cases.append(case)
    if unlike:
        more = f" and {len(unlike) - NAMED} others" if len(unlike) > NAMED else ""
        raise RatingsError(
            f"{', '.join(unlike[:NAMED])}{more}: one id, but another image file in {', '.join(runs)}. "
            "Give runs of one set of images"
        )
    known = {case.id for case in first.cases}
    left_out["not described in every run"] += len({case.id for run in others for case in run.cases} - known)
    return cases, left_out


def _shows_evidence(runs: Mapping[str, Run], asked: Evidence) -> bool:
    has = {any(record.get("evidence") for record in run.records.values()) for run in runs.values()}
    return asked == "show" or (asked == "auto" and has == {True})


def _stratum(case: Case) -> str:
    """Modality, then source and organ where the set tells images apart by them."""
    return " / ".join([case.modality or "no modality", *(told for name in STRATA if (told := case.splits.get(name)))])


def _item(
    case: Case, stratum: str, arms: Sequence[str], runs: Mapping[str, Run], evidence: bool, rng: random.Random
) -> Item:
    """An item without an id. The order of its texts is drawn, so that it says nothing of the arms."""
    records = {arm: runs[arm].records[case.id] for arm in arms}
    texts = [Text(arm, text_of(r), tuple(_evidence(r)) if evidence else ()) for arm, r in records.items()]
    rng.shuffle(texts)
    question = str(next(iter(records.values())).get("question", ""))
    return Item("", case.id, without_secrets(case.image), question, case.group, stratum, tuple(texts))


def _evidence(record: Mapping[str, Any]) -> Iterator[Shown]:
    for each in record.get("evidence", []):
        url = each.get("url")
        yield Shown(
            each.get("number"), str(each.get("source", "")), each.get("title"), str(each.get("text", "")),
            each.get("license"), url and without_secrets(url),
        )  # fmt: skip


def _named(item: Item, number: int, seed: int) -> Item:
    """The item with its id: a hash of its place, which was drawn, and its texts, so that other tasks have others."""
    content = [seed, number, item.image_id, [text.text for text in item.texts]]
    return replace(item, id=hash_json(content)[:ID_DIGITS])


def _arm(name: str, run: Run) -> Arm:
    record = next(iter(run.records.values()), {})
    made = [record.get(key) for key in ("model", "adapter", "prompt", "index")]
    return Arm(name, run.key, *(None if value is None else without_secrets(str(value)) for value in made))
