"""The report of ratings: what the arms got, how far raters agree, who rated what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evaluation.charts import Intervals, Mark
from evaluation.ratings.bradley_terry import Difference, Strengths
from evaluation.ratings.schema import APPLICATION_ID
from evaluation.ratings.show import Summary, summary
from evaluation.ratings.store import Ratings, read_ratings
from evaluation.ratings.types import HIGHEST, LOWEST, QUESTIONS, Item, Rating, Text
from evaluation.report import gallery
from evaluation.report.common import WITHHELD
from evaluation.report.document import (
    Blank,
    Block,
    Cell,
    Cited,
    Column,
    Document,
    Gallery,
    Group,
    Line,
    Plot,
    Said,
    Section,
    Shown,
    Table,
)
from evaluation.report.words import counted, ends, estimate, listed, probability, signed

MAGIC, ID_AT = b"SQLite format 3\0", slice(68, 72)
"""How an SQLite file begins, and where in it the application's id stands (https://www.sqlite.org/fileformat2.html)."""

SHOWN, MOST_SAID = 6, 3
"""Items that raters differed most on; arms whose means the summary tells."""

STRENGTHS = (
    "Bradley and Terry's model, ties by Davidson's rule: log-strengths with mean 0 and 95 % intervals in which "
    "articles are clusters. A difference of 0.69 doubles the odds to be preferred."
)
DIFFERENCES = (
    "p is two-sided, and Holm's over all differences; the verdict goes by that. Intervals are each difference's own, "
    "so that one may leave out 0 where nothing is claimed."
)
AGREEMENT = (
    "Krippendorff's alpha: 1 is full agreement, 0 what chance would give; under 0.67 conclusions are weak "
    "(Krippendorff 2004)."
)
QUALITY = (
    "Gold items have a known answer; repeated items were shown twice. “A” is the share of preferences for the text "
    "shown first: far from half is a habit."
)


def is_ratings(file: Path) -> bool:
    """Whether a file is an SQLite database of ours."""
    with file.open("rb") as opened:
        head = opened.read(ID_AT.stop)
    return head.startswith(MAGIC) and int.from_bytes(head[ID_AT]) == APPLICATION_ID


def ratings_file(path: Path) -> Path | None:
    """The file itself, or the only one of a folder."""
    if path.is_file():
        return path if is_ratings(path) else None
    found = [file for file in sorted(path.iterdir()) if file.is_file() and is_ratings(file)]
    return found[0] if len(found) == 1 else None


def ratings_document(file: Path, data: bool = True) -> Document:
    """Of a file of ratings. Raises RatingsError where it is none."""
    found = summary(read_ratings(file))
    task = found.ratings.task
    unmeasured = {f"agreement on {one.question}": one.why for one in found.agreement.values() if one.alpha is None}
    if task.kind == "pairwise" and found.strengths is None:
        unmeasured["strengths"] = found.why
    unmeasured |= {f"images left out: {why}": counted(count, "image") for why, count in task.left_out.items() if count}
    sections = [
        Section("What the arms got", _arms(found)),
        Section("Agreement of the raters", [_agreement(found)]),
        Section("Raters", [_raters(found)]),
        _gallery(found.ratings, data),
    ]
    made = {
        arm.name: {
            "run": arm.key, "model": arm.model, "adapter": arm.adapter, "prompt": arm.prompt, "index": arm.index,
        }
        for arm in task.arms
    }  # fmt: skip
    return Document(
        kind="ratings",
        title=f"Ratings: {task.name}",
        about=f"{_asked(task.kind)}; arms {listed([arm.name for arm in task.arms])}; shown blind, in random order, "
        f"seed {task.seed}.",
        summary=_summary(found),
        sections=[section for section in sections if section is not None],
        recipe={**task.recipe, "arms": made},
        unmeasured=unmeasured,
        withheld="" if data else WITHHELD,
    )


def _asked(kind: str) -> str:
    return (
        "Which of two texts is better" if kind == "pairwise" else f"Each text from 1 to 5 for {listed(list(QUESTIONS))}"
    )


def _summary(found: Summary) -> list[str]:
    ratings = found.ratings
    rated = [rater for rater in found.raters if rater.rated]
    said = [f"{counted(len(rated), 'rater')} gave {counted(len(ratings.judged), 'judgement')} that count."]
    if found.strengths is not None:
        ranked = found.strengths.ranked
        told = [each for each in found.strengths.differences if each.first == ranked[0]]
        said += [_difference(each) for each in told if each.second in (ranked[1], ranked[-1])]
    elif ratings.task.kind == "pairwise":
        said.append(f"No strengths: {found.why}.")
    question = QUESTIONS[0]
    means = {arm: by[question] for arm, by in found.scores.items() if question in by}
    if means:
        highest = sorted(means, key=lambda arm: -means[arm].value)[:MOST_SAID]
        each = ", ".join(f"{arm} {estimate(means[arm], 2)}" for arm in highest)
        said.append(f"The highest mean scores for {question}: {each}.")
    alphas = {one.question: one.alpha for one in found.agreement.values() if one.alpha is not None}
    return [*said, *(f"Agreement on {name}: alpha {estimate(alpha, 2)}." for name, alpha in alphas.items())]


def _difference(one: Difference) -> str:
    p = probability(one.p) if one.p_adjusted is None else f"{probability(one.p_adjusted)} after Holm"
    apart = f"log-strength {signed(one.log_strength.value, 2)}, 95 % interval {ends(one.log_strength, 2)}, {p}"
    if one.sure:
        return f"{one.first} is preferred to {one.second} ({apart})."
    return f"Between {one.first} and {one.second} it is inconclusive ({apart})."


def _arms(found: Summary) -> list[Block]:
    if found.strengths is not None:
        return _strengths(found.strengths)
    if found.ratings.task.kind == "pairwise":
        counts = Counter(str(rating.answer.preferred) for _, rating in found.ratings.judged)
        lines = [Line(name, [count]) for name, count in counts.items()]
        return [Table("Preferences so far", "answer", [Column("times")], [Group(lines)], found.why)]
    blocks: list[Block] = []
    for question in QUESTIONS:
        marks = [Mark(arm, by.get(question)) for arm, by in found.scores.items()]
        if any(mark.estimate for mark in marks):
            blocks.append(
                Plot(f"Mean score for {question}", Intervals(marks, f"{question}, 1 to 5", 2, ends=(LOWEST, HIGHEST)))
            )
    lines = [
        Line(arm, [by.get(question, Blank("not rated yet")) for question in QUESTIONS])
        for arm, by in found.scores.items()
    ]
    note = "Means over items, each the mean of its raters, with 95 % bootstrap intervals, articles drawn whole."
    return [*blocks, Table("Mean scores", "arm", [Column(question, 2) for question in QUESTIONS], [Group(lines)], note)]


def _strengths(found: Strengths) -> list[Block]:
    marks = [Mark(arm, found.arms[arm]) for arm in found.ranked]
    plot = Plot("Strength by arm", Intervals(marks, "log-strength", 2), STRENGTHS)
    lines = []
    for arm in found.ranked:
        count = found.counted[arm]
        cells: list[Cell] = [found.arms[arm], count.won, count.lost, count.tied]
        lines.append(Line(arm, cells))
    caption = f"Strengths from {counted(found.comparisons, 'comparison')} of {counted(found.groups, 'article')}"
    columns = [Column("log-strength", 2), Column("won"), Column("lost"), Column("tied")]
    return [plot, Table(caption, "arm", columns, [Group(lines)]), _differences(found.differences)]


def _differences(found: Sequence[Difference]) -> Table:
    several = len(found) > 1
    columns = [Column("difference", 2), Column("p", p=True), *([Column("p, Holm", p=True)] if several else [])]
    lines = []
    for one in found:
        p = [one.p] if one.p_adjusted is None else [one.p, one.p_adjusted]
        lines.append(Line(f"{one.first} - {one.second}", [one.log_strength, *p, one.verdict]))
    note = DIFFERENCES if several else ""
    columns.append(Column("verdict", text=True))
    return Table("Differences of log-strengths", "first - second", columns, [Group(lines)], note, whole=True)


def _agreement(found: Summary) -> Table:
    lines = []
    for one in found.agreement.values():
        alpha: Cell = Blank(one.why) if one.alpha is None else one.alpha
        lines.append(Line(one.question, [alpha, one.items, one.raters, one.level]))
    columns = [Column("alpha"), Column("items"), Column("raters"), Column("level", text=True)]
    return Table("Agreement on items that two or more judged", "question", columns, [Group(lines)], AGREEMENT)


def _raters(found: Summary) -> Table:
    pairwise = found.ratings.task.kind == "pairwise"
    lines = []
    for one in found.raters:
        cells: list[Cell] = [one.assigned, one.rated, one.skipped]
        cells += [_share(one.gold_right, one.gold_asked), _share(one.repeated_same, one.repeated_asked)]
        cells += [Blank() if one.seconds is None else float(one.seconds)]
        cells += [_share(one.said_first, one.sided) if pairwise else one.edited]
        lines.append(Line(one.rater, cells))
    heads = (
        "given",
        "rated",
        "skipped",
        "gold right",
        "twice the same",
        "seconds, median",
        "A" if pairwise else "edited",
    )
    columns = [Column(head, 1 if head.startswith("seconds") else 2) for head in heads]
    return Table("Who rated what", "rater", columns, [Group(lines)], QUALITY, whole=True)


def _share(part: int, whole: int) -> Cell:
    return part / whole if whole else Blank()


def _gallery(ratings: Ratings, data: bool) -> Section | None:
    """The items whose answers are furthest apart."""
    apart = [(_apart(given), item, given) for item, given in ratings.judged_items if len(given) > 1]
    ranked = sorted((each for each in apart if each[0] > 0), key=lambda each: -each[0])[:SHOWN]
    if not ranked:
        return None
    return Section("Most disagreed on", [Gallery([_shown(item, given, data) for _, item, given in ranked])])


def _apart(several: Sequence[Rating]) -> float:
    """The mean standard deviation of scores; or of preferences the share that the commonest leaves out."""
    if several[0].answer.preferred is not None:
        counts = Counter(rating.answer.preferred for rating in several)
        return 1 - max(counts.values()) / len(several)
    table = np.asarray([list(rating.answer.scores.values()) for rating in several], dtype=np.float64)
    return float(table.std(axis=0).mean())


def _shown(item: Item, given: Sequence[Rating], data: bool) -> Shown:
    picture, reason = gallery.picture_of(Path(item.image)) if data else (None, "")
    if given[0].answer.preferred is not None:
        counts = Counter(str(rating.answer.preferred) for rating in given)
        why = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    else:
        why = "; ".join(
            f"{question} {', '.join(str(rating.answer.score(question)) for rating in given)}" for question in QUESTIONS
        )
    remarks = [f"a rater: {gallery.cut(r.answer.comment, 300)}" for r in given if r.answer.comment] if data else []
    said = [_said(text, data, remarks if text is item.texts[-1] else ()) for text in item.texts]
    asked = f"Asked: {item.question}. " if item.question and data else ""
    return Shown(item.image_id, f"{asked}Answers: {why}", picture, reason, None, "", said)


def _said(text: Text, data: bool, remarks: Sequence[str]) -> Said:
    """What an arm said and, with `data`, the evidence that raters could look at."""
    arm = str(text.arm)
    if not data:
        return Said(arm, None)
    evidence = [
        Cited(
            number=piece.number or place, kind="evidence", id=piece.title or "untitled", source=piece.source,
            license=piece.license or "not stated", text=gallery.cut(piece.text, gallery.EVIDENCE_CHARS),
        )
        for place, piece in enumerate(text.evidence[: gallery.MOST_EVIDENCE], 1)
    ]  # fmt: skip
    return Said(arm, gallery.cut(text.text), {}, remarks, evidence, arm)
