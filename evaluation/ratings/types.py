"""What is rated, by whom, and what was answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args

from evaluation.errors import RatingsError

Kind = Literal["single", "pairwise"]
Question = Literal["accuracy", "completeness", "usefulness"]
Preferred = Literal["first", "second", "tie"]
QUESTIONS: tuple[Question, ...] = get_args(Question)
PREFERENCES: tuple[Preferred, ...] = get_args(Preferred)
LOWEST, HIGHEST = 1, 5
TEXTS: Mapping[Kind, tuple[str, ...]] = {"single": ("text",), "pairwise": ("first", "second")}
"""What an item's texts are called in files, in its own order."""
OCCASIONS = (1, 2)
"""The first time that a rater sees an item, and the second, where it is repeated to measure the rater."""
MAX_NAME_CHARS = 64


@dataclass(frozen=True)
class Shown:
    """One piece of evidence as a rater may see it."""

    number: int | None
    source: str
    title: str | None
    text: str
    license: str | None
    url: str | None


@dataclass(frozen=True)
class Text:
    """What an arm said of an image. `arm` is None for a gold item, whose texts no arm wrote. No rater sees it."""

    arm: str | None
    text: str
    evidence: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Item:
    """What is judged at once: an image with one text, or with two in an order that was drawn.

    `id` says nothing of the arms. `group` is the article or case, drawn whole in statistics; `stratum` is modality and,
    where the set tells images apart by them, source and organ. `gold` is the answers that are right, by what is asked;
    `repeated` items are shown twice to each rater.
    """

    id: str
    image_id: str
    image: str
    question: str
    group: str
    stratum: str
    texts: tuple[Text, ...]
    gold: Mapping[str, Sequence[int | str]] | None = None
    repeated: bool = False

    @property
    def occasions(self) -> tuple[int, ...]:
        """When each rater sees it."""
        return OCCASIONS if self.repeated else OCCASIONS[:1]

    def named(self, kind: Kind) -> dict[str, str]:
        """Its texts by what files call them."""
        return dict(zip(TEXTS[kind], (text.text for text in self.texts), strict=True))


@dataclass(frozen=True)
class Arm:
    """Whose texts are rated: the name of the run, its key, and what it was made with, as its records name it."""

    name: str
    key: str
    model: str | None = None
    adapter: str | None = None
    prompt: str | None = None
    index: str | None = None


@dataclass(frozen=True)
class Task:
    """How a task was made. `left_out` counts images that could not be rated, by why.

    `per_rater` is how many items each rater is given, gold and repeated ones on top; None for all.
    """

    name: str
    kind: Kind
    seed: int
    arms: tuple[Arm, ...]
    per_rater: int | None
    left_out: Mapping[str, int]
    recipe: Mapping[str, Any]


@dataclass(frozen=True)
class Assignment:
    """The item at a rater's `position` (from 0). `swapped`: the second of its texts is shown as A."""

    position: int
    item: str
    occasion: int
    swapped: bool


@dataclass(frozen=True)
class Answer:
    """What a rater said of an item: scores of 1 to 5 (single), or which text is better (pairwise), or that it skips.

    `first` and `second` are the item's texts in its own order, whichever was shown as A. `edited` is the text as the
    rater would have it.
    """

    accuracy: int | None = None
    completeness: int | None = None
    usefulness: int | None = None
    preferred: Preferred | None = None
    comment: str = ""
    edited: str = ""
    skipped: bool = False

    def score(self, question: Question) -> int | None:
        """The score of a question."""
        return {"accuracy": self.accuracy, "completeness": self.completeness, "usefulness": self.usefulness}[question]

    def scored(self, question: Question, score: int) -> Answer:
        """The answer with that score."""
        values: dict[str, Any] = {question: score}
        return replace(self, **values)

    @property
    def scores(self) -> dict[Question, int]:
        """The scores that were given."""
        return {q: score for q in QUESTIONS if (score := self.score(q)) is not None}


ANSWERS = tuple(field.name for field in fields(Answer) if field.name != "skipped")
"""What can be answered, by its name in files."""


@dataclass(frozen=True)
class Rating:
    """An answer, who gave it when (UTC, ISO 8601), and the seconds from showing to saving, None where unknown."""

    rater: str
    item: str
    occasion: int
    swapped: bool
    answer: Answer
    seconds: float | None
    at: str

    @property
    def key(self) -> tuple[str, str, int]:
        """What there is one rating of."""
        return (self.rater, self.item, self.occasion)


def checked(answer: Answer, kind: Kind) -> Answer:
    """The answer, if it is one to an item of this kind. Raises RatingsError that says what is wrong with it."""
    for question in QUESTIONS:
        score = answer.score(question)
        if score is not None and not LOWEST <= score <= HIGHEST:
            raise RatingsError(f"{question} is {score}: give {LOWEST} to {HIGHEST}")
    if answer.skipped:
        if answer.scores or answer.preferred or answer.edited:
            raise RatingsError("skipped, and yet answered: give one or the other")
        return answer
    if kind == "single":
        if answer.preferred is not None:
            raise RatingsError("preferred is for pairs: this task asks for " + ", ".join(QUESTIONS))
        missing = [question for question in QUESTIONS if answer.score(question) is None]
        if missing:
            raise RatingsError(f"no {', no '.join(missing)}: give {LOWEST} to {HIGHEST} for each, or skip")
        return answer
    if answer.scores or answer.edited:
        raise RatingsError("scores and edited texts are for single texts: this task asks which is preferred")
    if answer.preferred not in PREFERENCES:
        raise RatingsError(f"preferred is {answer.preferred!r}: give one of {', '.join(PREFERENCES)}, or skip")
    return answer


def checked_name(rater: str) -> str:
    """A rater's name without white space around it. Raises RatingsError where it cannot be one."""
    name = rater.strip()
    if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
        raise RatingsError(f"{rater[:MAX_NAME_CHARS]!r} is no rater's name: give 1 to {MAX_NAME_CHARS} characters")
    return name
