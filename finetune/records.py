"""What a model learns from: a folder with a JSONL file a split and the images beside it.

    DIR/train.jsonl, dev.jsonl, test.jsonl    a record a line
    DIR/images/                               the pictures, by the names that records give
    DIR/left_out.jsonl                        what is in no split, and why
    DIR/report.json                           where they come from, counts, lengths, leaks

A record of a caption, a question, a choice among labels and a document:

    {"id": "17", "task": "caption", "images": ["images/17.png"], "answer": "Axial CT of the chest.", "article": "C3"}
    {"id": "q4", "task": "ask", "images": ["images/a.jpg"], "question": "Is it normal?", "answer": "No"}
    {"id": "t9", "task": "classify", "images": [], "question": "Note: ... Is this a referral?", "answer": "yes",
     "labels": ["yes", "no"]}
    {"id": "d1", "task": "extract", "images": ["images/d1.png"], "schema": {...}, "answer": "{\\"specialty\\": ...}"}

`images` are relative to the folder and may be none for texts alone. `article` is what records of one origin share;
`kind` is what their figures are told apart by (open and closed questions); `source`, `license` and `attribution` say
whose they are.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from batch.shards import put
from configs import StrictModel
from finetune.errors import RecordsError
from rag.prompts import Task
from rag.types import Request

IMAGES, LEFT_OUT, REPORT = "images", "left_out.jsonl", "report.json"


class _Line(StrictModel):
    """A line of a split's file."""

    id: str = Field(min_length=1)
    task: Task
    images: tuple[str, ...] = ()
    question: str = ""
    answer: str
    labels: tuple[str, ...] = ()
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")
    article: str | None = None
    kind: str | None = None
    source: str = ""
    license: str = ""
    attribution: str = ""

    @model_validator(mode="after")
    def _whole(self) -> _Line:
        if not self.answer.strip():
            raise ValueError("answer is empty: there is nothing to learn")
        if (self.task == "classify") != bool(self.labels):
            raise ValueError("labels and the task classify belong together")
        if self.labels and self.answer not in self.labels:
            raise ValueError(f"answer {self.answer!r} is none of the labels")
        if (self.task == "extract") != (self.schema_ is not None):
            raise ValueError("a schema and the task extract belong together")
        if self.schema_ is not None and not _is_object(self.answer):
            raise ValueError("answer is no JSON object, which the task extract needs")
        if self.task in ("ask", "classify") and not self.question.strip():
            raise ValueError(f"task {self.task} needs a question")
        return self


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


@dataclass(frozen=True)
class TrainingRecord:
    """One thing to learn: what is asked of which images, and the right answer. `schema` is JSON text."""

    id: str
    task: Task
    images: tuple[str, ...]
    answer: str
    question: str = ""
    labels: tuple[str, ...] = ()
    schema: str | None = None
    article: str | None = None
    kind: str | None = None
    source: str = ""
    license: str = ""
    attribution: str = ""

    @property
    def group(self) -> str:
        """What belongs together in splits and statistics: the article, else the first image, else the record."""
        return self.article or (self.images[0] if self.images else f"record {self.id}")

    def request(self, folder: Path) -> Request:
        """What asks for the answer; images are files of `folder`."""
        images = tuple(str(folder / image) for image in self.images)
        return Request(self.id, images, self.task, self.question, self.article, self.labels, self.schema)

    def to_json(self) -> dict[str, Any]:
        """A line of the split's file, without what is empty."""
        said = {key: value for key, value in asdict(self).items() if value or key in ("images", "answer")}
        if self.schema is not None:
            said["schema"] = json.loads(self.schema)
        return said


def split_file(folder: Path, split: str) -> Path:
    """The file of a split."""
    return folder / f"{split}.jsonl"


def read_split(folder: Path, split: str) -> list[TrainingRecord]:
    """The records of a split, in their order.

    Raises RecordsError where there is none, a line is wrong, an id is there twice, or an image is missing.
    """
    records = list(_records(split_file(folder, split)))
    if not records:
        raise RecordsError(f"{split_file(folder, split)} has no record: there is nothing to learn from in that split")
    seen: set[str] = set()
    for record in records:
        if record.id in seen:
            raise RecordsError(f"{split_file(folder, split)}: id {record.id!r} is there twice")
        seen.add(record.id)
    names = dict.fromkeys(image for record in records for image in record.images)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise RecordsError(
            f"{split_file(folder, split)}: {len(missing)} of {len(names)} images are missing, the first "
            f"{folder / missing[0]}. Prepare the folder again"
        )
    return records


def write_split(folder: Path, split: str, records: Iterable[TrainingRecord]) -> None:
    """Writes the records of a split in one step."""
    lines = (json.dumps(record.to_json(), ensure_ascii=False) for record in records)
    put("".join(f"{line}\n" for line in lines).encode(), split_file(folder, split))


def fingerprint(folder: Path, split: str) -> str:
    """12 hex digits over the lines of a split and the size and bytes of the images they name."""
    digest = hashlib.sha256(split_file(folder, split).read_bytes())
    for name in dict.fromkeys(image for record in _records(split_file(folder, split)) for image in record.images):
        digest.update(name.encode() + hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()[:12]


def _records(file: Path) -> Iterator[TrainingRecord]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordsError(
            f"{file} cannot be read: {error}. Make the folder with: python cli.py finetune prepare"
        ) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _record(line, f"{file}:{number}")


def _record(line: str, where: str) -> TrainingRecord:
    try:
        read = _Line.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise RecordsError(f"{where}: {key}{': ' if key else ''}{first['msg']}") from error
    fields = read.model_dump(exclude={"schema_"})
    return TrainingRecord(**fields, schema=None if read.schema_ is None else json.dumps(read.schema_))
