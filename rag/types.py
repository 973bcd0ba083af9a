"""A request on its way to a description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from time import perf_counter
from typing import Any, Literal

from imaging import LoadedImage
from indexer.types import Evidence, Example, Passage
from rag.attribution import LicenseUse, licenses_used
from rag.errors import RequestError
from rag.neighbourhood import Votes
from rag.prompts import EvidenceOrder, Exchange, FittedPrompt, Task
from rag.secrets import without_secrets
from vlm.config import ModelConfig
from vlm.types import Engine, GenerationParams

STAGES = ("decode", "embed", "retrieve", "prompt", "generate", "check")


@dataclass(frozen=True)
class Request:
    """What is asked. An image is a file (`scan.dcm#frame=3`), a zip's member (`a.zip!b.png`) or a row of a
    Parquet or Arrow file (`a.parquet!12`), or is loaded already. `article` is what it shares with others of its origin
    (a PMCID, a case).

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


FailureKind = Literal["image", "request", "prompt", "answer"]
"""What a request failed by: its image cannot be read, it asks what cannot be asked, no prompt can be made of it, or
the answer is not what was asked for."""


@dataclass(frozen=True)
class Failure:
    """A request that could not be carried out, and why, in one line."""

    request: Request
    reason: str
    kind: FailureKind


Basis = Literal["terms", "meaning", "entailment"]
"""How it was found that evidence supports a sentence."""


@dataclass(frozen=True)
class Sentence:
    """One sentence of the text, the numbers of the evidence that supports it (best first), and how well (0 to 1).

    One that nothing supports has no numbers and no `basis`; that is no error, for the image may show it.
    """

    text: str
    citations: tuple[int, ...]
    support: float
    basis: Basis | None = None


@dataclass(frozen=True)
class Conflict:
    """Two texts that cannot both be so: a sentence, and evidence by its number or, with None, the rest of the text."""

    kind: Literal["side", "negation", "number", "modality", "plane"]
    said: str
    against: str
    evidence: int | None


@dataclass(frozen=True)
class Copied:
    """The example of which most was taken: the longest run of words, and the share of the text's words in such runs."""

    evidence: int
    run: int
    share: float


@dataclass(frozen=True)
class Checks:
    """What a text rests on, what it contradicts, what it copied."""

    sentences: tuple[Sentence, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    copied: Copied | None = None


@dataclass(frozen=True)
class Confidence:
    """How far a description can be relied on, 0 to 1, the signals that say so (see `rag.confidence`), and the votes of
    the image's neighbours."""

    score: float
    signals: dict[str, float]
    votes: Votes


@dataclass(frozen=True)
class LeftOut:
    """How many records of the index were kept out of the evidence, by why; each counts for one reason.

    A copy counts as what it was found by, and what shares its article as `same_article`, with the request's own;
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
class Run:
    """What a description was made with, besides what its record names under keys of its own; see `rag.provenance`.

    `settings` is all of them, resolved; `model` how its files were loaded; `adapter` a fingerprint of the adapter's
    files; `versions` of the packages that a text can depend on and of the program itself; `machine` what computed.
    `together` counts the requests that were put to the model in one go, this one among them.
    """

    settings: dict[str, Any]
    settings_sha256: str
    model: dict[str, Any]
    adapter: str | None
    versions: dict[str, str]
    machine: dict[str, Any]
    together: int = 1


@dataclass(frozen=True)
class Speaker:
    """An engine and how it is to be used: text-token budget of its prompts, decoding, how it says "I cannot tell".

    `evidence_order` is where its prompts have the most similar example; `config` is what the engine was opened with,
    None where it was not opened from a configuration.
    """

    engine: Engine
    prompt_tokens: int
    params: GenerationParams
    abstentions: tuple[str, ...] = ()
    evidence_order: EvidenceOrder = "best_last"
    config: ModelConfig | None = None


@dataclass(frozen=True)
class PreparedRequest:
    """A request with all that generation needs."""

    request: Request
    images: tuple[LoadedImage, ...]
    prompt: FittedPrompt
    warnings: tuple[str, ...]
    left_out: LeftOut = LeftOut()
    votes: Votes | None = None


@dataclass(frozen=True)
class Prepared:
    """A batch ready to be described; `timings_s` is each stage's share per request, in seconds."""

    items: tuple[PreparedRequest, ...]
    failures: tuple[Failure, ...]
    timings_s: dict[str, float]


@dataclass(frozen=True)
class Description:
    """The record of one request: what was said, on what evidence, by what, with what, at what cost.

    Where it `abstained`, `abstained_because` says why; `withheld` is then a text that was written and cannot be relied
    on, `text` is empty. It is None where the model itself said that it cannot tell.

    `model`, `prompt` and `index` are written NAME@VERSION. `timings_s` has a batch's stages shared out
    evenly among its requests; `total` is their sum. `prompt_sha256` is of the messages as they were sent. Of `extract`,
    `fields` is the JSON value that the text is; of `classify`, `choice` says how likely each label is, and the text is
    the likeliest.
    """

    request: Request
    images: tuple[LoadedImage, ...]
    text: str
    checks: Checks
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
    abstained_because: str | None = None
    withheld: str | None = None
    confidence: Confidence | None = None
    fields: Any = None
    choice: Choice | None = None
    left_out: LeftOut = LeftOut()
    prompt_sha256: str = ""
    run: Run | None = None

    @property
    def licenses(self) -> tuple[LicenseUse, ...]:
        """The licences of the evidence, those that the sentences rest on first."""
        return licenses_used(self.evidence, {number for s in self.checks.sentences for number in s.citations})

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON values, in the order people read it."""
        params = asdict(self.params)
        seed = params.pop("seed")
        return {
            "id": self.request.id,
            "task": self.request.task,
            "article": self.request.article,
            "image": self.images[0].name,
            "image_sha256": self.images[0].sha256,
            "images": [_image_json(i) for i in self.images],
            "acquisition": [i.acquisition.said() for i in self.images],
            **self._said(),
            "sentences": [asdict(s) | {"supported": bool(s.citations)} for s in self.checks.sentences],
            "evidence": [evidence_json(e) for e in self.evidence],
            "licenses": [asdict(use) for use in self.licenses],
            "left_out": asdict(self.left_out),
            "conflicts": [asdict(conflict) for conflict in self.checks.conflicts],
            "copied": None if self.checks.copied is None else asdict(self.checks.copied),
            "confidence": None if self.confidence is None else _rounded(self.confidence),
            "abstained": self.abstained,
            "abstained_because": self.abstained_because,
            "withheld": self.withheld,
            "warnings": list(self.warnings),
            "model": self.model,
            "adapter": self.adapter,
            "prompt": self.prompt,
            "prompt_sha256": self.prompt_sha256,
            "index": self.index,
            "params": params,
            "seed": seed,
            "stop": self.stop,
            "mean_logprob": None if self.mean_logprob is None else round(self.mean_logprob, 4),
            "timings_s": {stage: round(seconds, 4) for stage, seconds in self.timings_s.items()},
            "tokens": asdict(self.tokens),
            "run": None if self.run is None else asdict(self.run),
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


def _rounded(confidence: Confidence) -> dict[str, Any]:
    signals = {name: round(value, 4) for name, value in confidence.signals.items()}
    votes = {name: {value: round(share, 4) for value, share in of.items()} for name, of in confidence.votes.items()}
    return {"score": round(confidence.score, 4), "signals": signals, "votes": votes}


def _image_json(image: LoadedImage) -> dict[str, str]:
    return {
        "image": image.name,
        "sha256": image.sha256,
        "phash": image.phash,
        "pixels_sha256": image.pixels_sha256,
    }


def evidence_json(evidence: Evidence) -> dict[str, Any]:
    """One piece of evidence as plain JSON values."""
    record = evidence.record
    return {
        "number": evidence.number,
        "kind": evidence.kind,
        "id": evidence.id,
        "source": record.source,
        "title": record.title if isinstance(record, Passage) else None,
        "text": evidence.text,
        "score": round(evidence.score, 4),
        "rank": evidence.rank,
        "found_by": list(evidence.found_by),
        "license": record.license,
        "attribution": record.attribution,
        "url": _public(record.url),
        "copies": [_copy_json(copy) for copy in evidence.copies],
    }


def _copy_json(record: Example | Passage) -> dict[str, Any]:
    return {
        "id": record.id,
        "source": record.source,
        "article": record.article,
        "license": record.license,
        "url": _public(record.url),
    }


def _public(url: str | None) -> str | None:
    return url and without_secrets(url)


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
