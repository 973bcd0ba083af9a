"""Gold items: texts whose right answer is known, to see which raters read what they rate.

A JSON object a line. Single: `{"image": "ct.png", "text": "A blood smear.", "accuracy": 1, "usefulness": [1, 2]}`,
where a list holds all that is right and what is not named is not asked for. Pairs:
`{"image": "ct.png", "first": "Axial CT.", "second": "A blood smear.", "preferred": "first"}`. Images lie beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from configs import ConfigError, StrictModel, parse
from evaluation.errors import RatingsError
from evaluation.ratings.types import PREFERENCES, QUESTIONS, Item, Kind, Text

Score = Annotated[int, Field(ge=1, le=5)]
Right = Score | list[Score] | None


class GoldText(StrictModel):
    """A line of a gold file for single texts."""

    image: str
    text: str = Field(min_length=1)
    question: str = ""
    accuracy: Right = None
    completeness: Right = None
    usefulness: Right = None


class GoldPair(StrictModel):
    """A line of a gold file for pairs."""

    image: str
    first: str = Field(min_length=1)
    second: str = Field(min_length=1)
    question: str = ""
    preferred: Literal[PREFERENCES]  # type: ignore[valid-type]  # the words that answers have


def read_gold(file: Path, kind: Kind) -> list[Item]:
    """The items of a file, without ids. Raises RatingsError that names each line that is wrong."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise RatingsError(f"{file}: cannot be read as UTF-8 text: {error}") from error
    items, wrong = [], []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            items.append(_item(line, number, file, kind))
        except (ValueError, ConfigError, RatingsError) as error:
            wrong.append(f"{file.name} line {number}: {error}")
    if wrong:
        raise RatingsError("\n".join(wrong))
    return items


def _item(line: str, number: int, file: Path, kind: Kind) -> Item:
    data = json.loads(line)
    if not isinstance(data, dict):
        raise RatingsError("not a JSON object")
    if kind == "pairwise":
        pair = parse(GoldPair, data, "gold")
        texts: tuple[Text, ...] = (Text(None, pair.first), Text(None, pair.second))
        gold: dict[str, list[int | str]] = {"preferred": [pair.preferred]}
        image, question = pair.image, pair.question
    else:
        single = parse(GoldText, data, "gold")
        texts = (Text(None, single.text),)
        given = {name: getattr(single, name) for name in QUESTIONS}
        gold = {name: right if isinstance(right, list) else [right] for name, right in given.items() if right}
        if not gold:
            raise RatingsError(f"no right answer: give one of {', '.join(QUESTIONS)}")
        image, question = single.image, single.question
    path = file.parent / image
    if not path.is_file():
        raise RatingsError(f"{path}: no such image")
    return Item("", f"gold {number}", str(path), question, f"gold {number}", "gold", texts, gold)
