"""Questions about images with their answers, as the hub hands them out: VQA-RAD, PathVQA, MEDPIX-ShortQA.

For tuning and evaluation; they are not sources of an index.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from indexer.errors import SourceError
from indexer.images import ImageRef
from indexer.sources.hub_files import HubRow, hub_rows, shards
from indexer.types import SourceFailure

AnswerType = Literal["closed", "open"]


@dataclass(frozen=True)
class Question:
    """A question about an image. `answer_type` is "closed" where the answer is yes or no, as VQA-RAD's and
    PathVQA's measures tell them apart. `article` is the case that questions and images share, where the set says it.
    """

    id: str
    source: str
    split: str
    image: ImageRef
    question: str
    answer: str
    answer_type: AnswerType
    article: str | None = None
    topic: str | None = None


@dataclass(frozen=True)
class Layout:
    """How a set's Parquet files are laid out: what their names begin with by split, and their columns."""

    splits: dict[str, str]
    image: str = "image"
    article: str | None = None
    topic: str | None = None


LAYOUTS = {
    "vqa-rad": Layout({"train": "train", "test": "test"}),
    "path-vqa": Layout({"train": "train", "valid": "validation", "test": "test"}),
    "medpix-shortqa": Layout(
        {"train": "Train", "valid": "Valid", "test": "Test"}, image="image_id", article="case_id", topic="mode"
    ),
}
"""The sets that can be read, by the name `data pull` fetches them under. MEDPIX keeps its images in `image_id`."""


def read_questions(
    name: str, path: str | Path, splits: Sequence[str] | None = None
) -> Iterator[Question | SourceFailure]:
    """The questions of a set in the folder `path`, in its own order, split by split (None: all it has).

    Images are referred to, not read. An id is the set, the split and the row's number in it, counted from 0. Raises
    SourceError where the set or a split is unknown, or its files are not there or not laid out as the hub's are.
    """
    layout = LAYOUTS.get(name)
    if layout is None:
        raise SourceError(f"no set of questions {name!r}. Known: {', '.join(LAYOUTS)}")
    for split in layout.splits if splits is None else splits:
        if split not in layout.splits:
            raise SourceError(f"{name} has no split {split!r}. It has {', '.join(layout.splits)}")
        paths = shards(Path(path), layout.splits[split])
        if not paths:
            raise SourceError(
                f"{path}: no {layout.splits[split]}-*.parquet in it or in its folder data. "
                f"Fetch it: python cli.py data pull {name}"
            )
        columns = ["question", "answer", *(column for column in (layout.article, layout.topic) if column)]
        for number, row in enumerate(hub_rows(paths, layout.image, columns)):
            yield _question(name, split, number, row, layout)


def _question(name: str, split: str, number: int, row: HubRow, layout: Layout) -> Question | SourceFailure:
    identity = f"{name}/{split}/{number}"
    values = {column: str(value).strip() if value is not None else "" for column, value in row.values.items()}
    missing = [column for column in ("question", "answer") if not values[column]]
    if missing:
        return SourceFailure(name, identity, f"its {missing[0]} is missing")
    return Question(
        id=identity,
        source=name,
        split=split,
        image=row.image,
        question=values["question"],
        answer=values["answer"],
        answer_type=answer_type(values["answer"]),
        article=(values[layout.article] or None) if layout.article else None,
        topic=(values[layout.topic] or None) if layout.topic else None,
    )


def answer_type(answer: str) -> AnswerType:
    """Whether an answer is yes or no, whatever its case and full stop."""
    return "closed" if answer.strip().rstrip(".").casefold() in ("yes", "no") else "open"
