"""Lessons that fit: of `training.max_tokens` at most, shortened or left out by `training.too_long`, and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from finetune.config import TrainingConfig
from finetune.errors import RecordsError, TooLong
from finetune.lesson import Lesson
from finetune.lessons import Lessons
from finetune.records import TrainingRecord
from finetune.run_folder import read_json, write_json
from imaging import LoadedImage

Length = Callable[[Lesson], int]
"""Tokens of a lesson, images and answer counted."""


@dataclass(frozen=True)
class Measured:
    """A split's lessons in tokens as they are in the first epoch, by position in the split; 0 is one left out.

    `shortened` are the positions that had evidence taken from them, `side` the longest side of an image, in pixels.
    """

    lengths: tuple[int, ...]
    shortened: tuple[int, ...]
    side: int

    @property
    def kept(self) -> list[int]:
        """The positions that are learned from."""
        return [place for place, length in enumerate(self.lengths) if length]

    @property
    def left_out(self) -> int:
        return len(self.lengths) - len(self.kept)

    @property
    def tokens(self) -> int:
        return sum(self.lengths)


class FittingLessons:
    """The lessons of a split that are learned from, none longer than `max_tokens`."""

    def __init__(self, lessons: Lessons, places: Sequence[int], fit: Callable[[Lessons, int], Lesson]) -> None:
        self.lessons = lessons
        self.places = places
        self._fit = fit

    @property
    def records(self) -> list[TrainingRecord]:
        """Those that are learned from, in order."""
        return [self.lessons.records[place] for place in self.places]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, position: int) -> Lesson:
        return self._fit(self.lessons, self.places[position])

    def set_epoch(self, epoch: int) -> None:
        """See `Lessons`."""
        self.lessons.set_epoch(epoch)


@dataclass(frozen=True)
class Fit:
    """The longest lesson with at most `max_tokens`; one in which answers stay whole. `shorten`: what `too_long` says of
    the lessons of the first epoch."""

    length: Length
    max_tokens: int
    shorten: bool

    @classmethod
    def of(cls, config: TrainingConfig, length: Length) -> Fit:
        """As `training` says."""
        return cls(length, config.max_tokens, config.too_long == "shorten")

    def __call__(self, lessons: Lessons, place: int) -> Lesson:
        """A record's lesson, with all its evidence, less, or none. Raises TooLong where nothing fits.

        Less also where `too_long` leaves out: a record that is learned from may draw more evidence in a later epoch.
        """
        return self._tried(lessons, place)[0]

    def measured(self, lessons: Lessons, place: int) -> tuple[Lesson, int, bool]:
        """The same with its tokens, and whether it was shortened. Raises TooLong for what is to be left out."""
        lesson, tokens, fewer = self._tried(lessons, place, None if self.shorten else 1)
        return lesson, tokens, fewer > 0

    def _tried(self, lessons: Lessons, place: int, tries: int | None = None) -> tuple[Lesson, int, int]:
        """The first lesson that fits of so many, its tokens, and the pieces of evidence that it has fewer."""
        for fewer, lesson in enumerate(islice(lessons.ever_shorter(place), tries)):
            tokens = self.length(lesson)
            if tokens <= self.max_tokens:
                return lesson, tokens, fewer
        raise TooLong.of(lesson.id, tokens, self.max_tokens)


def measure(lessons: Lessons, fit: Fit, kept: Path, each: Callable[[], object] = lambda: None) -> Measured:
    """Makes every lesson once, so that an image that cannot be read is told now and not in the middle of a run.

    What was found is kept in a file and read again from it. Raises RecordsError for an image that cannot be read, and
    where no lesson fits.
    """
    asked = {"max_tokens": fit.max_tokens, "shorten": fit.shorten, "records": len(lessons)}
    if kept.is_file():
        known: dict[str, Any] = read_json(kept)
        if known.get("asked") == asked:
            return Measured(tuple(known["lengths"]), tuple(known["shortened"]), known["side"])
    lengths, shortened, side = [], [], 0
    lessons.set_epoch(0)
    for place in range(len(lessons)):
        try:
            lesson, tokens, was_shortened = fit.measured(lessons, place)
        except TooLong:
            tokens = 0
        else:
            side = max(side, _side(lesson))
            if was_shortened:
                shortened.append(place)
        lengths.append(tokens)
        each()
    if not any(lengths):
        raise RecordsError(
            f"none of {len(lengths)} records fits into training.max_tokens={fit.max_tokens}, so nothing would be "
            f"learned. Raise it, or take smaller images"
        )
    found = Measured(tuple(lengths), tuple(shortened), side)
    write_json(kept, {"asked": asked, **asdict(found)})
    return found


def _side(lesson: Lesson) -> int:
    parts = [part for message in lesson.prompt.messages for part in message.parts]
    return max((max(part.picture.size) for part in parts if isinstance(part, LoadedImage)), default=0)
