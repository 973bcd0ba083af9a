"""The one path: `prepare` reads decode, embed, search, prompt; `describe` reads generate, check, record.

Both work on a batch, and one image is a batch of one. Nobody else calls a retriever and an engine together.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from imaging import ImageError, LoadedImage, load
from rag.check import cite
from rag.config import Settings
from rag.errors import RequestError
from rag.prompts import VERSION_DIGITS, PromptInputs, PromptTemplate, Task
from rag.retrieve import Found, Retriever
from rag.types import STAGES, Description, Failure, Prepared, PreparedRequest, Request, Stopwatch, Tokens
from vlm.types import Engine, Generation, GenerationParams, reads_fewer


@dataclass(frozen=True)
class Speaker:
    """An engine and how it is to be used: text-token budget of its prompts, decoding, how it says "I cannot tell"."""

    engine: Engine
    prompt_tokens: int
    params: GenerationParams
    abstentions: tuple[str, ...] = ()


class Pipeline:
    """Describes images. `retriever` is None where no evidence is wanted."""

    def __init__(
        self, settings: Settings, speaker: Speaker, templates: dict[Task, PromptTemplate], retriever: Retriever | None
    ) -> None:
        self.settings = settings
        self.speaker = speaker
        self.templates = templates
        self.retriever = retriever

    def load(self) -> None:
        """Loads the models that are not loaded yet. Raises VlmError and IndexerError."""
        with _collector_paused():
            self.speaker.engine.load()
            if self.retriever:
                self.retriever.load({kind for template in self.templates.values() for kind in template.kinds})

    def run(self, requests: Sequence[Request]) -> Iterator[Description | Failure]:
        """Describes a batch; what cannot be described comes first, as Failures."""
        prepared = self.prepare(requests)
        yield from prepared.failures
        yield from self.describe(prepared)

    def prepare(self, requests: Sequence[Request]) -> Prepared:
        """Everything before generation, for a batch. A bad image fails its own request alone.

        Models are loaded once there is an image that can be read; that is no part of the timings.
        """
        clock = Stopwatch()
        good: list[tuple[Request, tuple[LoadedImage, ...]]] = []
        failures: list[Failure] = []
        with clock.measure("decode"):
            for request in requests:
                try:
                    good.append((request, self._images(request)))
                except (ImageError, RequestError) as error:
                    failures.append(Failure(request, str(error)))
        if good:
            self.load()
        found = self._retrieve(good, clock)
        with clock.measure("prompt"):
            items = tuple(
                self._prompt(request, images, evidence) for (request, images), evidence in zip(good, found, strict=True)
            )
        return Prepared(items, tuple(failures), clock.shared(len(good)))

    def describe(self, prepared: Prepared) -> Iterator[Description]:
        """Generates, checks and records; each description as soon as it is done."""
        prompts = [item.prompt.prompt for item in prepared.items]
        for position, generation in self.speaker.engine.generate(prompts, self.speaker.params):
            yield self._record(prepared.items[position], generation, dict(prepared.timings_s))

    def _images(self, request: Request) -> tuple[LoadedImage, ...]:
        limit = self.speaker.engine.max_images
        if limit is not None and len(request.images) > limit:
            told = reads_fewer(self.speaker.engine.model, limit)
            raise RequestError(f"{request.id}: {len(request.images)} images in one question, {told}")
        return tuple(image if isinstance(image, LoadedImage) else load(image) for image in request.images)

    def _retrieve(self, good: Sequence[tuple[Request, tuple[LoadedImage, ...]]], clock: Stopwatch) -> list[Found]:
        kinds = {kind for request, _ in good for kind in self.templates[request.task].kinds}
        if self.retriever is None or not kinds:
            return [Found(()) for _ in good]
        return self.retriever.retrieve([r for r, _ in good], [images for _, images in good], kinds, clock)

    def _prompt(self, request: Request, images: tuple[LoadedImage, ...], found: Found) -> PreparedRequest:
        options = self.settings.prompt
        inputs = PromptInputs(
            images=images,
            evidence=found.evidence,
            question=request.question,
            length=options.length,
            language=options.language,
            example_images=options.example_images,
        )
        count, budget = self.speaker.engine.count_tokens, self.speaker.prompt_tokens
        fitted = self.templates[request.task].fit(inputs, count, budget)
        warnings = [*found.warnings, *(f"{image.name}: {note}" for image in images for note in image.notes)]
        if fitted.shortened or fitted.left_out:
            warnings.append(
                f"evidence did not fit into {budget} prompt tokens: {fitted.shortened} shortened, "
                f"{fitted.left_out} left out"
            )
        return PreparedRequest(request, images, fitted, tuple(warnings))

    def _index_version(self) -> str | None:
        """The index as it was named, with its generation and content."""
        if self.retriever is None:
            return None
        return f"{self.settings.retrieval.index}@{self.retriever.index.version.rpartition('@')[2]}"

    def _record(self, item: PreparedRequest, generation: Generation, timings: dict[str, float]) -> Description:
        clock = Stopwatch()
        with clock.measure("check"):
            sentences = cite(generation.text, item.prompt.evidence, self.settings.check.support)
            abstained = _plain(generation.text) in {_plain(a) for a in self.speaker.abstentions}
        weak = self.settings.check.weak_evidence
        best = max((e.score for e in item.prompt.evidence if e.kind == "example"), default=None)
        timings |= {"generate": generation.seconds, **clock.seconds}
        warnings = list(item.warnings)
        if best is not None and best < weak:
            warnings.append(f"weak evidence: the nearest example scores {best:.2f} (check.weak_evidence {weak:g})")
        if generation.stop == "length":
            warnings.append(f"the text was cut off at {generation.new_tokens} tokens (generation.max_new_tokens)")
        if generation.stop == "time":
            limit = self.speaker.params.time_limit_s
            warnings.append(f"the text was cut off after {limit:g} s (generation.time_limit_s)")
        return Description(
            request=item.request,
            images=item.images,
            text=generation.text,
            sentences=sentences,
            evidence=item.prompt.evidence,
            model=f"{self.speaker.engine.model}@{self.speaker.engine.fingerprint[:VERSION_DIGITS]}",
            adapter=self.speaker.engine.adapter,
            prompt=self.templates[item.request.task].version,
            index=self._index_version(),
            params=self.speaker.params,
            timings_s=_complete(timings),
            tokens=Tokens(generation.prompt_tokens, generation.new_tokens),
            stop=generation.stop,
            mean_logprob=generation.mean_logprob,
            abstained=abstained,
            warnings=tuple(warnings),
        )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Importing torch and its kin makes a million objects and no garbage; looking for it there costs a second."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _complete(timings: dict[str, float]) -> dict[str, float]:
    whole = {stage: timings.get(stage, 0.0) for stage in STAGES}
    return {**whole, "total": sum(whole.values())}


def _plain(text: str) -> str:
    return " ".join(text.lower().split()).rstrip(".!")
