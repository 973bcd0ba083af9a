"""Records in files of one's own: whatever `batch` reads, with an answer in each, and the sets of `configs/sets/`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import configs
from batch.inputs import Listing, Reading, listing_of
from batch.inputs.cells import cells, image_refs
from batch.inputs.options import chosen_fields, labels_of
from evaluation.sets import SetConfig, set_data
from finetune.errors import RecordsError
from finetune.prepare.asking import Asked, NoUseError, answered
from finetune.prepare.found import Found, LeftOut, Origin
from finetune.prepare.options import OURS, Options
from imaging.names import without_ending
from indexer.sources.rows import BadRow, Row
from indexer.sources.table import Table, text_of
from rag.fields import read_schema
from rag.prompts import Task

_USUAL = {
    "id": ("id", "image_id", "qid"),
    "image": ("image", "images", "file_name"),
    "article": ("article", "case", "case_id"),
    "split": ("split",),
    "question": ("question",),
    "answer": ("answer", "caption", "text"),
    "labels": ("labels",),
    "text": (),
    "kind": ("answer_type", "kind", "modality"),
    "license": ("license", "licence"),
    "attribution": ("attribution",),
}
"""The fields that are taken where none is named, the first that is there."""

_OF_SETS = {"id": "id", "image": "image", "answer": "caption", "article": "article", "license": "license"}
_OF_SETS |= {"attribution": "attribution", "kind": "modality"}
"""Ours -> what a set's `fields` call it."""


def table_origin(given: str, options: Options) -> Origin:
    """What `batch` reads under that name. Raises InputError and RecordsError."""
    listing = listing_of(given)
    name = listing.path.stem if listing.path.is_file() else listing.path.name
    return _origin(listing, name, options, options.named, options.license, "")


def set_origin(name: str, options: Options) -> Origin:
    """A set of `configs/sets/` or a YAML file: all of its records, for its `where` says what is measured on.

    Raises ConfigError, InputError, SetError and RecordsError.
    """
    config = configs.parse(SetConfig, set_data(name), f"set {name}")
    named = {ours: theirs for ours, key in _OF_SETS.items() if (theirs := getattr(config.fields, key)) is not None}
    if config.question is not None:
        named |= {"question": config.question, "kind": config.answer_type or ""}
    if config.extract is not None:
        named["answer"] = config.extract.fields
        options = replace(options, schema=options.schema or read_schema(Path(config.extract.schema_file)))
    listing = listing_of(str(Path(config.path) / config.records))
    license_ = options.license or config.license or ""
    return _origin(listing, config.name, options, {**named, **options.named}, license_, config.attribution or "")


def _origin(
    listing: Listing, name: str, options: Options, named: Mapping[str, str], license_: str, attribution: str
) -> Origin:
    fields = chosen_fields(listing, named, _USUAL)
    task = _task(listing, fields, options, named)
    notes: list[str] = []
    return Origin(name, _Records(listing, options, fields, task, name, license_, attribution, notes), notes)


def _task(listing: Listing, fields: dict[str, str | None], options: Options, named: Mapping[str, str]) -> Task:
    """What is learned; takes the fields that it does not need out of `fields`. Raises RecordsError."""
    task: Task = options.task or (
        "extract" if options.schema is not None
        else "classify" if options.labels or "labels" in named
        else "ask" if fields["question"] or options.question.strip()
        else "caption"
    )  # fmt: skip
    where = listing.path
    if fields["answer"] is None:
        raise RecordsError(
            f"{where}: which field is the answer? Name it: --field answer=NAME. Fields: {', '.join(listing.columns)}"
        )
    if fields["image"] is None and fields["text"] is None:
        raise RecordsError(
            f"{where}: no field image. Say which holds the images: --field image=NAME, or which holds the text that is "
            f"asked about: --field text=NAME. Fields: {', '.join(listing.columns)}"
        )
    if task in ("ask", "classify") and not (fields["question"] or options.question.strip()):
        raise RecordsError(f"{where}: task {task} needs a question: --question TEXT, or --field question=NAME")
    if task == "classify" and not (options.labels or fields["labels"]):
        raise RecordsError(f"{where}: task classify needs the answers to choose from: --label A --label B")
    if task == "extract" and options.schema is None:
        raise RecordsError(f"{where}: task extract needs a JSON Schema: --schema FILE")
    if task not in ("ask", "classify") or options.question.strip():
        fields["question"] = None
    if task != "classify" or options.labels:
        fields["labels"] = None
    if fields["text"] is not None and task not in ("ask", "classify"):
        raise RecordsError(f"{where}: a text is asked about with the task ask or classify, not {task}")
    return task


class _Records:
    """The records of a listing's rows."""

    def __init__(
        self, listing: Listing, options: Options, fields: dict[str, str | None], task: Task, name: str,
        license_: str, attribution: str, notes: list[str],
    ) -> None:  # fmt: skip
        self._listing = listing
        self._options = options
        self._fields = fields
        self._task = task
        self._name = name
        self._license = license_
        self._attribution = attribution
        self._notes = notes
        self._times: dict[str, int] = {}

    def __iter__(self) -> Iterator[Found | LeftOut]:
        listing, where = self._listing, self._options.allowed
        wanted = {f"--field {ours}": name for ours in OURS if (name := self._fields[ours]) is not None}
        table = Table(
            listing.path,
            wanted,
            where,
            rows=lambda needed: listing.rows(Reading(needed, self._notes.append, where)),
            columns=listing.columns if listing.declared else (),
        )
        articles = listing.articles()
        self._times = {}
        for row in table.checked():
            yield LeftOut(row.place, "row", row.reason) if isinstance(row, BadRow) else self._made(row, articles)

    def _made(self, row: Row, articles: Mapping[str, str]) -> Found | LeftOut:
        values, fields = row.values, self._fields
        id_ = text_of(values, fields["id"])
        try:
            id_ = id_ or self._own_id(row)
            article = text_of(values, fields["article"]) or articles.get(id_)
            record = Found(
                id_, self._task, "", self._images(values), article=article, split=text_of(values, fields["split"]),
                source=self._name, license=text_of(values, fields["license"]) or self._license,
                attribution=text_of(values, fields["attribution"]) or self._attribution,
            )  # fmt: skip
            return answered(record, self._said(values), self._options)
        except NoUseError as error:
            return LeftOut(id_ or row.place, error.why, str(error))

    def _own_id(self, row: Row) -> str:
        """An id for a record that names none: of its image, numbered from the second on, or its place."""
        name = self._fields["image"]
        if self._fields["id"] is not None:
            raise NoUseError("id", f"{self._fields['id']} is missing")
        if self._listing.placed or name is None:
            return row.place
        try:
            path = without_ending(str(cells(row.values, name)[0]))
        except ValueError as error:
            raise NoUseError("image", str(error)) from error
        self._times[path] = self._times.get(path, 0) + 1
        return path if self._times[path] == 1 else f"{path}#{self._times[path]}"

    def _images(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        name = self._fields["image"]
        if name is None or (self._fields["text"] is not None and values.get(name) is None):
            return ()
        try:
            return tuple(image_refs(values, name, self._listing.root))
        except ValueError as error:
            raise NoUseError("image", str(error)) from error

    def _said(self, values: Mapping[str, Any]) -> Asked:
        fields = self._fields
        text = text_of(values, fields["text"])
        if fields["text"] is not None and text is None:
            raise NoUseError("question", f"{fields['text']} is missing")
        return Asked(
            text_of(values, fields["question"]),
            values.get(fields["answer"] or ""),
            text_of(values, fields["kind"]),
            labels_of(values.get(fields["labels"])) if fields["labels"] is not None else (),
            text,
        )
