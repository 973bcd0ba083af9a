"""Ratings out to files that other programs read and write, and back: CSV, Label Studio's JSON, Argilla's JSON.

What goes out has no arm in it: a file can be given to raters. What comes in is read whole before anything is kept, and
every place that is wrong is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from evaluation.errors import RatingsError
from evaluation.ratings import argilla, label_studio, table
from evaluation.ratings.parsed import Parsed, Parser
from evaluation.ratings.store import Ratings, Store, not_over, read_ratings


@dataclass(frozen=True)
class Format:
    """How ratings are written as text, and read from it. `extra` is a second file: its ending, and what is in it."""

    write: Callable[[Ratings], str]
    read: Callable[[str, Parser], Iterator[Parsed]]
    extra: tuple[str, Callable[[Ratings], str]] | None = None


FORMATS = {
    "csv": Format(table.write, table.read),
    "label-studio": Format(label_studio.write, label_studio.read, (".xml", label_studio.interface)),
    "argilla": Format(argilla.write, argilla.read),
}
NAMED = 20
"""So many wrong places are named; of the others, how many there are."""


@dataclass(frozen=True)
class Imported:
    """What became of the ratings of a file: kept, there already, and put in the place of others."""

    new: int
    same: int
    replaced: int


def export(file: Path, out: Path, format_: str) -> list[Path]:
    """Writes all items and ratings of a task; the files written. An item without ratings is in it, too."""
    ratings, how = read_ratings(file), FORMATS[format_]
    not_over(file, out)
    out.write_text(how.write(ratings), encoding="utf-8", newline="")
    if how.extra is None:
        return [out]
    beside = out.with_suffix(how.extra[0])
    beside.write_text(how.extra[1](ratings), encoding="utf-8")
    return [out, beside]


def import_(file: Path, given: Path, format_: str, replace: bool = False) -> Imported:
    """Keeps the ratings of a file: all of them or, where a line is wrong, none.

    A rating that differs from the one there is wrong, unless `replace`. Raises RatingsError, a line for each place.
    """
    try:
        text = given.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RatingsError(f"{given}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RatingsError(
            f"{given.name} line {line}: not UTF-8 (byte {error.object[error.start]:#04x}). Save it as UTF-8"
        ) from error
    with Store.open(file) as store:
        parser = Parser(store)
        found = list(FORMATS[format_].read(text, parser))
        places: dict[tuple[str, str, int], str] = {}
        for each in found:
            if each.rating.key in places:
                parser.wrong(each.place, f"the rating of {places[each.rating.key]} again: {_named(each)}")
            places.setdefault(each.rating.key, each.place)
        counts = dict.fromkeys(("new", "same", "replaced"), 0)
        with store.writing():
            for each in found:
                before = store.rating(*each.rating.key)
                if before is not None and before.answer != each.rating.answer and not replace:
                    parser.wrong(each.place, f"{_named(each)} has another answer here; --replace takes this one")
                elif not parser.problems:
                    counts[store.save(each.rating)] += 1
            if parser.problems:
                raise RatingsError(_told(given, parser.problems))
    return Imported(**counts)


def _named(parsed: Parsed) -> str:
    rater, item, occasion = parsed.rating.key
    return f"{rater}'s of item {item}" + (" the second time" if occasion == 2 else "")


def _told(given: Path, problems: list[tuple[str, str]]) -> str:
    lines = [f"{given.name} {place}: {what}" for place, what in problems[:NAMED]]
    if len(problems) > NAMED:
        lines.append(f"and {len(problems) - NAMED} more")
    return "\n".join([*lines, "Nothing was imported"])
