"""A request on its way to a description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any

from imaging import LoadedImage
from indexer.types import Evidence, Example, Passage
from rag.errors import RequestError
from rag.prompts import EvidenceOrder, Exchange, FittedPrompt, Task
from vlm.types import Engine, GenerationParams

STAGES = ("decode", "embed", "retrieve", "prompt", "generate", "check")


@dataclass(frozen=True)
class Request:
    """What is asked. `article` is what the image shares with others of its origin (a PMCID, a case).

    `ask` has a question, and `history` where it goes on from earlier ones, oldest first; `classify` has a question
    and the `labels` to choose from; `extract` has a JSON Schema, as JSON text.
    """

    id: str
    images: tuple[str | LoadedImage, ...]
    task: Task = "caption"
    question: str = ""
    article: str | None = None
    labels: tuple[str, ...] = ()
    schema: str | None = None
    history: tuple[Exchange, ...] = ()

    def __post_init__(self) -> None:
        if (self.task == "extract") != (self.schema is not None):
            raise RequestError(f"{self.id}: a schema and the task extract belong together: give both or neither")
        if (self.task == "classify") != bool(self.labels):
            raise RequestError(f"{self.id}: labels and the task classify belong together: give both or neither")


@dataclass(frozen=True)
class Failure:
    """A request that could not be carried out, and why, in one line."""

    request: Request
    reason: str


@dataclass(frozen=True)
class Sentence:
    """One sentence of the text, the numbers of the evidence that supports it (best first), and how well (0 to 1)."""

    text: str
    citations: tuple[int, ...]
    support: float


@dataclass(frozen=True)
class LeftOut:
    """How many records of the index were kept out of the evidence, by why: the first reason that holds counts.

    `instructions` are texts that speak to the model that reads them.
    """

    own_id: int = 0
    same_file: int = 0
    same_article: int = 0
    look_alike: int = 0
    near_vector: int = 0
    instructions: int = 0


@dataclass(frozen=True)
class Choice:
    """How likely each label is among the labels, and all of them together as the model's answer.

    `one_pass` where each was judged by its first token.
    """

    probabilities: dict[str, float]
    mass: float
    one_pass: bool


@dataclass(frozen=True)
class Tokens:
    """Tokens read (images included) and written; None where a server does not say."""

    prompt: int | None
    new: int | None


@dataclass(frozen=True)
class Speaker:
    """An engine and how it is to be used: text-token budget of its prompts, decoding, how it says "I cannot tell".

    `evidence_order` is where its prompts have the most similar example.
    """

    engine: Engine
    prompt_tokens: int
    params: GenerationParams
    abstentions: tuple[str, ...] = ()
    evidence_order: EvidenceOrder = "best_last"


@dataclass(frozen=True)
class PreparedRequest:
    """A request with all that generation needs."""

    request: Request
    images: tuple[LoadedImage, ...]
    prompt: FittedPrompt
    warnings: tuple[str, ...]
    left_out: LeftOut = LeftOut()


@dataclass(frozen=True)
class Prepared:
    """A batch ready to be described; `timings_s` is each stage's share per request, in seconds."""

    items: tuple[PreparedRequest, ...]
    failures: tuple[Failure, ...]
    timings_s: dict[str, float]


@dataclass(frozen=True)
class Description:
    """The record of one request: what was said, on what evidence, by what, with what, at what cost.

    `model`, `prompt` and `index` are written NAME@VERSION. `timings_s` has a batch's stages shared out
    evenly among its requests; `total` is their sum. Of `extract`, `fields` is the JSON value that the text is; of
    `classify`, `choice` says how likely each label is, and the text is the likeliest.
    """

    request: Request
    images: tuple[LoadedImage, ...]
    text: str
    sentences: tuple[Sentence, ...]
    evidence: tuple[Evidence, ...]
    model: str
    adapter: str | None
    prompt: str
    index: str | None
    params: GenerationParams
    timings_s: dict[str, float]
    tokens: Tokens
    stop: str
    mean_logprob: float | None
    abstained: bool
    warnings: tuple[str, ...] = field(default=())
    fields: Any = None
    choice: Choice | None = None
    left_out: LeftOut = LeftOut()

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values, in the order people read it."""
        params = asdict(self.params)
        seed = params.pop("seed")
        return {
            "id": self.request.id,
            "image": self.images[0].name,
            "image_sha256": self.images[0].sha256,
            "images": [{"image": i.name, "sha256": i.sha256, "phash": i.phash} for i in self.images],
            "acquisition": [i.acquisition.said() for i in self.images],
            **self._said(),
            "sentences": [asdict(s) for s in self.sentences],
            "evidence": [evidence_json(e) for e in self.evidence],
            "left_out": asdict(self.left_out),
            "abstained": self.abstained,
            "warnings": list(self.warnings),
            "model": self.model,
            "adapter": self.adapter,
            "prompt": self.prompt,
            "index": self.index,
            "params": params,
            "seed": seed,
            "stop": self.stop,
            "mean_logprob": None if self.mean_logprob is None else round(self.mean_logprob, 4),
            "timings_s": {stage: round(seconds, 4) for stage, seconds in self.timings_s.items()},
            "tokens": asdict(self.tokens),
        }

    def _said(self) -> dict[str, Any]:
        """What was said, under the names of its task."""
        if self.request.task == "caption":
            return {"caption": self.text}
        if self.request.task == "extract":
            return {"fields": self.fields, "schema": json.loads(self.request.schema or "{}")}
        said: dict[str, Any] = {"question": self.request.question, "answer": self.text}
        if self.request.history:
            said["history"] = [asdict(exchange) for exchange in self.request.history]
        if self.choice is not None:
            said["label_probabilities"] = {label: round(p, 4) for label, p in self.choice.probabilities.items()}
            said["label_mass"] = float(f"{self.choice.mass:.3g}")
            said["scored_by"] = "first token" if self.choice.one_pass else "whole answer"
        return said


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """One piece of evidence as plain JSON values."""
    record = evidence.record
    return {
        "number": evidence.number,
        "kind": evidence.kind,
        "id": evidence.id,
        "source": record.source,
        "text": evidence.text,
        "score": round(evidence.score, 4),
        "rank": evidence.rank,
        "found_by": list(evidence.found_by),
        "license": record.license,
        "url": record.url,
        "copies": [_copy_json(copy) for copy in evidence.copies],
    }


def _copy_json(record: Example | Passage) -> dict[str, Any]:
    return {
        "id": record.id,
        "source": record.source,
        "article": record.article,
        "license": record.license,
        "url": record.url,
    }


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        start = perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] = self.seconds.get(stage, 0.0) + perf_counter() - start

    def shared(self, parts: int) -> dict[str, float]:
        """Each stage's seconds divided by `parts`."""
        return {stage: seconds / max(parts, 1) for stage, seconds in self.seconds.items()}
