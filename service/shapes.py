"""What is answered, as OpenAPI describes it. Answers are made elsewhere (`rag.types.Description.to_json`), and tests
hold them to these shapes."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ImageFacts(_Shape):
    """An image by its hashes."""

    image: str
    sha256: str
    phash: str
    pixels_sha256: str


class SentenceOut(_Shape):
    """A sentence, the numbers of the evidence that supports it, and how well (0 to 1)."""

    text: str
    citations: list[int]
    support: float
    basis: Literal["terms", "meaning", "entailment"] | None
    supported: bool


class CopyOut(_Shape):
    """A record of the index that says the same as a piece of evidence."""

    id: str
    source: str
    article: str | None
    license: str | None
    url: str | None


class EvidenceOut(_Shape):
    """An example or passage, as retrieved."""

    number: int
    kind: Literal["example", "passage"]
    id: str
    source: str
    title: str | None
    text: str
    score: float
    rank: int
    found_by: list[str]
    license: str | None
    attribution: str | None
    url: str | None
    copies: list[CopyOut]


class RecordOut(_Shape):
    """The record of a description, as `caption --json`, `ask --json` and `extract --json` print it.

    Of its keys `caption` is what a description says, `question` and `answer` (with labels `label_probabilities`,
    `label_mass` and `scored_by`) are of a question, `fields` and `schema` of a document.
    """

    id: str
    task: Literal["caption", "ask", "classify", "extract"]
    article: str | None
    image: str
    image_sha256: str
    images: list[ImageFacts]
    acquisition: list[dict[str, Any]]
    caption: str = ""
    question: str = ""
    answer: str = ""
    history: list[dict[str, str]] = []
    label_probabilities: dict[str, float] = {}
    label_mass: float = 0.0
    scored_by: Literal["first token", "whole answer"] = "first token"
    fields: Any = None
    schema_: dict[str, Any] = Field(default={}, alias="schema")
    sentences: list[SentenceOut]
    evidence: list[EvidenceOut]
    licenses: list[dict[str, Any]]
    left_out: dict[str, int]
    conflicts: list[dict[str, Any]]
    copied: dict[str, Any] | None
    confidence: dict[str, Any] | None
    abstained: bool
    abstained_because: str | None
    withheld: str | None
    warnings: list[str]
    model: str
    adapter: str | None
    prompt: str
    prompt_sha256: str
    index: str | None
    params: dict[str, Any]
    seed: int
    stop: Literal["end", "length", "time"]
    mean_logprob: float | None
    timings_s: dict[str, float]
    tokens: dict[str, int | None]
    run: dict[str, Any] | None


class Alive(_Shape):
    """That the program runs."""

    status: Literal["alive"]


class ReadyOut(_Shape):
    """That requests can be described, and the memory of the program and its processes."""

    status: Literal["ready"]
    rss_mib: int
    available_mib: int
    waiting: int
    under_way: int


class Choices(_Shape):
    """What a client may choose from, by name."""

    models: list[str]
    prompts: list[str]
    indexes: list[str]
