"""Images to look at: the best, the worst and those that arms disagree on most, with what was said and shown."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.report.document import Cited, Said, Shown
from evaluation.report.words import listed
from evaluation.runs import Run
from evaluation.sets import Case
from evaluation.statistics.intervals import Numbers
from imaging import ImageError, LoadedImage, load, thumbnail

EACH = 4
"""How many of the best, of the worst, of the most disagreed."""

THUMBNAIL = 280
"""Longest side of a picture in pixels."""

MOST_EVIDENCE, EVIDENCE_CHARS, TEXT_CHARS = 3, 220, 900
"""Of an arm's evidence, how many pieces are shown; letters of a piece's and of any other text."""


@dataclass(frozen=True)
class Chosen:
    """An image of a set by its place, and why it is shown."""

    place: int
    why: str


def choose(scores: Mapping[str, Numbers], title: str, lower_is_better: bool = False) -> list[Chosen]:
    """The best and worst by the mean over arms, and where arms are furthest apart; `scores` is arm -> (n,).

    No image twice; images that no arm was scored on are not among them.
    """
    table = np.stack(list(scores.values()))
    known = np.flatnonzero(~np.isnan(table).all(axis=0))
    if not len(known):
        return []
    mean = np.nanmean(table[:, known], axis=0)
    order = [int(place) for place in known[np.argsort(mean if lower_is_better else -mean, kind="stable")]]
    means = dict(zip(known.tolist(), mean.tolist(), strict=True))
    each = min(EACH, max(1, len(order) // 3))
    of = f"mean {title} of {len(scores)} arms" if len(scores) > 1 else title
    best = [Chosen(place, f"Among the best: {of} {means[place]:.3f}") for place in order[:each]]
    worst = [Chosen(place, f"Among the worst: {of} {means[place]:.3f}") for place in order[::-1][:each]]
    taken = {one.place for one in best}
    worst = [one for one in worst if one.place not in taken]
    return [*best, *worst, *_disagreed(table, known, taken | {one.place for one in worst}, title, each)]


def _disagreed(table: Numbers, known: Any, taken: set[int], title: str, each: int) -> list[Chosen]:
    if len(table) < 2:
        return []
    spread = {int(place): float(np.nanmax(table[:, place]) - np.nanmin(table[:, place])) for place in known}
    ranked = sorted((place for place in spread if place not in taken and spread[place] > 0), key=lambda p: -spread[p])
    return [
        Chosen(place, f"Among the most disagreed on: {title} of the arms is {spread[place]:.3f} apart")
        for place in ranked[:each]
    ]


def show(
    case: Case, why: str, runs: Mapping[str, Run], figures: Mapping[str, Mapping[str, float]], data: bool
) -> Shown:
    """An image with what each run said of it; `figures` is run -> title -> value. Without `data`, ids and figures."""
    picture, reason = picture_of(Path(case.image)) if data else (None, "")
    truth = ", ".join(f"{name} {value}" for name, value in case.truth.items() if value is not None)
    asked = f"Asked: {case.question}. " if case.question and data else ""
    return Shown(
        id=case.id,
        why=asked + why,
        picture=picture,
        no_picture=reason,
        reference=cut(case.caption) if data else None,
        truth=truth if data else "",
        said=_alike([_said(name, run, case.id, figures.get(name, {}), data) for name, run in runs.items()]),
    )


def picture_of(image: Path) -> tuple[str | None, str]:
    """A data URI of a small JPEG; or None and why."""
    try:
        return data_uri(load(image)), ""
    except ImageError as error:
        return None, f"The picture cannot be shown: {error}"


def data_uri(image: LoadedImage) -> str:
    """A small JPEG of an image, as an address that holds it."""
    return f"data:image/jpeg;base64,{base64.b64encode(thumbnail(image.picture, THUMBNAIL)).decode()}"


def cut(text: str, most: int = TEXT_CHARS) -> str:
    """The text, cut at a word where it is longer."""
    return text if len(text) <= most else f"{text[:most].rsplit(' ', 1)[0]} …"


def _said(name: str, run: Run, id_: str, figures: Mapping[str, float], data: bool) -> Said:
    record = run.records.get(id_)
    if record is None:
        reason = run.failures.get(id_, "was not described")
        return Said(name, None, figures, (reason,) if data or id_ not in run.failures else ("failed",))
    return said_in(name, record, run.text(id_), record.get("evidence", [])[:MOST_EVIDENCE], figures, data)


def said_in(
    name: str,
    record: Mapping[str, Any],
    text: str,
    pieces: Sequence[Mapping[str, Any]],
    figures: Mapping[str, float],
    data: bool,
) -> Said:
    """What a record says, in the words of `text`, with these of its pieces of evidence. Without `data`, no texts."""
    evidence = [_cited(place, piece, data) for place, piece in enumerate(pieces, 1)]
    warnings = [str(warning) for warning in record.get("warnings", ())] if data else []
    if record.get("abstained"):
        because = record.get("abstained_because") if data else None
        warnings = [f"abstained: {because}" if because else "abstained", *warnings]
    return Said(name, cut(text) if data else None, figures, warnings, evidence, name)


def _cited(place: int, piece: Mapping[str, Any], data: bool) -> Cited:
    score = piece.get("score")
    return Cited(
        number=int(piece.get("number") or place),
        kind=str(piece.get("kind", "evidence")),
        id=str(piece.get("id", "")),
        source=str(piece.get("source", "unknown")),
        license=str(piece.get("license") or "not stated"),
        text=cut(str(piece.get("text", "")), EVIDENCE_CHARS) if data else "",
        score=float(score) if isinstance(score, int | float) else None,
    )


def _alike(said: Sequence[Said]) -> list[Said]:
    """Arms that said the same are one, and evidence that several were shown is printed with the first of them."""
    together: dict[tuple[str | None, tuple[tuple[str, float], ...], tuple[str, ...]], list[Said]] = {}
    for one in said:
        together.setdefault((one.text, tuple(one.figures.items()), tuple(one.warnings)), []).append(one)
    seen: dict[tuple[tuple[int, str], ...], str] = {}
    kept = []
    for several in together.values():
        first = next((one for one in several if one.evidence), several[0])
        key = tuple((piece.number, piece.id) for piece in first.evidence)
        evidence = () if key in seen else first.evidence
        again = [f"shown the same evidence as {seen[key]}"] if key and key in seen else []
        seen.setdefault(key, first.arm)
        arms = listed([one.arm for one in several])
        kept.append(Said(arms, first.text, first.figures, [*first.warnings, *again], evidence, first.arm))
    return kept
