"""Ratings as records of Argilla 2: what its `records.to_json` writes and `from_json` reads.

A repeated item is two records, `ITEM` and `ITEM/2`. Argilla knows raters by UUIDs; ours are made of their names, and
the names stand under `ratings`, a key that Argilla passes over. A file of Argilla's own has no such key: there a rater
whom the task knows is told by the UUID, and another is called by it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, Field

from evaluation.errors import RatingsError
from evaluation.ratings.parsed import Parsed, Parser
from evaluation.ratings.store import Ratings
from evaluation.ratings.types import ANSWERS, QUESTIONS, Answer, Item, Kind, Rating

RATERS = uuid.UUID("6c756d65-6e73-6372-6962-657261746572")
"""The name space of raters' UUIDs."""
SECOND = "/2"


class Response(BaseModel):
    """What one user answered to one question."""

    value: int | str
    user_id: str
    status: str = "submitted"


class Ours(BaseModel):
    """What Argilla has no place for."""

    user_id: str
    rater: str
    skipped: bool
    comment: str
    swapped: bool
    seconds: float | None
    at: str


class ArgillaRecord(BaseModel):
    """One record."""

    id: str
    responses: dict[str, list[Response]] = Field(default_factory=dict)
    ratings: list[Ours] = Field(default_factory=list)


def write(ratings: Ratings) -> str:
    """The records, with a response for each answer."""
    kind = ratings.task.kind
    records = [_record(item, occasion, kind, given) for item, occasion, given in ratings.by_occasion]
    return json.dumps(records, ensure_ascii=False, indent=1) + "\n"


def read(text: str, parser: Parser) -> Iterator[Parsed]:
    """The ratings of a file of records."""
    try:
        records = json.loads(text)
    except ValueError as error:
        parser.wrong("as a whole", f"not JSON: {error}")
        return
    if not isinstance(records, list):
        parser.wrong("as a whole", "not a list of records: write it with dataset.records.to_json")
        return
    known = {_user(name): name for name in parser.store.raters()}
    for number, data in enumerate(records, start=1):
        record = parser.model(ArgillaRecord, data, f"record {number}")
        if record is None:
            continue
        unknown = [name for name in record.responses if name not in ANSWERS]
        if unknown:
            parser.wrong(f"record {number}", f"unknown question {unknown[0]!r}; known are {', '.join(ANSWERS)}")
            continue
        ours = {each.user_id: each for each in record.ratings}
        answered = dict.fromkeys(r.user_id for responses in record.responses.values() for r in responses)
        for user in {**dict.fromkeys(ours), **answered}:
            place = f"record {number}, user {user}"
            with parser.at(place):
                yield Parsed(place, _rating(record, user, known.get(user, user), ours.get(user), parser))


def _record(item: Item, occasion: int, kind: Kind, ratings: list[Rating]) -> dict[str, Any]:
    question = {"question": item.question} if item.question else {}
    fields = {"image": item.image, **question, **item.named(kind)}
    responses: dict[str, list[dict[str, Any]]] = {}
    for rating in ratings:
        for name in ANSWERS:
            if (value := getattr(rating.answer, name)) not in (None, "") and not rating.answer.skipped:
                said = {"value": value, "user_id": _user(rating.rater), "status": "submitted"}
                responses.setdefault(name, []).append(said)
    return {
        "id": item.id + (SECOND if occasion == 2 else ""),
        "fields": fields,
        "metadata": {},
        "suggestions": {},
        "responses": responses,
        "vectors": {},
        "ratings": [_ours(rating) for rating in ratings],
    }


def _ours(rating: Rating) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(rating).items() if name in Ours.model_fields}
    said = {"skipped": rating.answer.skipped, "comment": rating.answer.comment if rating.answer.skipped else ""}
    return {"user_id": _user(rating.rater), **kept, **said}


def _rating(record: ArgillaRecord, user: str, name: str, ours: Ours | None, parser: Parser) -> Rating:
    id_, occasion = (record.id.removesuffix(SECOND), 2) if record.id.endswith(SECOND) else (record.id, 1)
    item = parser.store.item(id_, occasion)
    said: dict[str, Any] = {}
    discarded = ours is not None and ours.skipped
    for question, responses in record.responses.items():
        mine = [response for response in responses if response.user_id == user]
        if len(mine) > 1:
            raise RatingsError(f"{question} is answered {len(mine)} times")
        for response in mine:
            said[question] = _value(question, response.value)
            discarded |= response.status == "discarded"
    if discarded:
        said = {"comment": said.get("comment") or (ours.comment if ours else ""), "skipped": True}
    answer = Answer(**said)
    if ours is None:
        return parser.rating(name, item, occasion, answer, None, "", False)
    return parser.rating(ours.rater, item, occasion, answer, ours.seconds, ours.at, ours.swapped)


def _value(name: str, value: int | str) -> int | str:
    if isinstance(value, int) != (name in QUESTIONS):
        raise RatingsError(f"{name} is {value!r}: give {'a number' if name in QUESTIONS else 'a text'}")
    return value


def _user(rater: str) -> str:
    return str(uuid.uuid5(RATERS, rater))
