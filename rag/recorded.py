"""Records read back: the request that a record tells of, its evidence, and what it was made with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from imaging import LoadedImage
from indexer.types import Evidence, Example, Passage
from rag.config import as_recorded
from rag.errors import RequestError
from rag.prompts import Exchange, Task
from rag.retrieve import Found
from rag.types import Request, Stopwatch

_WRITTEN = re.compile(r"\S")


def text_of(record: Mapping[str, Any]) -> str:
    """What a record says: its caption or answer; of a document its fields, as JSON."""
    if "fields" in record:
        return json.dumps(record["fields"], sort_keys=True)
    return str(record.get("caption", record.get("answer", "")))


class _Recorded(BaseModel):
    """Part of a record. Keys that are not needed here may be there."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class RecordedImage(_Recorded):
    """An image as it was."""

    image: str
    sha256: str
    pixels_sha256: str


class RecordedExchange(_Recorded):
    """An earlier question and its answer."""

    question: str
    answer: str


class RecordedEvidence(_Recorded):
    """What stood in the prompt, in the length that it had there."""

    number: int
    kind: str
    id: str
    source: str
    title: str | None
    text: str
    score: float
    rank: int
    license: str | None
    attribution: str | None
    url: str | None

    def evidence(self, thumbnail: bytes = b"") -> Evidence:
        """As a search gave it."""
        record: Example | Passage
        if self.kind == "example":
            record = Example(
                self.id, self.text, self.source, license=self.license, attribution=self.attribution, url=self.url,
                thumbnail=thumbnail,
            )  # fmt: skip
        else:
            record = Passage(
                self.id, self.text, self.source, self.id, self.title, self.license, self.attribution, self.url
            )
        return Evidence(record, self.score, self.rank)


class RecordedRun(_Recorded):
    """`rag.types.Run`, as it was written down. Settings that there were not yet are as the program was without them."""

    settings: Annotated[dict[str, Any], AfterValidator(as_recorded)]
    settings_sha256: str
    model: dict[str, Any]
    adapter: str | None
    versions: dict[str, str]
    machine: dict[str, Any]
    together: int


class RecordedConfidence(_Recorded):
    """What the image's neighbours said."""

    votes: dict[str, dict[str, float]] | None = None


class Record(_Recorded):
    """What replaying needs of a Description's JSON."""

    id: str
    task: Task
    article: str | None
    images: tuple[RecordedImage, ...]
    question: str = ""
    history: tuple[RecordedExchange, ...] = ()
    asked_schema: dict[str, Any] | None = Field(None, alias="schema")
    caption: str = ""
    answer: str = ""
    withheld: str | None = None
    fields: Any = None
    label_probabilities: dict[str, float] = {}
    evidence: tuple[RecordedEvidence, ...]
    confidence: RecordedConfidence | None
    model: str
    adapter: str | None
    prompt: str
    prompt_sha256: str
    index: str | None
    params: dict[str, Any]
    seed: int
    stop: str
    mean_logprob: float | None
    run: RecordedRun

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Record:
        """Raises RequestError for what is no record, or one that does not say all that it was made with."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            key = ".".join(map(str, error.errors()[0]["loc"]))
            raise RequestError(
                f"the record does not say {key!r} as records do: it cannot be made again from it. Records of "
                f"`caption`, `ask` and `extract --json` of this version can"
            ) from error

    @property
    def text(self) -> str:
        """What was written: the caption, the answer, or the fields as JSON; withheld or not."""
        if self.withheld is not None:
            return self.withheld
        if self.task == "extract":
            return json.dumps(self.fields, ensure_ascii=False, sort_keys=True)
        return self.caption or self.answer

    def request(self, images: Sequence[str | LoadedImage]) -> Request:
        """The same request, about these images."""
        schema = self.asked_schema
        return Request(
            id=self.id,
            images=tuple(images),
            task=self.task,
            question=self.question,
            article=self.article,
            labels=tuple(self.label_probabilities),
            schema=None if schema is None else json.dumps(schema, ensure_ascii=False, separators=(",", ":")),
            history=tuple(Exchange(one.question, one.answer) for one in self.history),
        )


class RecordedFinder:
    """Finds for every request the evidence of one record. Obeys `EvidenceFinder`.

    `thumbnails` are the pictures of its examples by id, which a record does not hold.
    """

    def __init__(self, record: Record, thumbnails: Mapping[str, bytes]) -> None:
        self.version = (record.index or "").rpartition("@")[2]
        # As a search gives them; which stands where in the prompt is the template's affair.
        ordered = sorted(record.evidence, key=lambda e: (e.kind, e.rank))
        votes = None if record.confidence is None else record.confidence.votes
        self._found = Found(tuple(e.evidence(thumbnails.get(e.id, b"")) for e in ordered), votes=votes)

    def retrieve(
        self,
        requests: Sequence[Request],
        images: Sequence[tuple[LoadedImage, ...]],  # noqa: ARG002 - the protocol's
        kinds: set[str],  # noqa: ARG002
        clock: Stopwatch,  # noqa: ARG002
    ) -> list[Found]:
        return [self._found for _ in requests]

    def load(self, kinds: set[str]) -> None:
        """There is nothing to load."""


def read_records(text: str, where: str, only: str | None = None) -> list[dict[str, Any]]:
    """The JSON objects in `text`, one a line or in any other layout, or a list of them; of `only` that id.

    Raises RequestError, which names `where` they are from, for what is not that.
    """
    records = list(_objects(text, where))
    if not records:
        raise RequestError(f"{where}: holds no record")
    if only is None:
        return records
    chosen = [record for record in records if record.get("id") == only]
    if not chosen:
        ids = [str(record.get("id")) for record in records]
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        raise RequestError(f"{where}: no record {only!r}; there are {', '.join(ids[:5])}{more}")
    return chosen


def _objects(text: str, where: str) -> Iterator[dict[str, Any]]:
    decoder, place = json.JSONDecoder(), 0
    while begin := _WRITTEN.search(text, place):
        place = begin.start()
        try:
            value, place = decoder.raw_decode(text, place)
        except ValueError as error:
            line = text.count("\n", 0, place) + 1
            raise RequestError(f"{where}: what begins in line {line} is not JSON: {error}") from error
        for record in value if isinstance(value, list) else [value]:
            if not isinstance(record, dict):
                raise RequestError(f"{where}: holds {type(record).__name__} where a record should be")
            yield record
