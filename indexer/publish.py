"""The last step of a build: the settled rows become files, and the files the current generation."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from indexer.config import IndexConfig
from indexer.embedders import create_embedder, read_embedder
from indexer.embedders.files import sha256_of
from indexer.errors import IndexCorruptError
from indexer.ledger import Ledger
from indexer.manifest import (
    DATABASE,
    EmbedderRecord,
    Manifest,
    Space,
    describe,
    hash_json,
    sync_folder,
    write_manifest,
)
from indexer.types import Embedder, Kind, Rows, Vectors
from indexer.vectors import VectorFile

BY_IMAGE = "passages_by_image"
"""Passages in the images' space: found by an image itself. Made of the passages when a generation is published."""
SPACES: dict[str, Kind] = {"images": "example", "passages": "passage", BY_IMAGE: "passage"}
"""The vector spaces, and the kind of record each holds."""

_VECTOR_FILE = re.compile(r"(images|passages|passages_by_image)-\d{6}\.(faiss|lists)")


@dataclass(frozen=True)
class SpaceEmbedder:
    """The embedder of a space, its weights not loaded before they are needed, and what is written down of it."""

    embedder: Embedder
    record: EmbedderRecord

    @classmethod
    def load(cls, reference: str) -> SpaceEmbedder:
        """By its name in `configs/embedders/` or its YAML file. Raises like `indexer.load_embedder`."""
        name, config = read_embedder(reference)
        embedder = create_embedder(name, config)
        return cls(embedder, EmbedderRecord.of(embedder, name, config))

    @property
    def name(self) -> str:
        """The embedder as messages name it."""
        return describe(self.embedder.id, self.embedder.revision, self.embedder.dim)


def publish(
    path: Path,
    ledger: Ledger,
    *,
    before: Manifest | None,
    spaces: dict[str, SpaceEmbedder],
    config: dict[str, Any],
    config_file: str | None,
) -> Manifest:
    """Writes the settled generation's files, switches to it, and clears up. Returns its manifest.

    `before` is the generation whose vectors are carried over, None to carry none. Killed at any moment, the
    index is the old generation or the new one.
    """
    wanted = IndexConfig.model_validate(config)
    written = {
        name: _write_space(path, name, ledger, before, spaces.get(name), wanted.exact_up_to)
        for name in SPACES
        if name != BY_IMAGE
    }
    if wanted.passages_by_image and written["passages"] is not None:
        written[BY_IMAGE] = _write_by_image(path, ledger, before, spaces.get("images"), wanted)
    sync_folder(path)
    manifest = Manifest(
        generation=ledger.target,
        spaces={name: space for name, space in written.items() if space is not None},
        config=config,
        config_hash=hash_json(config),
        config_file=config_file,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_manifest(path, manifest)
    return clear_up(path, ledger, manifest)


def clear_up(path: Path, ledger: Ledger, manifest: Manifest) -> Manifest:
    """Removes what the current generation no longer needs, and writes down what its database is then."""
    ledger.tidy(manifest.generation)
    current = {file for space in manifest.spaces.values() for file in space.files}
    for file in path.iterdir():
        if _VECTOR_FILE.fullmatch(file.name) and file.name not in current:
            file.unlink()
    manifest = manifest.model_copy(update={"database_sha256": sha256_of(path / DATABASE)})
    write_manifest(path, manifest)
    return manifest


def save_config(path: Path, manifest: Manifest, config: dict[str, Any], config_file: str | None) -> Manifest:
    """The same generation under a configuration that says the same in other words."""
    new = manifest.model_copy(update={"config": config, "config_hash": hash_json(config), "config_file": config_file})
    if new != manifest:
        write_manifest(path, new)
    return new


def _write_space(
    path: Path, name: str, ledger: Ledger, before: Manifest | None, embedder: SpaceEmbedder | None, exact_up_to: int
) -> Space | None:
    """The space in the settled generation, None where it is empty; a new file only where its vectors are others."""
    kind = SPACES[name]
    old = before.spaces.get(name) if before is not None else None
    if old is not None and not ledger.touched(kind):
        return old
    numbers, records = ledger.numbers(kind), ledger.count(kind)
    if not records:
        return None
    ledger.count_words(kind)
    if embedder is not None:
        record, dim = embedder.record, embedder.embedder.dim
    elif old is not None:
        record, dim = old.embedder, old.dim
    else:
        raise IndexCorruptError(f"index {path}: {records} {kind}s without vectors. Build it again with --rebuild")
    kept: Iterable[tuple[Rows, Vectors]] = ()
    if old is not None:
        carried = _carried(path, old)
        if np.array_equal(np.sort(carried.rows()), numbers) and (len(numbers) > exact_up_to) == bool(old.approximate):
            return old.model_copy(update={"records": records, "embedder": record})
        kept = carried.batches(keep=numbers)
    fresh = chain(kept, ledger.vectors(kind))
    return _space(path, name, ledger.target, record, dim, fresh, numbers, records, exact_up_to)


def _write_by_image(
    path: Path, ledger: Ledger, before: Manifest | None, embedder: SpaceEmbedder | None, config: IndexConfig
) -> Space:
    """The passages in the images' space; only what the generation before has no vector of is embedded."""
    embedder = embedder or SpaceEmbedder.load(config.image_embedder)
    old = before.spaces.get(BY_IMAGE) if before is not None else None
    if old is not None and old.embedder.fingerprint != embedder.record.fingerprint:
        old = None
    if old is not None and not ledger.touched("passage"):
        return old
    numbers, records = ledger.numbers("passage"), ledger.count("passage")
    kept: Iterable[tuple[Rows, Vectors]] = ()
    missing = numbers
    if old is not None:
        carried = _carried(path, old)
        kept, missing = carried.batches(keep=numbers), np.setdiff1d(numbers, carried.rows())
    fresh = chain(kept, _embedded(ledger.passages(missing), embedder.embedder))
    dim = embedder.embedder.dim
    return _space(path, BY_IMAGE, ledger.target, embedder.record, dim, fresh, numbers, records, config.exact_up_to)


def _embedded(passages: Iterable[tuple[Rows, list[str]]], embedder: Embedder) -> Iterator[tuple[Rows, Vectors]]:
    for numbers, texts in passages:
        yield numbers, embedder.embed_texts(texts)


def _space(
    path: Path,
    name: str,
    generation: int,
    record: EmbedderRecord,
    dim: int,
    batches: Iterable[tuple[Rows, Vectors]],
    numbers: Rows,
    records: int,
    exact_up_to: int,
) -> Space:
    """Writes a space's vectors, which are to have these numbers. Raises IndexCorruptError where they have others."""
    file = path / f"{name}-{generation:06d}.faiss"
    vectors = VectorFile.write(file, dim, batches)
    if not np.array_equal(np.sort(vectors.rows()), numbers):
        file.unlink()
        reason = f"index {path}: damaged: {len(vectors)} vectors for {records} {SPACES[name]}s"
        raise IndexCorruptError(f"{reason}, which have {len(numbers)}. Build it again with --rebuild")
    return Space(
        embedder=record,
        dim=dim,
        count=len(vectors),
        records=records,
        file=file.name,
        sha256=sha256_of(file),
        approximate=vectors.write_lists(file.with_suffix(".lists")) if len(vectors) > exact_up_to else None,
    )


def _carried(path: Path, space: Space) -> VectorFile:
    """The vectors of the generation before. Raises IndexCorruptError where its file is not what was written."""
    file = path / space.file
    if not file.is_file() or sha256_of(file) != space.sha256:
        raise IndexCorruptError(f"{file}: missing or damaged. Build the index again with --rebuild")
    return VectorFile.read(file, mapped=True)
