"""The caption of each image's nearest neighbour in the index, the image's own article left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from evaluation.runs import Run
from evaluation.sets import Case
from imaging import ImageError, LoadedImage, load
from rag import open_pipeline
from rag.config import resolve
from rag.types import Request, Stopwatch

_CHUNK = 64


def nearest_captions(run: Run, index: Path | None) -> tuple[str | None, ...]:
    """Of each case's record the best example; where no record has any, what is found in `index`; None without."""
    found = tuple(_first(run.records.get(case.id)) for case in run.cases)
    if any(found) or index is None:
        return found
    return searched(run.cases, index)


def searched(cases: Sequence[Case], index: Path) -> tuple[str | None, ...]:
    """The nearest example's caption by the pipeline's own retriever, so that its leak guard holds."""
    settings = resolve(None, [], retrieval__index=str(index), retrieval__k=1)
    finder = open_pipeline(settings, [Request("any", ())]).retriever
    if finder is None:
        return (None,) * len(cases)
    finder.load({"example"})
    captions: list[str | None] = []
    for start in range(0, len(cases), _CHUNK):
        some = cases[start : start + _CHUNK]
        images = [_image(case.image) for case in some]
        good = [(case, image) for case, image in zip(some, images, strict=True) if image is not None]
        requests = [Request(case.id, (case.image,), article=case.article) for case, _ in good]
        pictures = [(image,) for _, image in good]
        hits = finder.retrieve(requests, pictures, {"example"}, Stopwatch()) if good else []
        texts = {
            case.id: next((e.text for e in hit.evidence if e.kind == "example"), None)
            for (case, _), hit in zip(good, hits, strict=True)
        }
        captions += [texts.get(case.id) for case in some]
    return tuple(captions)


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
