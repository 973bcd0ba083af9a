"""People's judgement: rating tasks, blind, an item at a time."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from evaluation.ratings.store import Saved
from evaluation.ratings.types import HIGHEST, LOWEST, MAX_NAME_CHARS, Kind
from service.problems import documented
from service.rated import COMMENT_CHARS, EDITED_CHARS, RatingItem, Said, Side
from service.routes.common import READ_REFUSED, REFUSED, ServiceHere

router = APIRouter(prefix="/ratings", tags=["ratings"])
Score = Annotated[int | None, Field(ge=LOWEST, le=HIGHEST)]
TaskName = Annotated[str, Query(min_length=1, max_length=200, description="A task that `GET /ratings` names.")]
Rater = Annotated[
    str, Query(min_length=1, max_length=MAX_NAME_CHARS, description="What you are called here; the same each time.")
]
Position = Annotated[int, Query(ge=0, lt=2**31, description="Which of the rater's items, counted from 0.")]


_SAY: dict[str, Any] = {"task": "few-shot-or-not", "rater": "anna", "position": 4, "preferred": "A", "seconds": 12.5}


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TaskOut(_Shape):
    """A rating task: single texts are scored, of pairs the better is chosen."""

    name: str
    kind: Kind
    items: int
    raters: int


class TasksOut(_Shape):
    """The tasks there are."""

    tasks: list[TaskOut]


class SaidOut(_Shape):
    """An answer: of a single text three scores of 1 to 5 and perhaps an edited text, of a pair the better one; or that
    it was skipped."""

    accuracy: Score = None
    completeness: Score = None
    usefulness: Score = None
    preferred: Side | None = None
    comment: Annotated[str, Field(max_length=COMMENT_CHARS)] = ""
    edited: Annotated[str, Field(max_length=EDITED_CHARS)] = ""
    skipped: bool = False


class RatingIn(SaidOut):
    """An answer to the item at a rater's position; `seconds` from showing to answering."""

    model_config = ConfigDict(json_schema_extra={"example": _SAY})

    task: Annotated[str, Field(min_length=1, max_length=200)]
    rater: Annotated[str, Field(min_length=1, max_length=MAX_NAME_CHARS)]
    position: Annotated[int, Field(ge=0, lt=2**31)]
    seconds: Annotated[float | None, Field(ge=0, le=86_400)] = None

    def said(self) -> Said:
        """What was said of the item."""
        return Said(**{name: getattr(self, name) for name in SaidOut.model_fields})


class ShownOut(_Shape):
    """A piece of evidence as a rater may see it."""

    number: int | None
    source: str
    title: str | None
    text: str
    license: str | None
    url: str | None


class ItemOut(_Shape):
    """What a rater sees: one text, or two, A first; the evidence of each; what the rater said of it earlier.

    Its picture is at `GET /ratings/picture`.
    """

    task: str
    rater: str
    kind: Kind
    position: int
    total: int
    done: int
    question: str
    texts: list[str]
    evidence: list[list[ShownOut]]
    offers_evidence: bool
    said: SaidOut | None

    @classmethod
    def of(cls, item: RatingItem) -> ItemOut:
        """Of an item."""
        return cls.model_validate(asdict(item))


class NextOut(_Shape):
    """The first item without an answer; none where all have one."""

    item: ItemOut | None


class SavedOut(_Shape):
    """What became of an answer: the same again changes nothing, another one takes the place of the first."""

    saved: Saved


_ITEM: dict[str, Any] = {
    "task": "few-shot-or-not", "rater": "anna", "kind": "pairwise", "position": 4, "total": 120, "done": 4,
    "question": "", "texts": ["Axial CT of the chest.", "A blood smear."], "evidence": [[], []],
    "offers_evidence": False, "said": None,
}  # fmt: skip
_READ = READ_REFUSED | documented(404, 507)


def _example(value: Any) -> dict[int | str, dict[str, Any]]:
    return {200: {"content": {"application/json": {"example": value}}}}


@router.get("", responses=READ_REFUSED)
def tasks(service: ServiceHere) -> TasksOut:
    """The rating tasks there are."""
    return TasksOut(tasks=[TaskOut(**asdict(task)) for task in service.rated.all()])


@router.get("/next", responses=_example({"item": _ITEM}) | _READ)
def next_item(service: ServiceHere, task: TaskName, rater: Rater) -> NextOut:
    """The rater's first item without an answer. A rater who is new is given items in an order of their own."""
    item = service.rated.next(task, rater)
    return NextOut(item=None if item is None else ItemOut.of(item))


@router.get("/item", responses=_example(_ITEM) | _READ)
def item(service: ServiceHere, task: TaskName, rater: Rater, position: Position) -> ItemOut:
    """An item of the rater, to look at it again."""
    return ItemOut.of(service.rated.item(task, rater, position))


@router.get(
    "/picture",
    response_class=Response,
    responses={
        200: {"description": "JPEG.", "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}},
        **_READ,
    },
)
def picture(service: ServiceHere, task: TaskName, rater: Rater, position: Position) -> Response:
    """The picture of an item."""
    return Response(service.rated.picture(task, rater, position), media_type="image/jpeg")


@router.post("", responses=_example({"saved": "new"}) | REFUSED | documented(404, 507))
def save(service: ServiceHere, rating: RatingIn) -> SavedOut:
    """Keep an answer. It is on the disk when this is answered."""
    saved = service.rated.save(rating.task, rating.rater, rating.position, rating.said(), rating.seconds)
    return SavedOut(saved=saved)
