"""The house as the benchmark uses it: indexes by `build_index`, descriptions by the pipeline, vectors by the embedder.

Knows nothing of data sets or figures. All that is made lies in a work folder, by the encoder's fingerprint, and is
found again there by a second run.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import yaml
from tqdm import tqdm

from configs import parse
from imaging import load
from indexer import IndexConfig, Vectors, build_index, load_embedder
from rag import Pipeline, open_pipeline
from rag.config import resolve
from rag.types import Description, Request

BATCH = 16
WEIGHTS = Path(__file__).parents[1] / "pocket" / "weights"
SAID = "said.jsonl"
_CHUNK = 64
Item = TypeVar("Item")


def options(doc: str, work: str) -> argparse.ArgumentParser:
    """`--data`, `--work` and `--weights` of a script that `doc` describes; `work` says what lies there."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=folder, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help=work)
    parser.add_argument("--weights", type=weights, default=WEIGHTS, help="folder with clip and vlm")
    return parser


def folder(given: str) -> Path:
    """An argument that names a folder: its path. Raises argparse.ArgumentTypeError where there is none."""
    if not Path(given).is_dir():
        raise argparse.ArgumentTypeError(f"{given}: no such folder")
    return Path(given)


def weights(given: str) -> Path:
    """An argument that names a folder with `clip` and `vlm`, as `folder`."""
    for part in ("clip", "vlm"):
        folder(f"{given}/{part}")
    return Path(given)


def arguments(doc: str, work: str) -> argparse.Namespace:
    """What was given for `options`."""
    return options(doc, work).parse_args()


class House:
    """The models of a weights folder (`clip`, `vlm`) at work. `k` is how many examples; None: the default's."""

    def __init__(self, weights: Path, work: Path, k: int | None) -> None:
        self.work = work
        self.k = k
        self._weights = weights.absolute()
        self._encoder_file = work / "pocket-clip.yaml"
        self._encoder_file.parent.mkdir(parents=True, exist_ok=True)
        encoder = {"kind": "open_clip", "folder": str(self._weights / "clip")}
        self._encoder_file.write_text(yaml.safe_dump(encoder), encoding="utf-8")
        self.encoder = load_embedder(str(self._encoder_file))
        self._made = work / self.encoder.fingerprint[:12]
        self._indexes: dict[str, Path] = {}
        self._pipelines: dict[Path | None, Pipeline] = {}
        (work / SAID).unlink(missing_ok=True)

    @property
    def models(self) -> dict[str, str]:
        """What speaks and what embeds, by the fingerprints of their files."""
        speaker = self.pipeline(None).speaker.engine
        return {"generator": speaker.fingerprint, "encoder": self.encoder.fingerprint}

    def index(self, name: str, *sources: dict[str, Any]) -> Path:
        """The index of these sources, built where it is not there yet."""
        if name not in self._indexes:
            out = self._made / "indexes" / name
            config = {"out": str(out), "image_embedder": str(self._encoder_file), "sources": list(sources)}
            tell(*build_index(parse(IndexConfig, config, f"index {name}")).lines())
            self._indexes[name] = out
        return self._indexes[name]

    def pipeline(self, index: Path | None) -> Pipeline:
        """The pipeline with this index, or without evidence: for captions and for questions."""
        if index not in self._pipelines:
            retrieval = {"retrieval__enabled": False} if index is None else {"retrieval__index": str(index)}
            settings = resolve(
                model__path=str(self._weights / "vlm"), retrieval__k=self.k, batch_size=BATCH, **retrieval
            )
            either = [Request("caption", ()), Request("ask", (), "ask")]
            self._pipelines[index] = open_pipeline(settings, either)
        return self._pipelines[index]

    def describe(self, index: Path | None, requests: Sequence[Request]) -> list[Description]:
        """A description of each, in their order; what this run said is in `SAID` of the work folder."""
        pipeline = self.pipeline(index)
        found: dict[str, Description] = {}
        for chunk in _chunks(requests, "describe"):
            for outcome in pipeline.run(chunk):
                if not isinstance(outcome, Description):
                    sys.exit(f"{outcome.request.images}: {outcome.reason}")
                found[outcome.request.id] = outcome
        described = [found[request.id] for request in requests]
        with (self.work / SAID).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(_record(index, d)) + "\n" for d in described)
        return described

    def probabilities(
        self, index: Path | None, requests: Sequence[Request], labels: tuple[str, ...]
    ) -> list[tuple[float, ...]]:
        """For each request the probability of each label as the answer, among these labels."""
        pipeline = self.pipeline(index)
        found: list[tuple[float, ...]] = []
        for chunk in _chunks(requests, "score"):
            prepared = pipeline.prepare(chunk)
            if prepared.failures:
                sys.exit(prepared.failures[0].reason)
            scored = dict(pipeline.speaker.engine.score([item.prompt.prompt for item in prepared.items], labels))
            found += [scored[position].probabilities for position in range(len(chunk))]
        return found

    def vectors(self, images: Sequence[Path]) -> Vectors:
        """The encoder's vectors of these images, kept in the work folder."""
        name = hashlib.sha256("\n".join(str(image.absolute()) for image in images).encode()).hexdigest()[:16]
        kept = self._made / "vectors" / f"{name}.npy"
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            parts = [self.encoder.embed_images([load(p) for p in chunk]) for chunk in _chunks(images, "embed")]
            np.save(kept, np.concatenate(parts))
        return np.asarray(np.load(kept))


def tell(*lines: str) -> None:
    """Progress, on stderr."""
    for line in lines:
        print(line, file=sys.stderr, flush=True)


def _chunks(items: Sequence[Item], what: str) -> Iterator[Sequence[Item]]:
    with tqdm(total=len(items), desc=what, leave=False, disable=None) as bar:
        for start in range(0, len(items), _CHUNK):
            chunk = items[start : start + _CHUNK]
            yield chunk
            bar.update(len(chunk))


def _record(index: Path | None, description: Description) -> dict[str, Any]:
    return {
        "index": index and index.name,
        "image": description.images[0].name,
        "question": description.request.question,
        "text": description.text,
        "evidence": [e.text for e in description.evidence],
    }
