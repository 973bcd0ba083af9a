"""Rating tasks: the files that `ratings make` wrote into one folder, rated through the service as `rate` does.

Blind: a rater sees texts as A and B, in an order drawn for them, and answers in those words; which text is whose, which
items are gold and where their images lie stays here. An answer is on the disk when it is acknowledged.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from evaluation.errors import RatingsError
from evaluation.ratings.session import Session
from evaluation.ratings.store import Saved, Store
from evaluation.ratings.types import Answer, Kind, Preferred, Rating, Shown
from imaging import ImageError, thumbnail
from indexer.images import image_ref
from service.errors import CannotKeep, NotThere, Unusable, public

Side = Literal["A", "B", "tie"]
SIDES: tuple[Side, ...] = get_args(Side)
PICTURE_SIDE = 1024
"""Longest side of an item's picture, in pixels."""

COMMENT_CHARS, EDITED_CHARS = 5000, 20_000
"""So long may a rater's comment be, and the text as they would have it."""
_MOST_RATERS = 500
"""So many people rate a task; each takes a row of the file for every item they are given."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RatingTask:
    """A task by its name; `kind` says whether single texts or pairs are rated, `raters` who has begun."""

    name: str
    kind: Kind
    items: int
    raters: int


@dataclass(frozen=True)
class Said:
    """What a rater says, in the words of what was shown: A is the upper text. Else as `evaluation.ratings.Answer`."""

    accuracy: int | None = None
    completeness: int | None = None
    usefulness: int | None = None
    preferred: Side | None = None
    comment: str = ""
    edited: str = ""
    skipped: bool = False

    def answer(self, swapped: bool) -> Answer:
        """In the words of the file, where texts have the order of the item."""
        return Answer(
            self.accuracy, self.completeness, self.usefulness, _turned(self.preferred, swapped), self.comment,
            self.edited, self.skipped,
        )  # fmt: skip

    @classmethod
    def of(cls, answer: Answer, swapped: bool) -> Said:
        """An answer of the file in the words of what was shown."""
        if answer.preferred is None:
            side: Side | None = None
        else:
            side = next(side for side in SIDES if _turned(side, swapped) == answer.preferred)
        return cls(
            answer.accuracy, answer.completeness, answer.usefulness, side, answer.comment, answer.edited,
            answer.skipped,
        )  # fmt: skip


@dataclass(frozen=True)
class RatingItem:
    """What a rater sees at a position, which counts from 0: texts and their evidence, A first, and what was said of it
    earlier. `offers_evidence` is of the task."""

    task: str
    rater: str
    kind: Kind
    position: int
    total: int
    done: int
    question: str
    texts: tuple[str, ...]
    evidence: tuple[tuple[Shown, ...], ...]
    offers_evidence: bool
    said: Said | None


class RatedTasks:
    """The tasks of a folder, `*.sqlite`, each by its file's name. Every call opens the file it needs, so that any
    thread may call, and `rate` and `ratings` may work on it meanwhile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[RatingTask]:
        """The tasks there are, by name; a file that is none is told of in the log."""
        found = []
        for name in self._files():
            try:
                with self._opened(name) as store:
                    found.append(RatingTask(name, store.task.kind, len(store.items), len(store.raters())))
            except NotThere as error:
                _log.error("%s", error)
        return found

    def next(self, task: str, rater: str) -> RatingItem | None:
        """The first item without an answer, or None where all have one. A new rater is given items.

        Raises NotThere, Unusable for what is no name, CannotKeep where the disk does not let the rater join.
        """
        with self._joined(task, rater) as (_, session):
            return None if session.finished else self._item(task, session)

    def item(self, task: str, rater: str, position: int) -> RatingItem:
        """The item at a position of a rater, to look at it again. Raises as `next`."""
        with self._joined(task, rater) as (_, session):
            session.to(position)
            return self._item(task, session)

    def save(self, task: str, rater: str, position: int, said: Said, seconds: float | None = None) -> Saved:
        """Keeps an answer; once this returns, it is on the disk. `seconds` are from showing to answering.

        Raises NotThere, Unusable for an answer that is none, CannotKeep where it was not written.
        """
        with self._joined(task, rater) as (store, session):
            given = session.to(position)
            answer = said.answer(given.swapped)
            return store.save(Rating(session.rater, given.item, given.occasion, given.swapped, answer, seconds, ""))

    def picture(self, task: str, rater: str, position: int) -> bytes:
        """The image of an item as a JPEG, without its name and all else that its file says. Raises as `next`."""
        with self._joined(task, rater) as (_, session):
            session.to(position)
            image = session.page().image
        try:
            return thumbnail(image_ref(image).load().picture, PICTURE_SIDE)
        except (ImageError, OSError) as error:
            _log.error("task %s: an image cannot be shown: %s", task, error)
            raise NotThere("the image of this item cannot be read where the service runs; its log says why") from error

    def _item(self, task: str, session: Session) -> RatingItem:
        page = session.page()
        said = None if page.answer is None else Said.of(page.answer, page.swapped)
        return RatingItem(
            task, session.rater, page.kind, page.position, page.total, page.done, page.question, page.texts,
            page.evidence, page.offers_evidence, said,
        )  # fmt: skip

    def _files(self) -> dict[str, Path]:
        return {file.stem: file for file in sorted(self._folder.glob("*.sqlite"))}

    @contextmanager
    def _joined(self, task: str, rater: str) -> Iterator[tuple[Store, Session]]:
        """A rater at their task."""
        with self._opened(task) as store:
            known = store.raters()
            if len(known) >= _MOST_RATERS and rater.strip() not in known:
                raise Unusable(f"task {task} has {len(known)} raters, as many as may be")
            yield store, Session(store, rater)

    @contextmanager
    def _opened(self, name: str) -> Iterator[Store]:
        """The file of a task; what goes wrong with it, in words for clients."""
        file = self._files().get(name)
        if file is None:
            raise NotThere(f"there is no rating task {name[:80]!r}. See GET /ratings")
        try:
            store = Store.open(file)
        except RatingsError as error:
            _log.error("%s", error)
            raise NotThere(f"rating task {name} cannot be read; the log of the service says why") from error
        with store:
            try:
                yield store
            except RatingsError as error:
                if isinstance(error.__cause__, sqlite3.Error):
                    _log.error("%s", error)
                    raise _not_kept(name, error.__cause__) from error
                raise Unusable(public(error)) from error
            except sqlite3.Error as error:
                _log.error("rating task %s: %s", name, error)
                raise _not_kept(name, error) from error


def _not_kept(name: str, error: BaseException) -> CannotKeep:
    return CannotKeep(f"rating task {name}: nothing was kept of this request: {error}. What was kept before is there")


def _turned(side: Side | None, swapped: bool) -> Preferred | None:
    """What was preferred in the item's own order, of which A is the second text where it is swapped."""
    sides: dict[Side | None, Preferred | None] = {None: None, "tie": "tie", "A": "first", "B": "second"}
    if swapped:
        sides |= {"A": "second", "B": "first"}
    return sides[side]
