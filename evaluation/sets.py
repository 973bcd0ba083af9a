"""The images that something is measured on: what a person said of each, and what is true of it.

Records are read as an index reads its sources: the same files, the same fields, the same `where`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

import configs
from evaluation.errors import SetError
from indexer.config.files import FolderConfig, FolderFields
from indexer.sources.folder import FolderSource
from indexer.sources.options import allowed, pairs
from indexer.sources.rows import Row
from indexer.sources.table import Table, text_of
from indexer.types import SourceFailure, SourceImage
from rag.content import Content
from rag.prompts import Task
from rag.types import Request


class ExtractConfig(configs.StrictModel):
    """Documents: `schema_file` is the JSON Schema of what is extracted, `fields` the field with the right JSON."""

    schema_file: str
    fields: str


class SetConfig(FolderConfig):
    """A file of `configs/sets/`: a folder of images with a record file, as an index config has it.

    `content` names the word lists that captions are read by. `truth` is list -> field of the record: what is true of
    each image. Without it, what the reference caption says in each list is.

    `splits` is name -> field by whose values figures are told apart. A set of questions names the fields of `question`
    and `answer_type`, and its answers as `fields.caption`; one of documents has `extract`.
    """

    kind: Literal["folder"] = "folder"
    fields: FolderFields = FolderFields(caption="caption")
    truth: dict[str, str] = Field(default_factory=dict)
    content: str = "radiology"
    splits: dict[str, str] = Field(default_factory=dict)
    question: str | None = None
    answer_type: str | None = None
    extract: ExtractConfig | None = None

    @model_validator(mode="after")
    def _one_task(self) -> SetConfig:
        if (self.question is None) != (self.answer_type is None):
            raise ValueError("question and answer_type belong together: name the fields of both")
        if self.question is not None and self.extract is not None:
            raise ValueError("a set has questions or documents to extract from, not both")
        return self

    @property
    def is_captions(self) -> bool:
        """Whether its images are described, neither asked about nor extracted from."""
        return self.question is None and self.extract is None


@dataclass(frozen=True)
class Case:
    """One image: its file, its reference caption, the article (or case) it is of, what is true of it.

    `truth` is list -> value, None where the list has no value for it. `group` is what belongs together in statistics.
    Where it has a `question`, `caption` is the right answer and `answer_type` what kind of one, "closed" or "open"; of
    a document with a JSON Schema `schema`, the right JSON. `concepts` are codes of the caption (UMLS CUIs).
    """

    id: str
    image: str
    caption: str
    article: str | None
    truth: Mapping[str, str | None]
    modality: str | None
    splits: Mapping[str, str | None] = field(default_factory=dict)
    concepts: tuple[str, ...] = ()
    question: str = ""
    answer_type: str | None = None
    schema: str | None = None

    @property
    def group(self) -> str:
        return self.article or f"image {self.id}"

    def request(self) -> Request:
        """What asks for a description of the image, for the answer, or for the document's fields."""
        task: Task = "extract" if self.schema else "ask" if self.question else "caption"
        return Request(
            self.id, (self.image,), task=task, question=self.question, article=self.article, schema=self.schema
        )


@dataclass(frozen=True)
class EvaluationSet:
    """The images of a set in their order; `failures` are records that could not be used, a line each.

    `truth_from` says where what is true comes from.
    """

    name: str
    cases: tuple[Case, ...]
    content: Content
    truth_from: str
    failures: tuple[str, ...] = ()

    @property
    def lists(self) -> tuple[str, ...]:
        """The word lists in which something is true of some image."""
        found = {name for case in self.cases for name, value in case.truth.items() if value is not None}
        return tuple(name for name in self.content.lists if name in found)

    def need_captions(self, command: str) -> None:
        """Raises SetError where images are asked about or extracted from: `command` judges descriptions alone."""
        case = self.cases[0]
        if case.question or case.schema:
            raise SetError(
                f"set {self.name} has {'questions' if case.question else 'documents'}; {command} judges descriptions. "
                "Score it with `evaluate run`"
            )


def read_set(
    name: str,
    where: Sequence[str] = (),
    fields: Sequence[str] = (),
    truth: Sequence[str] = (),
    content: str | None = None,
    splits: Sequence[str] = (),
) -> EvaluationSet:
    """The set in a folder with `records.jsonl`, in a record file, in a YAML file, or of `configs/sets/`.

    The rest is laid over it: `where` are FIELD=VALUE (several of a field: any of them), `fields`, `truth` and `splits`
    are OURS=THEIRS, as `--field article=case --truth modality=kind`. Raises ConfigError, SourceError and SetError.
    """
    data = set_data(name)
    named = pairs("--field", fields)
    data |= {key: named.pop(key) for key in ("question", "answer_type") if key in named}
    _lay_over(data, "where", allowed(where))
    _lay_over(data, "fields", named)
    _lay_over(data, "truth", pairs("--truth", truth))
    _lay_over(data, "splits", pairs("--split", splits))
    if content is not None:
        data["content"] = content
    return _read(configs.parse(SetConfig, data, f"set {name}"))


def _read(config: SetConfig) -> EvaluationSet:
    lists = Content.load(config.content)
    for name in config.truth:
        lists.of(name)
    source = FolderSource(config)
    len(source)  # says early which field is wrong
    known, more = _known(config, lists)
    cases, failures = [], []
    for item in source:
        match item:
            case SourceImage(example=example, image=image):
                truth = known.get(example.id, {}) if known is not None else lists.said(example.caption)
                modality = example.modality or truth.get("modality")
                case = Case(
                    example.id, str(image), example.caption, example.article, truth, modality, concepts=example.concepts
                )
                cases.append(replace(case, **more.get(example.id, {})))
            case SourceFailure():
                failures.append(f"{item.id}: {item.reason}")
    truth_from = ", ".join(f"{ours}: {theirs}" for ours, theirs in config.truth.items())
    found = EvaluationSet(
        config.name, tuple(cases), lists, f"records ({truth_from})" if truth_from else "reference captions",
        tuple(failures),
    )  # fmt: skip
    _check(config, found)
    return found


def _check(config: SetConfig, found: EvaluationSet) -> None:
    """Raises SetError where a set cannot be measured on."""
    twice = [id_ for id_, count in Counter(case.id for case in found.cases).items() if count > 1]
    if twice:
        raise SetError(
            f"set {config.name}: {twice[0]!r} is the id of several records; name another with --field id=NAME"
        )
    if not found.cases:
        raise SetError(f"set {config.name}: none of its records can be used. The first: {found.failures[0]}")
    if config.is_captions and not found.lists:
        raise SetError(
            f"set {config.name}: nothing of what content {found.content.name} lists "
            f"({', '.join(found.content.lists)}) is in its {found.truth_from}. Take other lists with --content, or say "
            "which fields hold it with --truth LIST=FIELD"
        )


def _known(
    config: SetConfig, lists: Content
) -> tuple[dict[str, dict[str, str | None]] | None, dict[str, dict[str, Any]]]:
    """By id, what the fields of `truth` say, None without any; and what else the set's own fields say of a case.

    Captions alone say what is true where no field does: an answer says nothing of an image as a whole.
    """
    wanted = {f"truth.{ours}": theirs for ours, theirs in config.truth.items()}
    wanted |= {f"splits.{ours}": theirs for ours, theirs in config.splits.items()}
    wanted |= {key: name for key in ("question", "answer_type") if (name := getattr(config, key)) is not None}
    wanted |= {"extract.fields": config.extract.fields} if config.extract else {}
    known: dict[str, dict[str, str | None]] = {}
    more: dict[str, dict[str, Any]] = {}
    if wanted:
        schema = _schema(config)
        rows = Table(Path(config.path) / config.records, wanted | {"fields.id": config.fields.id}, config.where)
        for row in rows.checked():
            if isinstance(row, Row):
                id_ = text_of(row.values, config.fields.id) or ""
                known[id_] = {
                    ours: lists.value(ours, text_of(row.values, theirs)) for ours, theirs in config.truth.items()
                }
                more[id_] = _more(config, row, schema)
    return (None if config.is_captions and not config.truth else known), more


def _more(config: SetConfig, row: Row, schema: str | None) -> dict[str, Any]:
    """What a record says beside its caption, as fields of a Case."""
    found: dict[str, Any] = {"splits": {ours: text_of(row.values, theirs) for ours, theirs in config.splits.items()}}
    if config.question is not None:
        kind = text_of(row.values, config.answer_type)
        found |= {
            "question": text_of(row.values, config.question) or "",
            "answer_type": (kind or "").casefold() or None,
        }
    if config.extract is not None:
        right = row.values.get(config.extract.fields)
        found |= {"caption": right if isinstance(right, str) else json.dumps(right, sort_keys=True), "schema": schema}
    return found


def _schema(config: SetConfig) -> str | None:
    """The JSON Schema of documents. Raises SetError where it cannot be read."""
    if config.extract is None:
        return None
    path = Path(config.extract.schema_file)
    try:
        return json.dumps(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise SetError(f"set {config.name}: extract.schema_file {path} is no JSON Schema: {error}") from error


def set_data(name: str) -> dict[str, Any]:
    """What a SetConfig is made of, of a folder, a record file, a YAML file or a name of `configs/sets/`.

    Raises ConfigError and SetError.
    """
    path = Path(name)
    if path.is_dir():
        return {"path": name}
    if path.is_file() and path.suffix not in (".yaml", ".yml"):
        return {"path": str(path.parent), "records": path.name, "source": path.resolve().parent.name}
    if "/" in name and not path.is_file():
        raise SetError(f"{name}: no such folder, record file or YAML file")
    return configs.read_yaml(configs.find("sets", name))


def _lay_over(data: dict[str, Any], key: str, more: Mapping[str, Any]) -> None:
    if more:
        below = data.get(key) or ({"caption": "caption"} if key == "fields" else {})
        data[key] = {**below, **more}
