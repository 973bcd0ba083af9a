"""`manifest.json`: what a generation of an index consists of. Replacing it is the one step that switches."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import configs
from indexer.approximate import ApproximateSearch
from indexer.database import half_built_from
from indexer.embedders.config import EmbedderConfig
from indexer.errors import IndexCorruptError, IndexIncompleteError, IndexNotFoundError
from indexer.types import Embedder

SCHEMA = 3
MANIFEST = "manifest.json"
DATABASE = "records.sqlite"
METRIC = "inner_product"


class EmbedderRecord(configs.StrictModel):
    """The embedder whose vectors a space holds, with the configuration it can be loaded by."""

    name: str
    id: str
    revision: str
    fingerprint: str
    config: dict[str, Any]

    @classmethod
    def of(cls, embedder: Embedder, name: str, config: EmbedderConfig) -> EmbedderRecord:
        """What is written down of an embedder."""
        return cls(
            name=name,
            id=embedder.id,
            revision=embedder.revision,
            fingerprint=embedder.fingerprint,
            config=config.model_dump(exclude_none=True),
        )


class Space(configs.StrictModel):
    """A vector space of the index: `count` vectors of `dim` in one FAISS file, compared by `metric`.

    They are those of `records` records; those that say the same share one. Compared for each query are all of
    them or, with `approximate`, those that its lists name.
    """

    embedder: EmbedderRecord
    dim: int
    metric: str = METRIC
    count: int
    records: int
    file: str
    sha256: str
    approximate: ApproximateSearch | None = None

    @property
    def search(self) -> str:
        """How it is searched, for people: "exact", or by how many lists and with which recall."""
        by = self.approximate
        if by is None:
            return "exact"
        return f"{by.kind}, {by.probes} of {by.lists} lists, recall@10 {by.recall_at_10:.3f} (of {by.sample} vectors)"

    @property
    def files(self) -> dict[str, str]:
        """Its files, and the SHA-256 of each."""
        return {part.file: part.sha256 for part in (self, self.approximate) if part is not None}


class Manifest(configs.StrictModel):
    """One generation of an index.

    `config` is the resolved index configuration and `config_file` where it was read from; `database_sha256`
    is of the SQLite file as this generation left it (None where the build was stopped while tidying up).
    """

    schema_version: int = SCHEMA
    generation: int
    spaces: dict[str, Space]
    config: dict[str, Any]
    config_hash: str
    config_file: str | None = None
    created_at: str
    database_sha256: str | None = None

    def content_hash(self) -> str:
        """SHA-256 of everything in it, lower-case hex."""
        return hash_json(self.model_dump(mode="json"))


def hash_json(data: Any) -> str:
    """SHA-256 of a JSON value in its one canonical form, lower-case hex."""
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def describe(id_: str, revision: str, dim: int) -> str:
    """An embedder in a message: `open_clip:pocket-clip@3f2a91c0 (256-d)`."""
    return f"{id_}@{revision[:8]} ({dim}-d)"


def build_command(config_file: str | None, *, rebuild: bool) -> str:
    """The command that builds an index from its configuration file."""
    return f"python cli.py index build {config_file or 'CONFIG'}{' --rebuild' if rebuild else ''}"


def read_manifest(path: Path) -> Manifest:
    """The manifest of the index in folder `path`.

    Raises IndexNotFoundError, IndexIncompleteError (files of a build but no manifest), IndexCorruptError.
    """
    file = path / MANIFEST
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise _missing(path) from None
    except (OSError, ValueError) as error:
        raise _corrupt(file, str(error)) from error
    if not isinstance(data, dict):
        raise _corrupt(file, "not a JSON object")
    if data.get("schema_version") != SCHEMA:
        raise IndexCorruptError(
            f"{file}: schema {data.get('schema_version')!r}, this version reads {SCHEMA}. "
            f"Use the version that wrote it, or build it again: {build_command(data.get('config_file'), rebuild=True)}"
        )
    checksum = data.pop("checksum", None)
    try:
        manifest = Manifest.model_validate(data)
    except ValidationError as error:
        raise _corrupt(file, f"{error.error_count()} keys are not what they should be") from error
    if manifest.content_hash() != checksum:
        raise _corrupt(file, "its checksum does not match")
    return manifest


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Replaces the manifest of the index in folder `path` in one step that survives a power cut."""
    data = {**manifest.model_dump(mode="json"), "checksum": manifest.content_hash()}
    temporary = path / f"{MANIFEST}.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(data, file, ensure_ascii=False, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path / MANIFEST)
    sync_folder(path)


def sync_folder(path: Path) -> None:
    """Makes the names of a folder's files durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _missing(path: Path) -> IndexNotFoundError | IndexIncompleteError:
    if (path / DATABASE).is_file():
        return IndexIncompleteError(
            f"index {path} is half-built: its build was stopped before the end, what it did is kept. "
            f"Go on with it: {build_command(half_built_from(path / DATABASE), rebuild=False)}"
        )
    what = "is no index (it has no manifest.json)" if path.exists() else "does not exist"
    return IndexNotFoundError(f"index {path} {what}. Build one: {build_command(None, rebuild=False)}")


def _corrupt(file: Path, reason: str) -> IndexCorruptError:
    return IndexCorruptError(f"{file}: damaged: {reason}. Build the index again: {build_command(None, rebuild=True)}")
