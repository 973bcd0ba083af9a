"""Records as a model reads them: each with the prompt that `caption` and `ask` would give it under the same settings.

The prompts are the one pipeline's own: its images, its evidence, its templates, its order and budget. Knows nothing of
tokens, masks and tensors.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from finetune.config import FinetuneConfig
from finetune.errors import RecordsError, TooLong
from finetune.evidence import FoundEvidence, Tell, find_evidence, load_images
from finetune.lesson import Lesson
from finetune.records import TrainingRecord
from imaging import LoadedImage
from indexer import Index, open_index
from indexer.types import Evidence, Example
from rag.errors import TemplateError
from rag.opening import open_pipeline
from rag.pipeline import Pipeline
from rag.retrieve import Found, Retriever
from vlm.types import GenerationParams


class Lessons:
    """The lessons of a split in the order of its records. A lesson is made, and its images are read, when it is asked
    for; nothing is kept of it.

    What is drawn at random is drawn from the seed, the epoch and the record's id alone. Lessons of a split that is only
    looked at are drawn nothing for: they are as at run time, in every epoch.
    """

    def __init__(
        self,
        config: FinetuneConfig,
        records: Sequence[TrainingRecord],
        pipeline: Pipeline,
        found: FoundEvidence,
        pictures: Pictures | None,
        *,
        training: bool,
    ) -> None:
        self.records = records
        self.params: GenerationParams = pipeline.speaker.params
        """How answers are decoded at run time."""
        self._config = config
        self._pipeline = pipeline
        self._found = found
        self._pictures = pictures
        self._training = training
        self._epoch = 0

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, place: int) -> Lesson:
        """The lesson of a record. Raises RecordsError where its image cannot be read, TooLong where its text alone is
        over the model's budget for prompts."""
        return next(self.ever_shorter(place))

    def set_epoch(self, epoch: int) -> None:
        """What is drawn is drawn for this epoch, counted from 0, from now on."""
        self._epoch = epoch

    def ever_shorter(self, place: int) -> Iterator[Lesson]:
        """The lesson with all its evidence, then with a piece fewer each time, down to none. Its images are read once.

        The last pieces go first: the least similar of their kind, as those that a budget of tokens leaves out.
        """
        images = load_images(self._pipeline, self.records[place].request(self._config.data.folder))
        evidence = self._evidence(place, images)
        for kept in range(len(evidence), -1, -1):
            yield self._made(place, images, evidence[:kept])

    def _made(self, place: int, images: tuple[LoadedImage, ...], evidence: tuple[Evidence, ...]) -> Lesson:
        record = self.records[place]
        if self._pictures is not None:
            evidence = self._pictures.added(evidence)
        try:
            request = record.request(self._config.data.folder)
            prompt = self._pipeline.prompt(request, images, Found(evidence)).prompt.prompt
        except TemplateError as error:
            raise TooLong(f"record {record.id}: {error}") from error
        return Lesson(record.id, prompt, _answer(record), record.labels)

    def _evidence(self, place: int, images: Sequence[LoadedImage]) -> tuple[Evidence, ...]:
        """What the record is shown in this epoch."""
        record, asked = self.records[place], self._config.evidence
        if not self._training:
            return self._found.of(record.id)
        draw = random.Random(f"{self._config.training.seed} {self._epoch} {record.id}")
        if draw.random() < asked.dropout:
            return ()
        return self._found.distracted(record, images, asked.distract, draw)


class Pictures:
    """Thumbnails of examples, read from the index when a prompt shows them.

    A process that reads lessons beside training opens the index itself: a connection must not be taken along.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened: tuple[int, Index] | None = None

    def added(self, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
        """The evidence with the thumbnails of its examples."""
        ids = [e.id for e in evidence if isinstance(e.record, Example)]
        held = {example.id: example for example in self._index.examples(ids)} if ids else {}
        return tuple(replace(e, record=held[e.id]) if isinstance(e.record, Example) else e for e in evidence)

    @property
    def _index(self) -> Index:
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), open_index(self._folder)
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        return {"_folder": self._folder, "_opened": None}


def open_lessons(
    config: FinetuneConfig, records: Sequence[TrainingRecord], folder: Path, *, training: bool, tell: Tell
) -> Lessons:
    """The lessons of a split. `folder` is the run's: the evidence of all records is found now and kept there.

    Loads no language model. Of several processes the first does this before the others. Raises RecordsError for what
    cannot be learned from, and ConfigError, IndexerError, VlmError and RagError where the settings cannot be used.
    """
    settings = config.resolved_settings()
    requests = [record.request(config.data.folder) for record in records]
    if settings.retrieval.enabled and not settings.retrieval.guard.enabled:
        raise RecordsError(
            "settings.retrieval.guard.enabled is off: training prompts would hold their own answers. Leave it on"
        )
    pipeline = open_pipeline(settings, requests)
    file = folder / f"evidence-{'train' if training else 'dev'}.jsonl"
    found = find_evidence(pipeline, records, requests, file, tell)
    pictures = None
    if settings.prompt.example_images and isinstance(pipeline.retriever, Retriever):
        pictures = Pictures(pipeline.retriever.index.path)
    # The retriever goes, and the models by which it searched.
    bare = Pipeline(settings, pipeline.speaker, pipeline.templates, None, pipeline.checking)
    return Lessons(config, records, bare, found, pictures, training=training)


def _answer(record: TrainingRecord) -> str:
    """The right answer as the model is to write it: of a document, JSON as the decoder's grammar has it."""
    if record.schema is None:
        return record.answer.strip()
    return json.dumps(_in_order(json.loads(record.answer), json.loads(record.schema)), ensure_ascii=False)


def _in_order(value: Any, schema: Any) -> Any:
    """A JSON value with its keys in the order in which the schema names them, which is that of generation."""
    if not isinstance(schema, dict):
        return value
    if isinstance(value, list):
        return [_in_order(item, schema.get("items")) for item in value]
    if isinstance(value, dict):
        named = schema.get("properties", {})
        keys = [*(key for key in named if key in value), *(key for key in value if key not in named)]
        return {key: _in_order(value[key], named.get(key)) for key in keys}
    return value
