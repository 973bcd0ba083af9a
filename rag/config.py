"""What shapes a description: `configs/default.yaml`, a file given by --config, and --set on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, Field, field_validator

from configs import ROOT, ConfigError, StrictModel, parse, read_yaml
from indexer.licenses import is_stated
from indexer.types import Filter
from rag.acquisition import Fact
from rag.cross_encoder import CrossEncoder
from rag.prompts import EvidenceOrder, Length
from rag.selection import HowMany, PassagesBy, Selection

Share = Annotated[float, Field(ge=0, le=1)]


class ModelSettings(StrictModel):
    """Which model speaks. All but `name` and `adapter` override the model's own config where set."""

    name: str
    adapter: Path | None = None
    path: Path | None = None
    quantisation: Literal["none", "nf4", "int8"] | None = None
    dtype: Literal["auto", "bf16", "fp16", "fp32"] | None = None
    vision_dtype: Literal["model", "bf16"] | None = None
    url: str | None = None
    served_model: str | None = None


class EvidenceFilter(StrictModel):
    """What evidence may be, as `indexer.Filter` says; empty lists and null are no restriction."""

    sources: list[str]
    licenses: list[str]
    without_licenses: list[str]
    allow_licenses: list[str]
    modalities: list[str]
    year_from: int | None
    year_to: int | None

    @field_validator("allow_licenses")
    @classmethod
    def _are_licenses(cls, names: list[str]) -> list[str]:
        for name in names:
            if not is_stated(name):
                raise ValueError(f"{name!r} states no licence; evidence without a known one is never allowed")
        return names

    def filter(self) -> Filter:
        """As a search takes it."""
        return Filter(
            frozenset(self.sources),
            frozenset(self.licenses),
            frozenset(self.without_licenses),
            frozenset(self.allow_licenses),
            frozenset(self.modalities),
            self.year_from,
            self.year_to,
        )


class GuardSettings(StrictModel):
    """Whether what would give a request's own answer away is kept out of its evidence, and what is looked for.

    `look_alikes` are pictures that pixels show to be copies, `near_vectors` those whose cosine similarity is at or
    above what the embedder's configuration calls near-duplicate.
    """

    enabled: bool
    look_alikes: bool
    near_vectors: bool


class RetrievalSettings(StrictModel):
    """Where evidence comes from, how many examples and passages there are of it, and what it may be.

    `narrow` names what a file says of itself that examples must share.
    """

    enabled: bool
    index: str
    k: Annotated[int, Field(ge=1, le=50)]
    how_many: HowMany
    min_score: Annotated[float, Field(ge=-1, le=1)]
    diversity: Share
    one_per_article: bool = False
    reranker: str | None
    passages_by: list[PassagesBy]
    only: EvidenceFilter
    guard: GuardSettings
    narrow: list[Fact]

    def selection(self) -> Selection:
        """How evidence is chosen of what is found; a reranker is not loaded before it is needed."""
        reranker = None if self.reranker is None else CrossEncoder(self.reranker, "retrieval.reranker")
        return Selection(
            self.how_many, self.min_score, self.diversity, reranker, frozenset(self.passages_by), self.one_per_article
        )


class PromptSettings(StrictModel):
    """How the question is put to the model. `evidence_order` overrides the model's own config where set."""

    template: str | None = None
    length: Length
    language: str
    facts: bool
    evidence_order: EvidenceOrder | None = None
    example_images: bool


class GenerationSettings(StrictModel):
    """Decoding, in place of the model's own defaults where set. `seed` is for sampling."""

    max_new_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0)] | None = None
    time_limit_s: Annotated[float, Field(gt=0)] | None = None
    seed: int = 0


class CheckSettings(StrictModel):
    """When evidence counts as supporting a sentence (share of its terms held), and when it is weak (cosine).

    `content` names the word lists that descriptions and neighbours are read by for confidence. `text_embedder` and
    `nli` see support that terms miss. A description of a confidence under `abstain_below`, or under the threshold of a
    `calibration`, is withheld. So many words in a row (`copied_run`), or such a share of the words, taken from one
    caption are said. With `named_alike` a caption ends with what its evidence names alike. Warned of are labels of a
    question that are unlikely answers (probability of all together), and extracted fields that are (mean
    log-probability a token, in nats).
    """

    support: Share
    text_embedder: str | None
    nli: str | None
    content: tuple[str, ...]
    abstain_below: Share
    calibration: Path | None
    copied_run: Annotated[int, Field(ge=3)]
    copied_share: Share
    named_alike: bool = False
    weak_evidence: Annotated[float, Field(ge=-1, le=1)]
    unlikely_labels: Share
    unlikely_fields: Annotated[float, Field(le=0)]


class Settings(StrictModel):
    """All of it, resolved."""

    model: ModelSettings
    retrieval: RetrievalSettings
    prompt: PromptSettings
    generation: GenerationSettings
    check: CheckSettings
    batch_size: Annotated[int, Field(ge=1)]


def resolve(
    config: Path | Mapping[str, Any] | None = None,
    assignments: Iterable[str] = (),
    described: str = "settings of the record",
    **overrides: Any,
) -> Settings:
    """The settings for one run: defaults, then the file, then `a.b=value` assignments, then named overrides.

    In place of a file, `config` may be settings as a mapping, a record's or others that errors call `described`.
    `overrides` are dotted keys with `__` for the dot; None leaves a key as it is. Raises ConfigError.
    """
    data = read_yaml(ROOT / "default.yaml")
    where = "settings"
    if isinstance(config, Path):
        where = config.name
        data = merged(data, read_yaml(config))
    elif config is not None:
        where = described
        data = merged(data, config)
    data = assigned(Settings, data, assignments, "prompt.length=short")
    for key, value in overrides.items():
        if value is not None:
            data = merged(data, _nested(key.split("__"), value))
    return parse(Settings, data, where)


def as_recorded(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A record's settings, whole: a key that there was not yet is as the program then was, its default in code.

    What `configs/default.yaml` says today is for new descriptions.
    """
    return _with_defaults(Settings, settings)


def _with_defaults(model: type[BaseModel], data: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(data)
    for name, field in model.model_fields.items():
        held = whole.get(name)
        if isinstance(held, Mapping) and isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            whole[name] = _with_defaults(field.annotation, held)
        elif name not in whole and not field.is_required():
            whole[name] = field.get_default(call_default_factory=True)
    return whole


def assigned(
    model: type[BaseModel], data: Mapping[str, Any], assignments: Iterable[str], example: str
) -> dict[str, Any]:
    """Values of a configuration with `a.b=value` assignments laid over them, each checked by itself.

    `example` is one that can be given. Raises ConfigError, which names the assignment.
    """
    both = dict(data)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {assignment}: write it as key=value, for example --set {example}")
        try:
            both = merged(both, undotted({key.strip(): yaml.safe_load(value)}))
        except yaml.YAMLError:
            raise ConfigError(f"--set {assignment}: the value is not valid YAML") from None
        parse(model, both, f"--set {assignment}")
    return both


def undotted(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that are written `a.b` -> value as a nested mapping."""
    data: dict[str, Any] = {}
    for key, value in flat.items():
        data = merged(data, _nested(key.split("."), value))
    return data


def _nested(keys: list[str], value: Any) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    return dict(value)


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `over` says in its place, key by key as deep as both go."""
    both = dict(base)
    for key, value in over.items():
        below = both.get(key)
        both[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both
