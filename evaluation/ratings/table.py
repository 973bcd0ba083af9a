"""Ratings as CSV (RFC 4180, UTF-8): a row for each, and one without a rater for each item that has none yet.

A spreadsheet does as a form: fill in `rater` and the answers.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator

from evaluation.errors import RatingsError
from evaluation.ratings.parsed import Parsed, Parser
from evaluation.ratings.store import Ratings
from evaluation.ratings.types import HIGHEST, LOWEST, QUESTIONS, TEXTS, Answer, Item, Kind, Rating

COLUMNS: dict[Kind, tuple[str, ...]] = {
    "single": (
        "item", "occasion", "image", "question", "text", "rater", *QUESTIONS, "comment", "edited", "skipped", "seconds",
        "at", "swapped",
    ),
    "pairwise": (
        "item", "occasion", "image", "question", "first", "second", "rater", "preferred", "comment", "skipped",
        "seconds", "at", "swapped",
    ),
}  # fmt: skip
NEEDED: dict[Kind, tuple[str, ...]] = {
    "single": ("item", "rater", *QUESTIONS),
    "pairwise": ("item", "rater", "preferred"),
}
YES = "yes"


def write(ratings: Ratings) -> str:
    """The file's text."""
    of_item: dict[str, list[Rating]] = defaultdict(list)
    for rating in ratings.ratings:
        of_item[rating.item].append(rating)
    out = io.StringIO()
    kind = ratings.task.kind
    writer = csv.DictWriter(out, COLUMNS[kind])
    writer.writeheader()
    for item in ratings.items:
        shown = {"image": item.image, "question": item.question, **item.named(kind)}
        about = {"item": item.id, "occasion": 1, **shown}
        for rating in of_item[item.id]:
            writer.writerow({**about, **_row(rating, kind)})
        if not of_item[item.id]:
            writer.writerow(about)
    return out.getvalue()


def read(text: str, parser: Parser) -> Iterator[Parsed]:
    """The ratings of a file's text. Rows without a rater and without answers are passed over."""
    kind = parser.store.task.kind
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    _trim(reader)
    missing = [name for name in NEEDED[kind] if name not in (reader.fieldnames or [])]
    if missing:
        parser.wrong("line 1", f"no column {', '.join(missing)}; a file of this task has {', '.join(COLUMNS[kind])}")
        return
    about = ("item", "occasion", "image", "question", *TEXTS[kind])
    for place, row in _rows(reader, parser):
        if not any(value for name, value in row.items() if name not in about):
            continue
        with parser.at(place):
            yield Parsed(place, _rating(row, kind, parser))


def _trim(reader: csv.DictReader[str]) -> None:
    """Passes over columns without a name at the end: a spreadsheet may end every line with commas."""
    names = list(reader.fieldnames or [])
    while names and not names[-1].strip():
        names.pop()
    reader.fieldnames = names


def _rows(reader: csv.DictReader[str], parser: Parser) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows with the line that each begins on."""
    while True:
        place = f"line {reader.line_num + 1}"
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            parser.wrong(place, f"not CSV from here on: {error}")
            return
        if any(row.pop("", ())):
            parser.wrong(place, f"has more than the {len(reader.fieldnames or [])} columns of the first line")
        else:
            yield place, {name: value or "" for name, value in row.items()}


def _row(rating: Rating, kind: Kind) -> dict[str, object]:
    said = rating.answer
    row: dict[str, object] = {"comment": said.comment, "skipped": YES if said.skipped else ""}
    if kind == "single":
        row |= {"edited": said.edited, **{str(question): score for question, score in said.scores.items()}}
    else:
        row["preferred"] = said.preferred
    row |= {"rater": rating.rater, "occasion": rating.occasion, "seconds": rating.seconds, "at": rating.at}
    return {**row, "swapped": YES if rating.swapped else ""}


def _rating(row: dict[str, str], kind: Kind, parser: Parser) -> Rating:
    if not row["rater"].strip():
        raise RatingsError("has an answer, but no rater")
    occasion = _occasion(row)
    item = parser.store.item(row["item"], occasion)
    _check_shown(row, item, kind)
    scores = {name: _score(row[name], name) for name in QUESTIONS if row.get(name)}
    answer = Answer(
        preferred=row.get("preferred") or None,  # type: ignore[arg-type]  # `checked` says what it may be
        comment=row.get("comment", ""), edited=row.get("edited", ""), skipped=_flag(row, "skipped"), **scores,
    )  # fmt: skip
    seconds = _number(row["seconds"], "seconds") if row.get("seconds") else None
    return parser.rating(row["rater"], item, occasion, answer, seconds, row.get("at", ""), _flag(row, "swapped"))


def _check_shown(row: dict[str, str], item: Item, kind: Kind) -> None:
    """What was shown must be the item's, so that a text that was edited in its place is not lost in silence."""
    for name, text in item.named(kind).items():
        if row.get(name, text) != text:
            raise RatingsError(f"{name} is not that of item {item.id}: leave it, and write a better one into edited")


def _score(value: str, name: str) -> int:
    if value.strip() not in map(str, range(LOWEST, HIGHEST + 1)):
        raise RatingsError(f"{name} is {value!r}: give {LOWEST} to {HIGHEST}")
    return int(value)


def _occasion(row: dict[str, str]) -> int:
    """Which time it is; the first where nothing is said."""
    value = row.get("occasion", "").strip() or "1"
    if not re.fullmatch("[0-9]{1,3}", value):
        raise RatingsError(f"occasion is {value[:20]!r}: give a whole number, 1 or 2")
    return int(value)


def _number(value: str, name: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise RatingsError(f"{name} is {value!r}: give a number") from error


def _flag(row: dict[str, str], name: str) -> bool:
    value = row.get(name, "").strip().lower()
    if value not in ("", YES, "no"):
        raise RatingsError(f"{name} is {value!r}: give {YES}, or nothing")
    return value == YES
