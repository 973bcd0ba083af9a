"""What is asked of every image of an input, and which of its records and fields are meant."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from batch.errors import InputError
from batch.inputs.listing import Listing
from configs import ConfigError
from indexer.config.files import Where
from indexer.sources import options
from indexer.sources.table import text_of
from rag.prompts import Task
from rag.types import Request

OURS = ("id", "image", "article", "question", "labels")
"""What `--field OURS=THEIRS` can name."""

_USUAL = {
    "id": ("id", "image_id"),
    "image": ("image", "images", "file_name"),
    "article": ("article",),
    "question": ("question",),
    "labels": ("labels",),
}
"""The fields that are taken where none is named, the first that is there. `file_name` is the hub's in image folders."""


@dataclass(frozen=True)
class InputOptions:
    """`fields` are NAME=FIELD (of id, image, article, question, labels), `where` FIELD=VALUE, as in `evaluate`.

    `question`, `labels` and `schema` hold for all records. Without them the records' own fields do; a schema they have
    not. Raises InputError where they do not go together.
    """

    fields: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    task: Task = "caption"
    question: str = ""
    labels: tuple[str, ...] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        named = self.named
        if (self.schema is not None) != (self.task == "extract"):
            raise InputError("a schema and the task extract belong together: give both or neither")
        asked = self.task in ("ask", "classify")
        if (self.question.strip() or "question" in named) and not asked:
            raise InputError(f"a question was given, but the task is {self.task}; it goes with ask and classify")
        if (self.labels or "labels" in named) and self.task != "classify":
            raise InputError(f"labels were given, but the task is {self.task}; they go with classify")
        if self.labels and not are_choice(self.labels):
            raise InputError("labels: give two or more answers to choose from, each once, none empty")
        _ = self.allowed

    @classmethod
    def of(
        cls,
        fields: tuple[str, ...],
        where: tuple[str, ...],
        question: str | None,
        labels: tuple[str, ...],
        schema: str | None,
    ) -> Self:
        """With the task that is asked for: a schema's fields, a choice where there are labels, an answer where there is
        a question, given or in a field of the records, else a description."""
        named = {pair.partition("=")[0].strip() for pair in fields}
        task: Task = "caption"
        if schema is not None:
            task = "extract"
        elif labels or "labels" in named:
            task = "classify"
        elif question is not None or "question" in named:
            task = "ask"
        return cls(fields, where, task, question or "", labels, schema)

    @property
    def named(self) -> dict[str, str]:
        """Ours -> theirs, as `fields` name them."""
        try:
            named = options.pairs("--field", self.fields)
        except ConfigError as error:
            raise InputError(str(error)) from error
        check_names(named, OURS)
        return named

    @property
    def allowed(self) -> Where:
        """Field -> the values that a record may have there."""
        try:
            return options.allowed(self.where)
        except ConfigError as error:
            raise InputError(str(error)) from error


@dataclass(frozen=True)
class Fields:
    """Which field of the records holds what; None: none does."""

    image: str
    id: str | None
    article: str | None
    question: str | None
    labels: str | None

    @property
    def wanted(self) -> dict[str, str]:
        """Option -> field of each that is read."""
        return {f"--field {ours}": name for ours in OURS if (name := getattr(self, ours)) is not None}


def fields_of(listing: Listing, asked: InputOptions) -> Fields:
    """The fields that are named, else the usual ones that are there. Raises InputError where a needed one is not."""
    found = chosen_fields(listing, asked.named, _USUAL)
    image = found.pop("image")
    if image is None:
        raise InputError(
            f"{listing.path}: no field {_USUAL['image'][0]!r}. Say which holds the images: --field image=NAME. "
            f"Fields: {', '.join(listing.columns)}"
        )
    needed = {
        "question": asked.task in ("ask", "classify") and not asked.question.strip(),
        "labels": asked.task == "classify" and not asked.labels,
    }
    for ours, read in needed.items():
        if not read:
            found[ours] = None
        elif found[ours] is None:
            raise InputError(
                f"{listing.path}: no {ours} for the task {asked.task}: give --question TEXT or --label for all, or say "
                f"which field of the records holds it: --field {ours}=NAME"
            )
    return Fields(image, **found)


def check_names(named: Mapping[str, str], ours_known: Sequence[str]) -> None:
    """Raises InputError where a name of `--field NAME=FIELD` is none of those known."""
    for ours, theirs in named.items():
        if ours not in ours_known:
            near = difflib.get_close_matches(ours, ours_known, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise InputError(f"--field {ours}={theirs}: {hint}NAME is one of {', '.join(ours_known)}")


def chosen_fields(
    listing: Listing, named: Mapping[str, str], usual: Mapping[str, Sequence[str]]
) -> dict[str, str | None]:
    """Of each of `usual` the field that is named, else the first usual one that is there; None where none is.

    The field of images serves nothing else unless it is named. Raises InputError where a named one is not there.
    """
    columns = listing.columns
    for ours, theirs in named.items():
        if listing.declared and theirs not in columns:
            near = difflib.get_close_matches(theirs, columns, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "."
            raise InputError(f"{listing.path}: --field {ours}: no field {theirs!r}{hint} Fields: {', '.join(columns)}")
    image = named.get("image") or _first(usual["image"], columns) or _only(listing.images)
    others = tuple(name for name in columns if name != image)
    found = {ours: named.get(ours) or _first(names, others) for ours, names in usual.items()}
    return {**found, "image": image}


def request_of(
    asked: InputOptions,
    fields: Fields,
    values: Mapping[str, Any],
    id_: str,
    images: tuple[str, ...],
    article: str | None,
) -> Request:
    """What is asked of a record's images. Raises ValueError where the record does not say it."""
    if asked.task == "caption":
        return Request(id_, images, article=article)
    if asked.task == "extract":
        return Request(id_, images, "extract", article=article, schema=asked.schema)
    question = asked.question.strip() or text_of(values, fields.question)
    if question is None:
        raise ValueError(f"{fields.question} is missing")
    labels = asked.labels or (labels_of(values.get(fields.labels)) if fields.labels is not None else ())
    if asked.task == "classify" and not are_choice(labels):
        raise ValueError(f"{fields.labels} has no two or more answers to choose from, each once")
    return Request(id_, images, asked.task, question, article, tuple(label.strip() for label in labels))


def _first(names: Sequence[str], columns: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in columns), None)


def _only(images: tuple[str, ...]) -> str | None:
    return images[0] if len(images) == 1 else None


def labels_of(value: Any) -> tuple[str, ...]:
    """Labels as a list in the record, or as text with `;` between them."""
    parts = value if isinstance(value, list | tuple) else str(value or "").split(";")
    return tuple(text for part in parts if (text := str(part).strip()))


def are_choice(labels: tuple[str, ...]) -> bool:
    """Whether there are two or more, each once, none empty."""
    texts = [label.strip() for label in labels]
    return len(texts) > 1 and all(texts) and len(set(texts)) == len(texts)
