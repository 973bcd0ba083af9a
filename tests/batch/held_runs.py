"""Runs that are held in memory, for records that a fake engine does not make: of real Descriptions and image files.

What the runner and the writer make of images is in `folders.made_run`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from batch.ledger import Session, Shard
from batch.run_folder import BatchRun, FailedRow, Planned
from batch.shards import Result, result
from batch.types import Described
from imaging import LoadedImage
from indexer.types import Evidence, Example
from rag.types import Checks, Description, Request, Sentence, Tokens
from vlm.types import GenerationParams

MADE: dict[str, Any] = {
    "settings": {"retrieval": {"k": 3}, "prompt": {"template": "few_shot"}},
    "model": "pocket@aaaa",
    "adapter": None,
    "prompt": {"caption": "few_shot@1111"},
    "index": "data/indexes/x@5",
    "params": {"max_new_tokens": 64},
    "date": "2026-01-01T00:00:00+00:00",
}


@dataclass(frozen=True)
class HeldRun(BatchRun):
    """A run whose descriptions are in memory."""

    shard_of: Mapping[str, int] = field(default_factory=dict)
    shards: Mapping[int, Shard] = field(default_factory=dict)
    sessions: Sequence[Session] = ()
    held: tuple[Result, ...] = ()

    def descriptions(self) -> Iterator[Result]:
        yield from self.held


def image_file(folder: Path, name: str, shade: int = 0) -> Path:
    """An image of its own for each name; its format is what the name ends in."""
    pixels = np.full((12, 16, 3), (shade + int(hashlib.sha256(name.encode()).hexdigest()[:2], 16)) % 256, np.uint8)
    Image.fromarray(pixels).save(folder / name)
    return folder / name


def evidence(number: int, license_: str | None = "CC BY 4.0", id_: str | None = None) -> Evidence:
    record = Example(
        id_ or f"e{number}", f"caption {number}", "rocov2", "PMC1", license_, "Doe et al.", "https://x.org/1"
    )
    return Evidence(record, score=0.5, rank=number, number=number)


def described(
    image: Path,
    id_: str,
    text: str,
    found: Sequence[Evidence] = (evidence(1), evidence(2, "CC BY-NC 4.0")),
    article: str | None = None,
    **changed: Any,
) -> Result:
    """A result as a shard holds it, its record that of a real Description whose one sentence cites [1]."""
    loaded = LoadedImage(str(image), Image.new("RGB", (2, 2)), hashlib.sha256(image.read_bytes()).hexdigest(), "0" * 16)
    sentences = (Sentence(text, (1,) if found else (), 0.8),) if text else ()
    description = Description(
        request=Request(id_, (str(image),), article=article),
        images=(loaded,),
        text=text,
        checks=Checks(sentences),
        evidence=tuple(found),
        model="pocket@aaaa",
        adapter=None,
        prompt="few_shot@1111",
        index="/home/somebody/indexes/x@5",
        params=GenerationParams(),
        timings_s={"decode": 0.01, "generate": 0.2, "total": 0.21},
        tokens=Tokens(100, 12),
        stop="end",
        mean_logprob=-0.5,
        abstained=not text,
        abstained_because=None if text else "below the threshold",
    )
    return held(replace(description, **changed))


def held(description: Description) -> Result:
    """As the writer puts it into a shard."""
    id_ = description.request.id
    return result(f"key-{id_}", Described(id_, description.to_json()))


def held_run(
    results: Sequence[Result], failures: Sequence[FailedRow] = (), name: str = "0123456789ab", **made: Any
) -> HeldRun:
    """A run of these, in their order, with what failed at the end of its input."""
    plan = [Planned(r.id, r.image, r.article, r.key) for r in results]
    plan += [Planned(f.id, f.image, f.article, None) for f in failures]
    return HeldRun(Path("runs") / name, {**MADE, **made}, plan, list(failures), None, held=tuple(results))


def failed(id_: str, kind: Any = "image", reason: str = "damaged image") -> FailedRow:
    return FailedRow(id_, f"{id_}.png", None, kind, reason)
