"""What a client may ask, checked where it comes in -> a request of `rag`, its images as bytes, its settings.

A client chooses from names that the configuration offers: no path and no address comes from outside.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Annotated, Any
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

import configs
import imaging
from imaging.limits import lowered
from rag.config import Settings, resolve
from rag.errors import RequestError
from rag.fields import checked_schema
from rag.prompts import Exchange, Length, Task
from rag.types import Request
from service.config import Limits, ServiceConfig
from service.errors import Unusable

MOST_EXCHANGES = 20
_NAME_CHARS = 120
_ANSWER_CHARS = 8000
_MOST_PARTS = 500
"""Objects and lists of a schema."""
_PLACE = re.compile(r"[\\/]")

Question = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
Label = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
SchemaText = Annotated[str, Field(min_length=2, max_length=20_000)]


class Choice(BaseModel):
    """What a client chooses of how it is done; None is as the service is configured."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str | None, Field(description="A model that `GET /choices` names.")] = None
    prompt: Annotated[str | None, Field(description="A prompt template that `GET /choices` names.")] = None
    index: Annotated[str | None, Field(description="An index that `GET /choices` names.")] = None
    k: Annotated[int | None, Field(ge=1, le=50, description="How many examples, and how many passages.")] = None
    retrieval: Annotated[bool | None, Field(description="false: from the image alone, without evidence.")] = None
    length: Annotated[Length | None, Field(description="How long the text is to be.")] = None
    language: Annotated[
        str | None, Field(pattern=r"^[A-Za-z][A-Za-z -]{0,39}$", description="The language of the text.")
    ] = None
    seed: Annotated[int | None, Field(ge=0, lt=2**32, description="Where the model samples.")] = None

    def alone(self) -> Choice:
        """What is chosen, without what a form asks besides."""
        return Choice(**{name: getattr(self, name) for name in Choice.model_fields})


@dataclass(frozen=True)
class Upload:
    """A file as it was sent; `name` is only said, never opened. `frame` is one of several, counted from 1."""

    name: str
    data: bytes
    frame: int | None = None

    def decoded(self, limits: Limits) -> imaging.LoadedImage:
        """Its picture. Raises ImageError, by its header where it has too many pixels."""
        name = self.name if self.frame is None else f"{self.name}#frame={self.frame}"
        with lowered(limits.pixels, limits.volume_mib << 20):
            return imaging.decode(self.data, name, self.frame)


@dataclass(frozen=True)
class Asked:
    """One request: `request` with the names of its images, which are in `uploads`; and how it is to be done."""

    request: Request
    uploads: tuple[Upload, ...]
    settings: Settings

    @property
    def id(self) -> str:
        return self.request.id

    @property
    def task(self) -> Task:
        return self.request.task

    @cached_property
    def like(self) -> tuple[str, Task, str | None, tuple[str, ...]]:
        """The same for requests that may be described together: what the model cannot be held to, a schema or labels,
        fails all of them."""
        return self.settings.model_dump_json(), self.task, self.request.schema, self.request.labels

    @property
    def nbytes(self) -> int:
        return sum(len(upload.data) for upload in self.uploads)

    def decoded(self, limits: Limits) -> Request:
        """The request with its pictures. Raises ImageError."""
        return replace(self.request, images=tuple(upload.decoded(limits) for upload in self.uploads))


class Offer:
    """Turns what clients choose into settings, and what they ask into requests."""

    def __init__(self, config: ServiceConfig) -> None:
        self.config = config
        self._own = config.resolved()
        self.models = tuple(config.offered.models)
        self.prompts = tuple(config.offered.prompts or configs.names("prompts"))
        self.indexes = dict(config.offered.indexes)
        self.settings = lru_cache(maxsize=256)(self._settings)

    def index(self, name: str | None) -> str:
        """The folder of an index, None: as the service is configured. Raises Unusable."""
        if name is None:
            return self._own.retrieval.index
        return self.indexes[_known("index", name, tuple(self.indexes))]

    def _settings(self, choice: Choice) -> Settings:
        """The settings of a request. Raises Unusable for what is not offered."""
        for what, name, known in (("model", choice.model, self.models), ("prompt", choice.prompt, self.prompts)):
            if name is not None:
                _known(what, name, known)
        given = self.config.settings
        if choice.model not in (None, self._own.model.name):
            given = {**given, "model": {}}  # an adapter, or a folder, is of the model it was given for
        overrides: dict[str, Any] = {
            "model__name": choice.model,
            "retrieval__index": None if choice.index is None else self.index(choice.index),
            "retrieval__k": choice.k,
            "retrieval__enabled": choice.retrieval,
            "prompt__template": choice.prompt,
            "prompt__length": choice.length,
            "prompt__language": choice.language,
            "generation__seed": choice.seed,
        }
        return resolve(given, described="settings", **overrides)

    def caption(self, upload: Upload, choice: Choice, article: str | None = None) -> Asked:
        """A description of one image."""
        return self._asked("caption", [upload], choice, article=article)

    def ask(
        self,
        uploads: Sequence[Upload],
        question: str,
        choice: Choice,
        labels: Sequence[str] = (),
        article: str | None = None,
        history: Sequence[Exchange] = (),
    ) -> Asked:
        """An answer about all images together, going on from what was said of them before; with labels, the likeliest
        of them. Raises Unusable."""
        choices = tuple(label.strip() for label in labels)
        if choices and history:
            raise Unusable("history: a choice between labels goes on from nothing; give labels or history")
        if choices and (len(choices) < 2 or "" in choices or len(set(choices)) < len(choices)):
            raise Unusable("labels: give two or more answers to choose from, each once, none empty")
        task: Task = "classify" if choices else "ask"
        return self._asked(
            task, uploads, choice, question=question.strip(), labels=choices, article=article, history=tuple(history)
        )

    def extract(self, upload: Upload, schema: str, choice: Choice) -> Asked:
        """The fields of a document image. Raises Unusable for what is no JSON Schema, or one of too many parts.

        Not for the event loop: to check a schema takes milliseconds for each of its parts.
        """
        parts = schema.count("{") + schema.count("[")
        if parts > _MOST_PARTS:
            raise Unusable(f"schema: {parts} objects and lists in it; the limit is {_MOST_PARTS}")
        try:
            text = checked_schema(schema, "schema")
        except RequestError as error:
            raise Unusable(str(error)) from error
        return self._asked("extract", [upload], choice, schema=text)

    def each(
        self,
        choice: Choice,
        question: str | None = None,
        labels: Sequence[str] = (),
        schema: str | None = None,
        article: str | None = None,
    ) -> Asked:
        """What is asked of each image of a job, without an image: a question with or without labels, fields, or else a
        description. Raises Unusable."""
        if schema is not None and (question is not None or labels):
            raise Unusable("schema: fields are copied, or a question is answered; give one or the other")
        if labels and question is None:
            raise Unusable("labels: they are answers to a question; give one")
        nothing = Upload("", b"")
        if schema is not None:
            return self.extract(nothing, schema, choice)
        if question is not None:
            return self.ask([nothing], question, choice, labels, article)
        return self.caption(nothing, choice, article)

    def _asked(self, task: Task, uploads: Sequence[Upload], choice: Choice, **rest: Any) -> Asked:
        if len(uploads) > self.config.limits.images:
            raise Unusable(f"image: {len(uploads)} images in one question; the limit is {self.config.limits.images}")
        request = Request(uuid4().hex, tuple(upload.name for upload in uploads), task, **rest)
        return Asked(request, tuple(uploads), self.settings(choice.alone()))


class Said(BaseModel):
    """A question about the images and the answer to it, as a client sends them again."""

    model_config = ConfigDict(extra="forbid")

    question: Question
    answer: Annotated[str, Field(max_length=_ANSWER_CHARS)]


_HISTORY = TypeAdapter(Annotated[list[Said], Field(max_length=MOST_EXCHANGES)])


def said_before(text: str | None) -> tuple[Exchange, ...]:
    """The exchanges of a form's JSON text, oldest first. Raises Unusable."""
    try:
        return tuple(Exchange(one.question.strip(), one.answer) for one in _HISTORY.validate_json(text or "[]"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Unusable(f"history: {place + ': ' if place else ''}{first['msg'].lower()}") from error


def said_name(given: str | None) -> str:
    """What a client calls its file, for people to know it by: no folders, no control characters, not too long."""
    last = _PLACE.split(given or "")[-1]
    plain = "".join(char for char in last if not unicodedata.category(char).startswith("C")).strip()
    return plain[-_NAME_CHARS:] or "image"


def _known(what: str, name: str, known: Sequence[str]) -> str:
    if name not in known:
        raise Unusable(f"{what}: {name[:80]!r} is not offered{configs.hint(name, list(known))} (GET /choices)")
    return name
