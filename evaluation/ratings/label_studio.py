"""Ratings as tasks of Label Studio: its JSON format, and the labelling interface that goes with it.

https://labelstud.io/guide/task_format. A repeated item is two tasks. Raters are `completed_by`: `{"email": NAME}` where
we write it; a user's number where Label Studio does. A skipped task is `was_cancelled`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import quoteattr

from pydantic import BaseModel, Field

from evaluation.errors import RatingsError
from evaluation.ratings.form import MEANING
from evaluation.ratings.parsed import Parsed, Parser
from evaluation.ratings.store import Ratings
from evaluation.ratings.types import ANSWERS, QUESTIONS, TEXTS, Answer, Item, Kind, Rating


class User(BaseModel):
    """Who annotated, where the export has more than a number."""

    id: int | None = None
    email: str | None = None


class Result(BaseModel):
    """One answer of an annotation."""

    from_name: str
    value: dict[str, Any]


class Annotation(BaseModel):
    """What one user said of a task."""

    completed_by: User | int | str
    result: list[Result] = Field(default_factory=list)
    was_cancelled: bool = False
    lead_time: float | None = None
    created_at: str = ""
    swapped: bool = False


class Data(BaseModel):
    """What a task shows."""

    item: str
    occasion: int = 1


class StudioTask(BaseModel):
    """One task of an export."""

    data: Data
    annotations: list[Annotation] = Field(default_factory=list)


def write(ratings: Ratings) -> str:
    """The tasks, with an annotation for each rating."""
    kind = ratings.task.kind
    tasks = [
        {"data": _data(item, occasion, kind), "annotations": [_annotation(rating, kind) for rating in given]}
        for item, occasion, given in ratings.by_occasion
    ]
    return json.dumps(tasks, ensure_ascii=False, indent=1) + "\n"


def read(text: str, parser: Parser) -> Iterator[Parsed]:
    """The ratings of an export in JSON."""
    try:
        tasks = json.loads(text)
    except ValueError as error:
        parser.wrong("as a whole", f"not JSON: {error}")
        return
    if not isinstance(tasks, list):
        parser.wrong("as a whole", "not a list of tasks: export it as JSON from Label Studio")
        return
    for number, data in enumerate(tasks, start=1):
        task = parser.model(StudioTask, data, f"task {number}")
        if task is None:
            continue
        for count, annotation in enumerate(task.annotations, start=1):
            place = f"task {number}, annotation {count}"
            with parser.at(place):
                yield Parsed(place, _rating(task.data, annotation, parser))


def interface(ratings: Ratings) -> str:
    """The labelling interface, for the project's settings."""
    if ratings.task.kind == "pairwise":
        asked = [
            '<Header value="A"/><Text name="first" value="$first"/>',
            '<Header value="B"/><Text name="second" value="$second"/>',
            '<Header value="Which describes the image better?"/>',
            '<Choices name="preferred" toName="first" choice="single" required="true">',
            '  <Choice value="A" alias="first"/><Choice value="B" alias="second"/>',
            '  <Choice value="No difference" alias="tie"/>',
            "</Choices>",
        ]
    else:
        asked = ['<Text name="text" value="$text"/>']
        for name in QUESTIONS:
            asked.append(f"<Header value={quoteattr(f'{name.capitalize()}: {MEANING[name]} 5 is best')}/>")
            asked.append(f'<Rating name="{name}" toName="text" maxRating="5" required="true"/>')
        asked.append('<TextArea name="edited" toName="text" rows="3" placeholder="The text as it should be"/>')
    on = TEXTS[ratings.task.kind][0]
    asked.append(f'<TextArea name="comment" toName="{on}" rows="2" placeholder="Comment"/>')
    question = ['<Header value="$question"/>'] if any(item.question for item in ratings.items) else []
    lines = ['<Image name="image" value="$image"/>', *question, *asked]
    return "\n".join(["<View>", *(f"  {line}" for line in lines), "</View>", ""])


def _data(item: Item, occasion: int, kind: Kind) -> dict[str, Any]:
    shown = {"image": item.image, "question": item.question, **item.named(kind)}
    return {"item": item.id, "occasion": occasion, **shown}


def _annotation(rating: Rating, kind: Kind) -> dict[str, Any]:
    said = rating.answer
    answers: list[tuple[str, str, dict[str, Any]]] = [(q, "rating", {"rating": s}) for q, s in said.scores.items()]
    if said.preferred:
        answers.append(("preferred", "choices", {"choices": [said.preferred]}))
    answers += [(name, "textarea", {"text": [text]}) for name in ("comment", "edited") if (text := getattr(said, name))]
    result = [
        {"id": f"{rating.item}-{name}", "from_name": name, "to_name": TEXTS[kind][0], "type": type_, "value": value}
        for name, type_, value in answers
    ]
    return {
        "completed_by": {"email": rating.rater},
        "result": result,
        "was_cancelled": said.skipped,
        "lead_time": rating.seconds,
        "created_at": rating.at,
        "swapped": rating.swapped,
    }


def _rating(data: Data, annotation: Annotation, parser: Parser) -> Rating:
    item = parser.store.item(data.item, data.occasion)
    said: dict[str, Any] = {}
    for result in annotation.result:
        said[result.from_name] = _value(result)
    unknown = [name for name in said if name not in ANSWERS]
    if unknown:
        raise RatingsError(f"unknown answer {unknown[0]!r}; known are {', '.join(ANSWERS)}")
    if annotation.was_cancelled:  # Label Studio keeps what was filled in before a task was skipped
        said = {"comment": said.get("comment", ""), "skipped": True}
    return parser.rating(
        _rater(annotation.completed_by), item, data.occasion, Answer(**said), annotation.lead_time,
        annotation.created_at, annotation.swapped,
    )  # fmt: skip


def _value(result: Result) -> int | str:
    value: Mapping[str, Any] = result.value
    match value:
        case {"rating": int(score)}:
            return score
        case {"choices": [str(choice)]}:
            return choice
        case {"text": str(text)}:
            return text
        case {"text": [*texts]} if all(isinstance(text, str) for text in texts):
            return "\n".join(texts)
    raise RatingsError(f"{result.from_name}: no rating, single choice or text in {json.dumps(value)[:80]}")


def _rater(user: User | int | str) -> str:
    if isinstance(user, User):
        if user.email is None and user.id is None:
            raise RatingsError("completed_by has neither email nor id")
        return user.email or f"user {user.id}"
    return f"user {user}" if isinstance(user, int) else user
