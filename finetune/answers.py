"""How good the answers of a model in training are, on a fixed sample of a split: answered as at run time, judged by
`evaluation`'s own rules.

    rouge1          captions: ROUGE-1 as the ImageCLEFmedical Caption task normalises, mean
    accuracy        questions and choices: share of right answers
    closed, open    the same of questions of one kind
    labels          the same of choices among labels
    field_f1        documents: F1 of the pairs of a field's path and its value, mean
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from evaluation.metrics.answers import CLOSED, OPEN, FieldF1, is_right
from evaluation.metrics.config import MetricsConfig
from evaluation.metrics.measures import Asked
from evaluation.rouge import rouge1, words
from finetune.lesson import Lesson
from finetune.records import TrainingRecord
from vlm.types import Engine, GenerationParams


class Looked(Protocol):
    """Lessons with their records, in the same order."""

    @property
    def records(self) -> Sequence[TrainingRecord]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, position: int, /) -> Lesson: ...


def look(engine: Engine, lessons: Looked, n: int, params: GenerationParams) -> dict[str, float]:
    """The figures above of at most `n` lessons, spread evenly over the split; those that no lesson has are left out.

    Raises RecordsError where an image cannot be read, and what `engine` raises.
    """
    places = sample(len(lessons), n)
    said = answers(engine, [lessons[place] for place in places], params)
    return figures([lessons.records[place] for place in places], said)


def sample(count: int, n: int) -> list[int]:
    """At most `n` of `count` places, evenly spread, the same ones each time."""
    return [place * count // n for place in range(n)] if n < count else list(range(count))


def answers(engine: Engine, lessons: Sequence[Lesson], params: GenerationParams) -> list[str]:
    """What the model says to each lesson; where there are labels, the likeliest, as a pipeline chooses it."""
    said = [""] * len(lessons)
    written = [place for place, lesson in enumerate(lessons) if not lesson.labels]
    for position, generation in engine.generate([lessons[place].prompt for place in written], params):
        said[written[position]] = generation.text
    chosen: dict[tuple[str, ...], list[int]] = {}
    for place, lesson in enumerate(lessons):
        if lesson.labels:
            chosen.setdefault(lesson.labels, []).append(place)
    for labels, places in chosen.items():
        prompts = [lessons[place].prompt for place in places]
        for position, scores in engine.score(prompts, labels, engine.told_apart_at_once(labels)):
            said[places[position]] = labels[scores.probabilities.index(max(scores.probabilities))]
    return said


def figures(records: Sequence[TrainingRecord], said: Sequence[str]) -> dict[str, float]:
    """The figures at the top of this file, of what was said to each record."""
    marks: dict[str, list[float]] = {}
    for record, text in zip(records, said, strict=True):
        for name, mark in _marks(record, text):
            marks.setdefault(name, []).append(mark)
    return {name: sum(several) / len(several) for name, several in marks.items()}


def _marks(record: TrainingRecord, said: str) -> Iterator[tuple[str, float]]:
    match record.task:
        case "caption":
            yield "rouge1", rouge1(words(said), words(record.answer))
        case "extract":
            asked = Asked((record.id,), (record.answer,), (record.group,))
            yield "field_f1", float(FieldF1(asked, MetricsConfig()).score([[said]])[0]["field_f1"][0])
        case _:
            right = float(said == record.answer if record.labels else is_right(said, record.answer))
            yield "accuracy", right
            if record.labels:
                yield "labels", right
            elif (record.kind or "").casefold() in (CLOSED, OPEN):
                yield (record.kind or "").casefold(), right
