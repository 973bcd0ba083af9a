"""Descriptions run again from their records: is the result the same, and if not, which input has changed?

A record is run twice. Once from itself alone: the evidence that it holds, put into the prompt again. Once by the whole
path, the evidence searched anew. Where both prompts are the same, the model is asked once. The two together tell a
change of what was found from a change of what was made of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from configs import ConfigError
from imaging import ImageError, load
from indexer.errors import IndexerError, RecordNotFoundError
from rag.config import Settings, resolve
from rag.errors import RagError, RequestError
from rag.judging import Replay, judged
from rag.opening import open_pipeline
from rag.pipeline import Pipeline
from rag.provenance import prompt_sha256
from rag.recorded import Record, RecordedFinder
from rag.retrieve import Retriever
from rag.starter import Tell
from rag.types import Description, Failure, Prepared, Request
from vlm.errors import VlmError


class Replayer:
    """Runs records again, with their own settings and, on top of those, `assignments` (`a.b=value`).

    `images` name the files of a record that has others now; with `searching` False no index is opened and the evidence
    is the record's. The models of the last settings stay loaded. `tell` hears what a person should know.
    """

    def __init__(
        self,
        assignments: Sequence[str] = (),
        images: Sequence[str] = (),
        searching: bool = True,
        tell: Tell = lambda _: None,
    ) -> None:
        self._assignments = tuple(assignments)
        self._named = tuple(images)
        self._searching = searching
        self._tell = tell
        self._opened: tuple[tuple[str, str], Pipeline] | None = None

    def run(self, records: Sequence[Mapping[str, Any]]) -> Iterator[Replay]:
        """Each record's replay. Raises RequestError where images are named for several records."""
        if self._named and len(records) > 1:
            raise RequestError(
                f"--image names the files of one record, and here are {len(records)}: pick one with --id"
            )
        for data in records:
            try:
                yield self._replay(Record.of(data))
            except (ConfigError, ImageError, IndexerError, RagError, VlmError) as error:
                yield Replay(str(data.get("id")), "impossible", str(error))

    def _replay(self, was: Record) -> Replay:
        settings = resolve(was.run.settings, self._assignments)
        request = self._request(was)
        pipeline = self._pipeline(settings, request, was)
        prepared = pipeline.prepare([request])
        if prepared.failures:
            raise RequestError(prepared.failures[0].reason)
        whole = _described(pipeline, prepared)
        if not self._searching or pipeline.retriever is None:
            return judged(was, whole, None)
        alone = self._from_record(pipeline, was, request)
        if alone is None:
            return judged(was, None, whole)
        same = _sent(alone[1]) == _sent(prepared)  # then the model has answered this prompt already
        return judged(was, whole if same else _described(*alone), whole)

    def _request(self, was: Record) -> Request:
        """The record's request, its images decoded. Raises ImageError and RequestError."""
        names = self._named or tuple(image.image for image in was.images)
        if len(names) != len(was.images):
            raise RequestError(f"the record has {len(was.images)} images, --image names {len(names)}")
        try:
            return was.request([load(name) for name in names])
        except ImageError as error:
            raise RequestError(f"{error}. Where the image lies elsewhere now, name it: --image FILE") from error

    def _pipeline(self, settings: Settings, request: Request, was: Record) -> Pipeline:
        """The whole path for these settings, opened once; or that with the record's evidence in the index's place."""
        if not self._searching and settings.prompt.example_images:
            raise RequestError("the prompt shows pictures that only the index has: leave --recorded-evidence off")
        opened = settings if self._searching else _as_it_was_read(settings, was)
        key = (opened.model_dump_json(), request.task)
        if self._opened is None or self._opened[0] != key:
            finder = None if self._searching else RecordedFinder(was, {})
            try:
                self._opened = key, open_pipeline(opened, [request], self._tell, finder)
            except IndexerError as error:
                raise RequestError(
                    f"{error}. To run from the record alone, without its index: --recorded-evidence"
                ) from error
        return self._opened[1] if self._searching else _with_evidence(self._opened[1], settings, was, {})

    def _from_record(self, pipeline: Pipeline, was: Record, request: Request) -> tuple[Pipeline, Prepared] | None:
        """A pipeline for the recorded evidence, and its prompt; None where that cannot be made any more."""
        pictures: dict[str, bytes] = {}
        if pipeline.settings.prompt.example_images and isinstance(pipeline.retriever, Retriever):
            ids = [e.id for e in was.evidence if e.kind == "example"]
            try:
                pictures = {example.id: example.thumbnail for example in pipeline.retriever.index.examples(ids)}
            except RecordNotFoundError:
                return None
        recorded = _with_evidence(pipeline, pipeline.settings, was, pictures)
        prepared = recorded.prepare([request])
        return None if prepared.failures else (recorded, prepared)


def _as_it_was_read(settings: Settings, was: Record) -> Settings:
    """Settings by which the generator reads pictures itself as the index's embedder did for it, where nobody says how:
    in the precision that the record tells."""
    told = was.run.model.get("vision_dtype")
    if told != "model" or settings.model.vision_dtype is not None:
        return settings
    return settings.model_copy(update={"model": settings.model.model_copy(update={"vision_dtype": told})})


def _with_evidence(pipeline: Pipeline, settings: Settings, was: Record, pictures: Mapping[str, bytes]) -> Pipeline:
    """The same pipeline with the record's evidence in place of what its retriever finds."""
    finder = None if pipeline.retriever is None else RecordedFinder(was, pictures)
    return Pipeline(settings, pipeline.speaker, pipeline.templates, finder, pipeline.checking)


def _described(pipeline: Pipeline, prepared: Prepared) -> Description | Failure:
    """What the one request of a batch comes to."""
    return next(iter(pipeline.describe(prepared)))


def _sent(prepared: Prepared) -> str:
    return prompt_sha256(prepared.items[0].prompt.prompt)
