"""What the functions of all sets share: texts without evidence and with it, and figures from them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.pocket_house import House
from benchmarks.pocket_sets import read, sample
from benchmarks.pocket_table import Bar, Row
from evaluation.statistics.intervals import Estimate, estimate
from indexer import Vectors
from rag.types import Request

Said = Mapping[str, Sequence[Any]]
"""What is read from the texts, `without` evidence and `with` it, in the order of the images."""


@dataclass(frozen=True, eq=False)
class Part:
    """A split of a set: its records, their images, the encoder's vectors of these `(n, dim)`."""

    records: Sequence[Mapping[str, Any]]
    images: Sequence[Path]
    vectors: Vectors

    def __getitem__(self, field: str) -> list[Any]:
        """A field of every record."""
        return [record[field] for record in self.records]

    def __len__(self) -> int:
        return len(self.records)

    def where(self, field: str, values: Collection[Any]) -> Part:
        """The records that have one of these values there."""
        return self.at([n for n, value in enumerate(self[field]) if value in values])

    def at(self, rows: Sequence[int]) -> Part:
        """These rows alone."""
        return Part([self.records[n] for n in rows], [self.images[n] for n in rows], self.vectors[list(rows)])


@dataclass(frozen=True)
class Bench:
    """What every set's function needs. `most` images of a set are measured; `splits` are those of `bccd`."""

    house: House
    data: Path
    most: int | None
    splits: tuple[str, ...]

    def some(self, items: Sequence[Any]) -> list[Any]:
        return sample(items, self.most)

    def parts(self, name: str, split: str = "dev") -> tuple[Part, Part]:
        """The train split of a set, and what is measured of another one."""
        file = self.data / name / "records.jsonl"
        return self.part(name, read(file, "train")), self.part(name, self.some(read(file, split)))

    def part(self, name: str, records: Sequence[Mapping[str, Any]]) -> Part:
        images = [self.data / name / record["image"] for record in records]
        return Part(records, images, self.house.vectors(images))

    def captions(self, images: Sequence[Path], index: Path, articles: Sequence[str] | None = None) -> Said:
        """Captions of the images, without the index and with it."""
        return {"without": self.said(images, None), "with": self.said(images, index, articles=articles)}

    def answers(self, images: Sequence[Path], questions: Sequence[str], index: Path) -> Said:
        """Answers to a question an image, without the index and with it."""
        return {"without": self.said(images, None, questions), "with": self.said(images, index, questions)}

    def said(
        self,
        images: Sequence[Path],
        index: Path | None,
        questions: Sequence[str] = (),
        articles: Sequence[str] | None = None,
    ) -> list[str]:
        """Captions, or answers where there are questions."""
        return [d.text for d in self.house.describe(index, requests(images, questions, articles))]

    def index(self, name: str, train: str = "records.jsonl", folder: str = "", **caption: Any) -> Path:
        """The index over the train split of a set."""
        path = str(self.data / (folder or name))
        return self.house.index(
            name, {"kind": "folder", "path": path, "records": train, "where": {"split": "train"}, **caption}
        )


def requests(
    images: Sequence[Path], questions: Sequence[str] = (), articles: Sequence[str] | None = None
) -> list[Request]:
    """A request an image, named by its place."""
    return [
        Request(
            f"request-{n}",
            (str(image),),
            "ask" if questions else "caption",
            questions[n] if questions else "",
            articles[n] if articles else None,
        )
        for n, image in enumerate(images)
    ]


def figure(
    where: str,
    name: str,
    said: Said,
    truth: Sequence[Any],
    groups: Sequence[str],
    score: Callable[[Any, Any], float],
    others: Mapping[str, Sequence[Any]],
    *,
    bar: Bar | None = None,
    bar_with: Bar | None = None,
    classes: Sequence[str] | None = None,
    note: str = "",
) -> Row:
    """A row from what was said and what is true; `others` are the foils. `bar` is of both columns, or of `without`
    where `bar_with` is given."""

    def judged(answers: Sequence[Any]) -> Estimate:
        return estimate([score(a, t) for a, t in zip(answers, truth, strict=True)], groups, classes)

    return Row(
        set=where,
        figure=name,
        n=len(truth),
        without=judged(said["without"]) if "without" in said else None,
        with_=judged(said["with"]) if "with" in said else None,
        bar_without=bar,
        bar_with=bar_with or bar,
        foils={foil: judged(answers) for foil, answers in others.items()},
        note=note,
    )


def same(answer: Any, truth: Any) -> float:
    return float(answer == truth)


def error(answer: float, truth: float) -> float:
    return abs(answer - truth)


def within_quarter(answer: float | None, truth: float) -> float:
    return float(answer is not None and abs(answer - truth) <= 0.25 * truth)


def reading(texts: Said, read_: Callable[[str], Any]) -> dict[str, list[Any]]:
    """What a reader makes of every text."""
    return {column: [read_(text) for text in several] for column, several in texts.items()}


def only(said: Said, rows: Sequence[int]) -> dict[str, list[Any]]:
    """These rows of every column."""
    return {name: [several[n] for n in rows] for name, several in said.items()}
