"""What names a run and each of its results: hashes of all that shapes a text.

A result's key is of the record's id, its article, what is asked, the bytes of its images and the run; the same thing
asked again has the same key wherever its file lies. Its mark is of what can be told without reading an image, and
stands for the key as long as the input's stamp is the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from typing import Any

from batch.hardware import has_gpu
from batch.types import Item
from indexer.manifest import hash_json
from rag.pipeline import Pipeline
from rag.provenance import without_secrets_in
from rag.types import Request
from vlm.config import ModelConfig
from vlm.weights import adapter_fingerprint

NAME_DIGITS = 12
_PLACES = (
    ("retrieval", "index"), ("model", "path"), ("model", "adapter"), ("model", "url"), ("prompt", "template"),
    ("check", "calibration"),
)  # fmt: skip
"""Settings that say where something lies. What lies there counts, under a name of its own."""
_LOADED: dict[str, Any] = {
    **dict.fromkeys(("dtype", "vision_dtype", "quantisation", "abstention", "label_temperature"), True),
    "server": {"image_side"},
}
"""Of a model's configuration, what shapes its texts and is told nowhere else."""


def shaped_by(pipeline: Pipeline, generator: str | None = None) -> dict[str, Any]:
    """What shapes the texts of a run, as plain JSON values. Loads no model; reads the files' fingerprints.

    `generator` names what generates in place of the pipeline's own engine: it rounds and batches in its own way.
    """
    speaker, settings = pipeline.speaker, pipeline.settings.model_dump(mode="json")
    for room, key in _PLACES:
        settings[room].pop(key)
    adapter, calibration = pipeline.settings.model.adapter, pipeline.checking.reliance.calibration
    return {
        "model": f"{speaker.engine.model}@{speaker.engine.fingerprint}",
        "loaded": None if speaker.config is None else _loaded(speaker.config),
        **({} if generator is None else {"generator": generator}),
        "adapter": None if adapter is None else adapter_fingerprint(adapter),
        "prompts": {task: template.version for task, template in sorted(pipeline.templates.items())},
        "index": None if pipeline.retriever is None else pipeline.retriever.version,
        "params": asdict(speaker.params),
        "evidence_order": speaker.evidence_order,
        "prompt_tokens": speaker.prompt_tokens,
        "calibration": None if calibration is None else hash_json(calibration.model_dump(mode="json")),
        "settings": without_secrets_in(settings),
        "program": metadata.version("lumenscribe"),
    }


def _loaded(config: ModelConfig) -> dict[str, Any]:
    """How a model is loaded. `auto` is told as what it comes to here: a run does not go on in another precision."""
    loaded = config.model_dump(mode="json", include=_LOADED)
    if config.server is None:
        loaded["dtype"] = config.dtype_with(gpu=config.dtype == "auto" and has_gpu())
    return loaded


def run_name(shaped: dict[str, Any]) -> str:
    """The name of the run that is shaped so: 12 hex digits."""
    return hash_json(shaped)[:NAME_DIGITS]


def mark_of(run: str, item: Item) -> str:
    """32 hex digits of what a run is asked of an item, and of its images' stamp."""
    return _digest([run, *_asked(item.request), list(map(str, item.request.images)), item.stamp])


def key_of(run: str, request: Request, images_sha256: Sequence[str]) -> str:
    """32 hex digits of what a run is asked of a request, and of its images' bytes."""
    return _digest([run, *_asked(request), list(images_sha256)])


def _asked(request: Request) -> list[Any]:
    return [request.id, request.article, request.task, request.question, list(request.labels), request.schema]


def _digest(values: list[Any]) -> str:
    return hashlib.sha256(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()[:32]
