"""A rater at work: which item is shown, what was answered, where to go on. Every form is drawn from this."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from evaluation.errors import RatingsError
from evaluation.ratings.store import Saved, Store
from evaluation.ratings.types import Answer, Assignment, Kind, Rating, Shown


@dataclass(frozen=True)
class Page:
    """All that a rater may see of an item: no arm, no gold answer, not whether it was shown before.

    `texts` and `evidence` are in the order shown, A first. `position` counts from 0. `answer` is what the rater said
    of it earlier. `swapped` says that A is the item's second text. `offers_evidence` is of the task, not of the item:
    gold items have none. `image` is the path, to open it by: its folder may tell a gold item from the others.
    """

    kind: Kind
    position: int
    total: int
    done: int
    image: str
    question: str
    texts: tuple[str, ...]
    evidence: tuple[tuple[Shown, ...], ...]
    answer: Answer | None
    swapped: bool
    offers_evidence: bool


class Session:
    """One rater's way through a task; it begins at the first item that has no answer yet. `clock` counts seconds."""

    def __init__(self, store: Store, rater: str, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self.rater = store.join(rater)
        self._plan = store.plan(self.rater)
        self._answered = {(r.item, r.occasion) for r in store.ratings(self.rater)}
        self._offers_evidence = any(text.evidence for item in store.items for text in item.texts)
        self._clock = clock
        self._position = 0
        self._since = clock()
        self.go_on()

    @property
    def finished(self) -> bool:
        """Whether the place is behind the last item."""
        return self._position >= len(self._plan)

    def page(self) -> Page:
        """What is to be shown at this place. Not to be asked for once `finished`."""
        given = self._plan[self._position]
        item = self._store.item(given.item)
        texts = item.texts[::-1] if given.swapped else item.texts
        before = self._store.rating(self.rater, given.item, given.occasion)
        return Page(
            self._store.task.kind, self._position, len(self._plan), len(self._answered), item.image, item.question,
            tuple(text.text for text in texts), tuple(text.evidence for text in texts),
            None if before is None else before.answer, given.swapped, self._offers_evidence,
        )  # fmt: skip

    def save(self, answer: Answer) -> Saved:
        """Keeps the answer to what is shown, with the seconds since it was, and goes on to the next."""
        given = self._plan[self._position]
        seconds = round(self._clock() - self._since, 2)
        rating = Rating(self.rater, given.item, given.occasion, given.swapped, answer, seconds, "")
        saved = self._store.save(rating)
        self._answered.add((given.item, given.occasion))
        self._move(self._position + 1)
        return saved

    def back(self) -> bool:
        """To the item before; False where there is none."""
        if self._position == 0:
            return False
        self._move(self._position - 1)
        return True

    def forward(self) -> None:
        """To the next item, where this one has an answer; without one it must be skipped, so that this is known."""
        if not self.finished and self._has_answer(self._plan[self._position]):
            self._move(self._position + 1)

    def to(self, position: int) -> Assignment:
        """To the item at a place, counted from 0: a form that keeps no state says where it is. Raises RatingsError
        where there is none."""
        if not 0 <= position < len(self._plan):
            raise RatingsError(f"there is no item {position}: {self.rater} has {len(self._plan)}, counted from 0")
        self._move(position)
        return self._plan[position]

    def go_on(self) -> None:
        """To the first item without an answer."""
        self._move(next((a.position for a in self._plan if not self._has_answer(a)), len(self._plan)))

    def _has_answer(self, given: Assignment) -> bool:
        return (given.item, given.occasion) in self._answered

    def _move(self, position: int) -> None:
        self._position = position
        self._since = self._clock()
