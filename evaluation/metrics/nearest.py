"""The caption of each image's nearest neighbour in the index, the image's own article left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.metrics.measures import Asked
from evaluation.runs import Run
from imaging import ImageError, LoadedImage, load
from rag import open_pipeline
from rag.config import resolve
from rag.types import Request, Stopwatch

_CHUNK = 64


def nearest_captions(run: Run, asked: Asked, index: Path | None) -> tuple[str | None, ...]:
    """Of each record the best example; where no record has any, what is found in `index`; None without."""
    found = tuple(_first(run.records.get(id_)) for id_ in asked.ids)
    if any(found) or index is None:
        return found
    return searched(asked, index)


def with_index(asked: Asked, index: Path) -> Asked:
    """`asked` with the encoder of an index, and its nearest captions unless the predictions came with some."""
    searching = not (any(asked.nearest) or asked.is_questions)
    return replace(asked, embedder=str(index), nearest=searched(asked, index) if searching else asked.nearest)


def searched(asked: Asked, index: Path) -> tuple[str | None, ...]:
    """The nearest example's caption by the pipeline's own retriever, so that its leak guard holds.

    None where there is no image, or one that cannot be read.
    """
    files = asked.images or (None,) * len(asked.ids)
    settings = resolve(None, [], retrieval__index=str(index), retrieval__k=1)
    finder = open_pipeline(settings, [Request("any", ())]).retriever
    if finder is None:
        return (None,) * len(asked.ids)
    finder.load({"example"})
    captions: dict[str, str | None] = {}
    for start in range(0, len(asked.ids), _CHUNK):
        requests, pictures = [], []
        some = slice(start, start + _CHUNK)
        for id_, file, group in zip(asked.ids[some], files[some], asked.groups[some], strict=True):
            if file is not None and (image := _image(file)) is not None:
                requests.append(Request(id_, (file,), article=group))
                pictures.append((image,))
        hits = finder.retrieve(requests, pictures, {"example"}, Stopwatch()) if requests else []
        for request, hit in zip(requests, hits, strict=True):
            captions[request.id] = next((e.text for e in hit.evidence if e.kind == "example"), None)
    return tuple(captions.get(id_) for id_ in asked.ids)


def _image(path: str) -> LoadedImage | None:
    """None where it cannot be read: then it has no neighbour."""
    try:
        return load(path)
    except ImageError:
        return None


def _first(record: Mapping[str, Any] | None) -> str | None:
    """The text of the record's best example."""
    examples = [one for one in (record or {}).get("evidence", []) if one["kind"] == "example"]
    return min(examples, key=lambda one: int(one["rank"]))["text"] if examples else None
