"""The public sets that `data pull` fetches, as records to learn from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from batch.inputs.sets import rocov2_splits
from finetune.errors import RecordsError
from finetune.prepare.asking import Asked, NoUseError, answered
from finetune.prepare.found import Found, LeftOut, Origin, Why
from finetune.prepare.options import Options
from finetune.prepare.pages import pages_of
from indexer.config.sets import MtsamplesConfig, Rocov2Config
from indexer.datasets.registry import SETS, DataSet
from indexer.errors import SourceError
from indexer.licenses import is_stated
from indexer.sources.hub_files import shards
from indexer.sources.mtsamples import COLUMNS, Transcription, read_transcriptions
from indexer.sources.questions import LAYOUTS, Question, read_questions
from indexer.sources.rocov2 import Rocov2Source
from indexer.sources.rocov2_hub import SPLITS
from indexer.sources.rows import declared_columns
from indexer.sources.table import matches
from indexer.types import SourceFailure
from rag.prompts import Task

FIELDS = ("split", "kind", "article", "license")
"""What records of a public set can be told apart by with `where`."""

_TEXT = {"type": ["string", "null"]}
REPORT_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "medical_specialty": _TEXT,
            "sample_name": _TEXT,
            "description": _TEXT,
            "keywords": {"type": "array", "items": {"type": "string"}},
        },
        "required": ["medical_specialty", "sample_name", "description", "keywords"],
        "additionalProperties": False,
    }
)
"""The JSON Schema of what is said of a report of MTSamples; null is what the set does not say."""


def recognised(path: Path) -> str | None:
    """The public set that a folder or file is, by its files' names and columns, where no other source reads it well."""
    if path.is_dir() and rocov2_splits(path):
        return "rocov2"
    tables = [path] if path.is_file() else sorted([*path.glob("*.csv"), *path.glob("data/*.csv")])
    if len(tables) == 1 and tables[0].suffix.lower() == ".csv":
        try:
            return "mtsamples" if set(COLUMNS) <= set(declared_columns(tables[0])) else None
        except (OSError, ValueError):  # told where it is read
            return None
    return None


def public_origin(name: str, folder: Path, options: Options) -> Origin:
    """The public set of that name in `folder`. Raises RecordsError, SourceError."""
    found = SETS[name]
    if not folder.exists():
        raise RecordsError(f"{folder}: {name} is not there. Fetch it: python cli.py data pull {name}")
    usual, read = _reader(found)
    task = options.task or usual
    if task != usual and not (usual == "ask" and task == "classify"):
        raise RecordsError(f"{name}: its task is {usual}, not {task}")
    if options.fields or options.schema is not None or options.question.strip():
        raise RecordsError(f"{name}: its fields are known; leave out --field, --question and --schema")
    for field in options.allowed:
        if field not in FIELDS:
            raise RecordsError(f"{name}: --where {field}: what can be told apart is {', '.join(FIELDS)}")
    return Origin(name, _wanted(read(found, folder, replace(options, task=task)), options))


def _wanted(items: Iterable[Found | LeftOut], options: Options) -> Iterator[Found | LeftOut]:
    """Of the records those that pass `where`, under the licence that was named where they state none."""
    where = options.allowed
    for item in items:
        if isinstance(item, LeftOut):
            yield item
        elif all(matches(getattr(item, field), allowed) for field, allowed in where.items()):
            yield item if is_stated(item.license) or not options.license else replace(item, license=options.license)


_Read = Callable[[DataSet, Path, Options], Iterator[Found | LeftOut]]


def _reader(found: DataSet) -> tuple[Task, _Read]:
    if found.name in LAYOUTS:
        return "ask", _questions
    return ("extract", _reports) if found.name == "mtsamples" else ("caption", _captions)


def _captions(found: DataSet, folder: Path, _: Options) -> Iterator[Found | LeftOut]:
    """ROCOv2, in either of its releases; the splits that are there."""
    there = rocov2_splits(folder) or tuple(split for split, name in SPLITS.items() if shards(folder, name))
    if not there:
        raise SourceError(f"{folder}: neither release of ROCOv2 is there. Fetch it: python cli.py data pull rocov2")
    for split in there:
        config = Rocov2Config.model_validate({"kind": "rocov2", "path": str(folder), "splits": [split]})
        for item in Rocov2Source(config):
            if isinstance(item, SourceFailure):
                lacks: Why = "image" if "no image" in item.reason else "answer" if "caption" in item.reason else "row"
                yield LeftOut(item.id, lacks, item.reason)
                continue
            said = item.example
            yield Found(
                said.id, "caption", said.caption, (item.image,), article=said.article, kind=said.modality, split=split,
                source=found.name, license=said.license or "", attribution=said.attribution or "",
            )  # fmt: skip


def _questions(found: DataSet, folder: Path, options: Options) -> Iterator[Found | LeftOut]:
    """The questions of VQA-RAD, PathVQA or MEDPIX-ShortQA; the splits that are there."""
    there = [split for split, name in LAYOUTS[found.name].splits.items() if shards(folder, name)]
    for item in read_questions(found.name, folder, there or None):
        if isinstance(item, SourceFailure):
            yield LeftOut(item.id, "answer" if "answer" in item.reason else "question", item.reason)
        else:
            yield _question(found, item, options)


def _question(found: DataSet, item: Question, options: Options) -> Found | LeftOut:
    record = Found(
        item.id, options.task or "ask", "", (item.image,), article=item.article, split=item.split, source=found.name,
        license=found.license, attribution=found.note if "http" in found.note else "",
    )  # fmt: skip
    try:
        return answered(record, Asked(item.question, item.answer, item.answer_type), options)
    except NoUseError as error:
        return LeftOut(item.id, error.why, str(error))


def _reports(found: DataSet, folder: Path, options: Options) -> Iterator[Found | LeftOut]:
    """The reports of MTSamples as pages, with their fields as the answer. Reports of the same words are one article."""
    said = MtsamplesConfig(kind="mtsamples", path=str(folder))
    for item in read_transcriptions(folder, found.name):
        if isinstance(item, SourceFailure):
            yield LeftOut(item.id, "row", item.reason)
            continue
        same = hashlib.sha256(" ".join(re.findall(r"\w+", item.text.casefold())).encode()).hexdigest()[:16]
        record = Found(
            f"{found.name}/{item.id}", "extract", "", pages_of(f"{found.name}/{same}", item.text, options.seed),
            schema=REPORT_SCHEMA, article=f"text {same}", kind=item.specialty, source=found.name,
            license=said.license or "", attribution=said.attribution or "",
        )  # fmt: skip
        yield answered(record, Asked(None, _fields(item), item.specialty), options)


def _fields(item: Transcription) -> dict[str, object]:
    return {
        "medical_specialty": item.specialty,
        "sample_name": item.name,
        "description": item.description,
        "keywords": list(item.keywords),
    }
