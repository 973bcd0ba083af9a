"""The images that something is measured on: what a person said of each, and what is true of it.

Records are read as an index reads its sources: the same files, the same fields, the same `where`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field

import configs
from evaluation.errors import SetError
from indexer.config.files import FolderConfig, FolderFields
from indexer.sources.folder import FolderSource
from indexer.sources.rows import Row
from indexer.sources.table import Table, text_of
from indexer.types import SourceFailure, SourceImage
from rag.content import Content
from rag.types import Request


class SetConfig(FolderConfig):
    """A file of `configs/sets/`: a folder of images with a record file, as an index config has it.

    `content` names the word lists that captions are read by. `truth` is list -> field of the record: what is true of
    each image. Without it, what the reference caption says in each list is.
    """

    kind: Literal["folder"] = "folder"
    fields: FolderFields = FolderFields(caption="caption")
    truth: dict[str, str] = Field(default_factory=dict)
    content: str = "radiology"


@dataclass(frozen=True)
class Case:
    """One image: its file, its reference caption, the article (or case) it is of, what is true of it.

    `truth` is list -> value, None where the list has no value for it. `group` is what belongs together in statistics.
    """

    id: str
    image: str
    caption: str
    article: str | None
    truth: Mapping[str, str | None]
    modality: str | None

    @property
    def group(self) -> str:
        return self.article or f"image {self.id}"

    def request(self) -> Request:
        """What asks for a description of the image."""
        return Request(self.id, (self.image,), article=self.article)


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


def read_set(
    name: str,
    where: Sequence[str] = (),
    fields: Sequence[str] = (),
    truth: Sequence[str] = (),
    content: str | None = None,
) -> EvaluationSet:
    """The set in a folder with `records.jsonl`, in a record file, in a YAML file, or of `configs/sets/`.

    The rest is laid over it: `where` are FIELD=VALUE (several of a field: any of them), `fields` and `truth` are
    OURS=THEIRS, as `--field article=case --truth modality=kind`. Raises ConfigError, SourceError and SetError.
    """
    data = _config_data(name)
    _lay_over(data, "where", _allowed(where))
    _lay_over(data, "fields", _pairs("--field", fields))
    _lay_over(data, "truth", _pairs("--truth", truth))
    if content is not None:
        data["content"] = content
    return _read(configs.parse(SetConfig, data, f"set {name}"))


def _read(config: SetConfig) -> EvaluationSet:
    lists = Content.load(config.content)
    for name in config.truth:
        lists.of(name)
    source = FolderSource(config)
    len(source)  # says early which field is wrong
    known = _truths(config, lists) if config.truth else None
    cases, failures = [], []
    for item in source:
        match item:
            case SourceImage(example=example, image=image):
                truth = lists.said(example.caption) if known is None else known[example.id]
                modality = example.modality or truth.get("modality")
                cases.append(Case(example.id, str(image), example.caption, example.article, truth, modality))
            case SourceFailure():
                failures.append(f"{item.id}: {item.reason}")
    twice = [id_ for id_, count in Counter(case.id for case in cases).items() if count > 1]
    if twice:
        raise SetError(
            f"set {config.name}: {twice[0]!r} is the id of several records; name another with --field id=NAME"
        )
    if not cases:
        raise SetError(f"set {config.name}: none of its records can be used. The first: {failures[0]}")
    truth_from = ", ".join(f"{ours}: {theirs}" for ours, theirs in config.truth.items())
    found = EvaluationSet(
        config.name, tuple(cases), lists, f"records ({truth_from})" if truth_from else "reference captions",
        tuple(failures),
    )  # fmt: skip
    if not found.lists:
        raise SetError(
            f"set {config.name}: nothing of what content {lists.name} lists ({', '.join(lists.lists)}) is in its "
            f"{found.truth_from}. Take other lists with --content, or say which fields hold it with --truth LIST=FIELD"
        )
    return found


def _truths(config: SetConfig, lists: Content) -> dict[str, dict[str, str | None]]:
    """By id, what the fields of `truth` say."""
    wanted = {f"truth.{ours}": theirs for ours, theirs in config.truth.items()} | {"fields.id": config.fields.id}
    rows = Table(Path(config.path) / config.records, wanted, config.where).checked()
    return {
        text_of(row.values, config.fields.id) or "": {
            ours: lists.value(ours, text_of(row.values, theirs)) for ours, theirs in config.truth.items()
        }
        for row in rows
        if isinstance(row, Row)
    }


def _config_data(name: str) -> dict[str, Any]:
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


def _pairs(option: str, given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in given:
        ours, equals, theirs = text.partition("=")
        if not (ours and equals and theirs):
            raise SetError(f"{option} {text}: write it as NAME=FIELD, for example {option} article=case")
        pairs[ours] = theirs
    return pairs


def _allowed(given: Sequence[str]) -> dict[str, list[Any]]:
    """Field -> values it may have: each as it is written, and as what YAML makes of it (1 is a number)."""
    allowed: dict[str, list[Any]] = {}
    for text in given:
        field, equals, value = text.partition("=")
        if not (field and equals):
            raise SetError(f"--where {text}: write it as FIELD=VALUE, for example --where split=dev")
        read = yaml.safe_load(value)
        options = allowed.setdefault(field, [])
        options += [value] if not isinstance(read, str | int | float) or read == value else [value, read]
    return allowed
