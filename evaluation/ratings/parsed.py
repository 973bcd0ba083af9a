"""What files of ratings have in common when they are read: places, what is wrong at them, answers that are checked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from evaluation.errors import RatingsError
from evaluation.ratings.store import Store
from evaluation.ratings.types import Answer, Item, Rating, checked, checked_name

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Parsed:
    """A rating and where in the file it was: `line 7`."""

    place: str
    rating: Rating


@dataclass
class Parser:
    """Makes ratings for a store's items, and keeps what is wrong as (place, what)."""

    store: Store
    problems: list[tuple[str, str]] = field(default_factory=list)

    def wrong(self, place: str, what: str) -> None:
        """Keeps a problem."""
        self.problems.append((place, what))

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Keeps what goes wrong inside as a problem of the place."""
        try:
            yield
        except RatingsError as error:
            self.wrong(place, str(error))

    def model(self, model: type[Model], data: object, place: str) -> Model | None:
        """`data` as `model`; None where it is not, with a problem for each thing wrong."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            for problem in error.errors():
                where = ".".join(map(str, problem["loc"]))
                self.wrong(place, f"{where}: {problem['msg'].lower()}" if where else problem["msg"])
            return None

    def rating(
        self, rater: str, item: Item, occasion: int, answer: Answer, seconds: float | None, at: str, swapped: bool
    ) -> Rating:
        """A rating that can be kept. Raises RatingsError that says what is wrong with it."""
        if seconds is not None and not 0 <= seconds < float("inf"):
            raise RatingsError(f"seconds is {seconds}: give a number from 0")
        if at:
            _date(at)
        kind = self.store.task.kind
        return Rating(checked_name(rater), item.id, occasion, swapped, checked(answer, kind), seconds, at)


def _date(at: str) -> None:
    try:
        datetime.fromisoformat(at)
    except ValueError as error:
        raise RatingsError(f"at is {at!r}: give a date and time like 2026-03-01T09:30:00+00:00") from error
