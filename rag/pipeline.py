"""The one path: `prepare` reads decode, embed, search, prompt; `describe` reads generate, check, record.

Both work on a batch, and one image is a batch of one; `stream` is the same for one image, its text as it is written.
Nobody else calls a retriever and an engine together.
"""

from __future__ import annotations

import gc
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager

from imaging import ImageError, LoadedImage
from indexer.images import image_ref
from rag.acquisition import facts_line
from rag.checking import Checking, checking_of
from rag.config import Settings
from rag.errors import RequestError, TemplateError
from rag.one_trunk import read_once
from rag.prompts import PromptInputs, PromptTemplate, Task
from rag.record import Recorder
from rag.retrieve import EvidenceFinder, Found
from rag.types import Choice, Description, Failure, Prepared, PreparedRequest, Request, Speaker, Stopwatch
from vlm.types import Generation, reads_fewer


class Pipeline:
    """Describes images. `retriever` is None where no evidence is wanted; `checking` is made where none is given."""

    def __init__(
        self,
        settings: Settings,
        speaker: Speaker,
        templates: dict[Task, PromptTemplate],
        retriever: EvidenceFinder | None,
        checking: Checking | None = None,
    ) -> None:
        self.settings = settings
        self.speaker = speaker
        self.templates = templates
        self.retriever = retriever
        self.checking = checking or checking_of(settings.check)
        index = None if retriever is None else f"{settings.retrieval.index}@{retriever.version}"
        self._recorder = Recorder(settings, speaker, templates, index, self.checking)

    def load(self) -> None:
        """Loads the models that are not loaded yet. Raises VlmError and IndexerError."""
        with _collector_paused():
            self.speaker.engine.load()
            if self.retriever:
                kinds = {kind for template in self.templates.values() for kind in template.kinds}
                self.retriever.load(kinds)
                if kinds:
                    read_once(self.speaker.engine, self.retriever)

    def run(self, requests: Sequence[Request]) -> Iterator[Description | Failure]:
        """Describes a batch; what cannot be described comes first, as Failures."""
        prepared = self.prepare(requests)
        yield from prepared.failures
        yield from self.describe(prepared)

    def stream(self, request: Request) -> Generator[str | Description | Failure, None, None]:
        """One request: its text piece by piece as the model writes it and, last, its record; or a Failure.

        The record is the one that `run` gives. The pieces together are its text, or the text that it withholds: whether
        a text can be relied on is known once it is whole. What is put behind the model's own text, and a label that is
        chosen, are one piece. Closing the iterator stops the model at its next token.
        """
        prepared = self.prepare([request])
        yield from prepared.failures
        yield from self.stream_prepared(prepared)

    def stream_prepared(self, prepared: Prepared) -> Generator[str | Description | Failure, None, None]:
        """As `stream`, of requests that are prepared already, one after the other."""
        for item in prepared.items:
            if item.request.labels:
                for outcome in self._choices(item.request.labels, [item], prepared.timings_s):
                    if isinstance(outcome, Description):
                        yield outcome.text
                    yield outcome
                continue
            with closing(_trimmed(self.speaker.engine.stream(item.prompt.prompt, self.speaker.params))) as pieces:
                for piece in pieces:
                    if isinstance(piece, str):
                        yield piece
                        continue
                    outcome = self._recorder.outcome(item, piece, dict(prepared.timings_s))
                    if isinstance(outcome, Description) and (behind := outcome.text.removeprefix(piece.text)):
                        yield behind
                    yield outcome

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
                    good.append((request, self.images(request)))
                except (ImageError, RequestError) as error:
                    failures.append(
                        Failure(request, str(error), "image" if isinstance(error, ImageError) else "request")
                    )
        if good:
            self.load()
        found = self.evidence(good, clock)
        items: list[PreparedRequest] = []
        with clock.measure("prompt"):
            for (request, images), evidence in zip(good, found, strict=True):
                try:
                    items.append(self.prompt(request, images, evidence))
                except TemplateError as error:
                    failures.append(Failure(request, f"{request.id}: {error}", "prompt"))
        return Prepared(tuple(items), tuple(failures), clock.shared(len(good)))

    def describe(self, prepared: Prepared) -> Iterator[Description | Failure]:
        """Generates, checks and records; each description as soon as it is done.

        Questions with labels are not answered in words: the labels are scored, those of one question in one pass over
        its prompt where their first tokens differ. A Failure is an answer that is not what was asked for.
        """
        chosen: dict[tuple[str, ...], list[PreparedRequest]] = {}
        written: list[PreparedRequest] = []
        for item in prepared.items:
            if item.request.labels:
                chosen.setdefault(item.request.labels, []).append(item)
            else:
                written.append(item)
        prompts = [item.prompt.prompt for item in written]
        for position, generation in self.speaker.engine.generate(prompts, self.speaker.params):
            yield self._recorder.outcome(written[position], generation, dict(prepared.timings_s), together=len(written))
        for labels, items in chosen.items():
            yield from self._choices(labels, items, prepared.timings_s)

    def _choices(
        self, labels: tuple[str, ...], items: Sequence[PreparedRequest], timings_s: dict[str, float]
    ) -> Iterator[Description | Failure]:
        """The likeliest of `labels` for each item, and how likely each is."""
        engine = self.speaker.engine
        one_pass = engine.told_apart_at_once(labels)
        clock = Stopwatch()
        with clock.measure("generate"):
            scores = list(engine.score([item.prompt.prompt for item in items], labels, one_pass))
        seconds = clock.shared(len(items))["generate"]
        for position, scored in scores:
            likely = dict(zip(labels, scored.probabilities, strict=True))
            best = max(labels, key=likely.__getitem__)
            chosen = Generation(best, prompt_tokens=None, new_tokens=0, stop="end", seconds=seconds, mean_logprob=None)
            yield self._recorder.outcome(
                items[position], chosen, dict(timings_s), Choice(likely, scored.mass, one_pass), len(items)
            )

    def images(self, request: Request) -> tuple[LoadedImage, ...]:
        """The images of a request, decoded. Raises ImageError, and RequestError for more than the model reads."""
        limit = self.speaker.engine.max_images
        if limit is not None and len(request.images) > limit:
            told = reads_fewer(self.speaker.engine.model, limit)
            raise RequestError(f"{request.id}: {len(request.images)} images in one question, {told}")
        return tuple(image if isinstance(image, LoadedImage) else image_ref(image).load() for image in request.images)

    def evidence(self, good: Sequence[tuple[Request, tuple[LoadedImage, ...]]], clock: Stopwatch) -> list[Found]:
        """The evidence that the templates of these requests show, found in one batch. Raises IndexerError."""
        kinds = {kind for request, _ in good for kind in self.templates[request.task].kinds}
        if self.retriever is None or not kinds:
            return [Found(()) for _ in good]
        return self.retriever.retrieve([r for r, _ in good], [images for _, images in good], kinds, clock)

    def prompt(self, request: Request, images: tuple[LoadedImage, ...], found: Found) -> PreparedRequest:
        """The request with its prompt, evidence within the budget of tokens. Raises TemplateError, loads no model."""
        options = self.settings.prompt
        inputs = PromptInputs(
            images=images,
            evidence=found.evidence,
            order=self.speaker.evidence_order,
            facts=facts_line(images) if options.facts else "",
            question=request.question,
            history=request.history,
            labels=request.labels,
            schema=request.schema,
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
        if fitted.forgotten:
            warnings.append(f"the first {fitted.forgotten} exchanges did not fit into {budget} prompt tokens")
        return PreparedRequest(request, images, fitted, tuple(warnings), found.left_out, found.votes)


def _trimmed(pieces: Generator[str | Generation, None, None]) -> Generator[str | Generation, None, None]:
    """The pieces without the white space before the first word and after the last, as a Generation's text is."""
    space, begun = "", False
    with closing(pieces):
        for piece in pieces:
            if not isinstance(piece, str):
                yield piece
                continue
            text = space + piece if begun else piece.lstrip()
            words = text.rstrip()
            space = text[len(words) :]
            if words:
                begun = True
                yield words


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
